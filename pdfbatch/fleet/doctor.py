"""Checks whether an account is ready for a launch, requirement by requirement. Changes nothing."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from pdfbatch import aws
from pdfbatch.errors import NotReady, PdfbatchError
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.facts import Need, gather
from pdfbatch.fleet.requirements import judge
from pdfbatch.fleet.values import Check
from pdfbatch.fleet.ways import way_named

_AGAIN = "Fix this, then run `pdfbatch doctor` again."


class Diagnosis(BaseModel):
    """Every requirement with its result."""

    model_config = ConfigDict(frozen=True)
    checks: list[Check]

    @property
    def ready(self) -> bool:
        return all(check.state != "missing" for check in self.checks)


def diagnose(clients: Clients, need: Need, now: datetime) -> Diagnosis:
    """Checks everything that a launch needs. Without a region only the credentials can be checked, and without those
    nothing else.

    Raises:
        UsageError: an instance type or image that does not exist, or a URL outside S3.
    """
    region = _region(clients)
    credentials = _credentials(clients if region.state != "missing" else Clients(aws.ANY_REGION))
    checks = [region, credentials]
    if lacking := [check.name for check in checks if check.state == "missing"]:
        rest = Check(
            name="the rest", state="unknown", found=f"not checked without {' and '.join(lacking)}", hint=_AGAIN
        )
        return Diagnosis(checks=[*checks, rest])
    need = way_named(need.request.way).prepared(clients, need)
    return Diagnosis(checks=[*checks, *judge(gather(clients, need, now), need)])


def _region(clients: Clients) -> Check:
    try:
        found = clients.region
    except PdfbatchError as error:
        return Check(name="region", state="missing", found=error.message, hint=error.hint)
    if clients.has_own_region:
        return Check(name="region", state="ok", found=found)
    hint = f"export AWS_DEFAULT_REGION={found}"
    return Check(name="region", state="warning", found=f"none is set; this is about the bucket's, {found}", hint=hint)


def _credentials(clients: Clients) -> Check:
    try:
        return Check(name="credentials", state="ok", found=f"account {clients.account}")
    except NotReady as error:
        return Check(name="credentials", state="missing", found=error.message, hint=error.hint)
