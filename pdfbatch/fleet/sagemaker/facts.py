"""Queries what a SageMaker Processing job depends on: quotas, prices, its role. Changes nothing.

Source: Service Quotas guide; AWS, "Using the AWS Price List Query API". There is no Spot for processing: only training
jobs have `EnableManagedSpotTraining` in botocore's model of SageMaker, and only those have Spot quotas.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pdfbatch import aws
from pdfbatch.errors import NotReady, PdfbatchError
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.facts import Fact, known
from pdfbatch.fleet.list_prices import dollars
from pdfbatch.fleet.names import Names
from pdfbatch.fleet.sagemaker.jobs import instances_in_use
from pdfbatch.fleet.values import Quota

SERVICE = "sagemaker"


class ProcessingFacts(NamedTuple):
    """What AWS says about the processing jobs of an account in one region."""

    quotas: Fact[dict[str, Quota]]
    """By instance type as `ml.g4dn.xlarge`: instances, not vCPUs. A type without a quota is not offered there."""
    prices: Fact[dict[str, float]]
    """Dollars per instance-hour by type."""
    role: Fact[str]
    """ARN of the jobs' role."""


def ask(clients: Clients, names: Names, types: Sequence[str], setup: str) -> ProcessingFacts:
    """Queries everything; `setup`: the command that creates the role."""
    return ProcessingFacts(
        quotas=known(lambda: quotas(clients, types)),
        prices=known(lambda: prices(clients, types)),
        role=known(lambda: role(clients, names.processing_role(clients.region), setup)),
    )


def quota_name(kind: str) -> str:
    """Returns the name of the quota of an instance type; its code is different for each."""
    return f"{kind} for processing job usage"


def quotas(clients: Clients, types: Sequence[str]) -> dict[str, Quota]:
    """Looks up how many instances of each type processing jobs may have, and how many they have now.

    Raises:
        PdfbatchError: access is denied, or AWS does not answer.
    """
    wanted = {quota_name(kind): kind for kind in types}
    found: dict[str, Any] = {}
    for listing in (_applied, _defaults):  # an account that never asked for more may have only the default
        if len(found) < len(wanted):
            for each in listing(clients, set(wanted) - found.keys()):
                found[each["QuotaName"]] = each
    used = _in_use(clients)
    return {
        wanted[name]: Quota(
            code=each["QuotaCode"],
            name=name,
            limit=float(each["Value"]),
            used=float(used.get(wanted[name], 0)),
            service=SERVICE,
        )
        for name, each in found.items()
    }


def _applied(clients: Clients, names: set[str]) -> list[Any]:
    return _named(clients.quotas.get_paginator("list_service_quotas").paginate, names)


def _defaults(clients: Clients, names: set[str]) -> list[Any]:
    return _named(clients.quotas.get_paginator("list_aws_default_service_quotas").paginate, names)


def _named(paginate: Callable[..., Any], names: set[str]) -> list[Any]:
    """Returns the quotas of these names. SageMaker has thousands, and they cannot be asked for by name."""
    found = []
    with aws.translating("look up SageMaker's quotas"):
        for page in paginate(ServiceCode=SERVICE, PaginationConfig={"PageSize": 100}):
            found += [each for each in page["Quotas"] if each["QuotaName"] in names]
            if len(found) == len(names):
                break
    return found


def _in_use(clients: Clients) -> dict[str, int]:
    try:
        return instances_in_use(clients)
    except PdfbatchError:
        return {}  # AWS would refuse the job, and says so


def prices(clients: Clients, types: Sequence[str]) -> dict[str, float]:
    """Looks up the list prices of processing; a type without one is left out.

    Raises:
        PdfbatchError: access is denied, or the service does not answer.
    """
    found = {}
    for kind in types:
        wanted = {"regionCode": clients.region, "instanceType": f"{kind}-Processing", "component": "Processing"}
        filters: Any = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()]
        answer = aws.call(
            "look up SageMaker's list prices",
            lambda filters=filters: clients.price_list.get_products(ServiceCode="AmazonSageMaker", Filters=filters),  # type: ignore[misc]
        )
        if listed := [price for entry in answer["PriceList"] for price in dollars(json.loads(entry))]:
            found[kind] = min(listed)
    return found


def role(clients: Clients, name: str, setup: str) -> str:
    """Looks up the ARN of the role that jobs have.

    Raises:
        NotReady: it does not exist.
    """
    found = aws.call(f"look up the role {name}", lambda: clients.iam.get_role(RoleName=name), absent={"NoSuchEntity"})
    if found is None:
        raise NotReady(f"no role {name} for SageMaker jobs", setup)
    return str(found["Role"]["Arn"])
