"""Checks whether an account is ready for a launch, requirement by requirement. Changes nothing."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from pdfbatch.errors import NotReady
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.facts import Need, gather
from pdfbatch.fleet.requirements import judge
from pdfbatch.fleet.values import Check


class Diagnosis(BaseModel):
    """Every requirement with its result."""

    model_config = ConfigDict(frozen=True)
    checks: list[Check]

    @property
    def ready(self) -> bool:
        return all(check.state != "missing" for check in self.checks)


def diagnose(clients: Clients, need: Need, now: datetime) -> Diagnosis:
    """Checks everything that a launch needs. Without a region or credentials nothing else can be checked.

    Raises:
        UsageError: an instance type or image that does not exist, or a URL outside S3.
    """
    checks: list[Check] = []
    try:
        checks.append(Check(name="region", state="ok", found=clients.region))
        checks.append(Check(name="credentials", state="ok", found=f"account {clients.account}"))
    except NotReady as error:
        name = "credentials" if checks else "region"
        return Diagnosis(checks=[*checks, Check(name=name, state="missing", found=error.message, hint=error.hint)])
    return Diagnosis(checks=[*checks, *judge(gather(clients, need, now), need)])
