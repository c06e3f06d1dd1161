"""Looks whether an account is ready for a launch: one table of requirements, each with a check and a cure.

Nothing is changed. What may not be asked, or gets no answer, is `unknown`, which is no refusal.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from pdfbatch import aws
from pdfbatch.errors import AccessDenied, NotFound, NotReady, PdfbatchError, UsageError
from pdfbatch.fleet import routes, survey
from pdfbatch.fleet.clients import ATTEMPTS, Clients
from pdfbatch.fleet.names import Names
from pdfbatch.fleet.plan import quota_request
from pdfbatch.fleet.policies import SERVICE_ROLES, place
from pdfbatch.fleet.setup import current_wish, has_service_role
from pdfbatch.fleet.template import SetupWish, out_of_reach
from pdfbatch.fleet.values import Subnet
from pdfbatch.store import S3Store

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

State = Literal["ok", "missing", "warning", "unknown"]
"""`missing`: a launch would fail. `warning`: it would go, with less comfort or fewer machines."""


class Check(BaseModel):
    """What became of one requirement."""

    model_config = ConfigDict(frozen=True)
    name: str
    state: State
    found: str
    """One line."""
    cure: str = ""
    """One line: a command, or the permission to ask for; "" where there is nothing to do."""


class Diagnosis(BaseModel):
    model_config = ConfigDict(frozen=True)
    checks: list[Check]

    @property
    def ready(self) -> bool:
        return all(check.state != "missing" for check in self.checks)


class Patient(NamedTuple):
    """The account, and what a launch would ask of it."""

    clients: Clients
    names: Names
    inputs: Sequence[str]
    outputs: Sequence[str]
    workers: int
    instance_types: Sequence[str]
    image: str

    def setup(self) -> str:
        """The command that makes what is missing."""
        inputs = self.inputs or ["s3://BUCKET/PDFS/"]
        outputs = self.outputs or ["s3://BUCKET/MARKDOWN/"]
        stack = [] if self.names == Names() else [f"--stack {self.names.stack}"]
        places = [*(f"--input {url}" for url in inputs), *(f"--output {url}" for url in outputs)]
        return " ".join(["pdfbatch setup", *places, *stack])

    def subnets(self) -> list[Subnet]:
        """Of the VPC that the stack was made for, else of the default one.

        Raises:
            NotReady: there is none.
        """
        return survey.subnets(self.clients, (), current_wish(self.clients, self.names).vpc)


class Finding(NamedTuple):
    state: State
    found: str
    cure: str = ""


class Requirement(NamedTuple):
    name: str
    look: Callable[[Patient], Finding]


def diagnose(
    clients: Clients,
    names: Names,
    inputs: Sequence[str],
    outputs: Sequence[str],
    workers: int,
    instance_types: Sequence[str],
    image: str = "",
) -> Diagnosis:
    """Checks everything that a launch of `workers` machines of these types needs; `image` "" for the stack's own one.

    Raises:
        UsageError: an instance type that does not exist, a place that is not in S3.
    """
    patient = Patient(clients, names, inputs, outputs, workers, instance_types, image)
    checks = []
    for requirement in FIRST:
        checks.append(_checked(requirement, patient))
        if checks[-1].state == "missing":
            return Diagnosis(checks=checks)
    return Diagnosis(checks=[*checks, *(_checked(requirement, patient) for requirement in REQUIREMENTS)])


def _checked(requirement: Requirement, patient: Patient) -> Check:
    try:
        finding = requirement.look(patient)
    except UsageError:
        raise
    except NotReady as error:
        finding = Finding("missing", error.message, error.hint)
    except AccessDenied as error:
        finding = Finding("unknown", "these credentials may not ask", _permission(error))
    except PdfbatchError as error:
        finding = Finding("unknown", error.message, error.hint)
    return Check(name=requirement.name, **finding._asdict())


def _permission(error: AccessDenied) -> str:
    """AWS names the permission in its refusal, S3 does not."""
    named = re.search(r"to perform: ([\w-]+:\w+)", error.message)
    if not named:
        return error.hint
    return f"Ask for the permission {named[1]}; `pdfbatch doctor --policy` prints all that are needed."


def _region(patient: Patient) -> Finding:
    return Finding("ok", patient.clients.region)


def _credentials(patient: Patient) -> Finding:
    return Finding("ok", f"account {patient.clients.account}")


def _quota(patient: Patient) -> Finding:
    """Machines of different types are counted as if all were of the largest."""
    facts = survey.vcpus_of(patient.clients, patient.instance_types)
    each = max(fact.vcpus for fact in facts.values())
    quota, need = survey.quota(patient.clients, patient.instance_types), each * patient.workers
    cure = quota_request(quota.code, math.ceil(quota.used + need), patient.clients.region)
    if quota.limit is None:
        ask = "Ask for the permissions servicequotas:GetServiceQuota and servicequotas:GetAWSDefaultServiceQuota."
        return Finding("unknown", f"{quota.name} ({quota.code}) cannot be asked", ask)
    found = f"{quota.name} ({quota.code}): {quota.limit:g} vCPUs, {quota.used:g} in use, {need} needed"
    if quota.limit - quota.used >= need:
        return Finding("ok", found)
    room = int((quota.limit - quota.used) // each)
    if room < 1:
        return Finding("missing", found, cure)
    return Finding("warning", f"{found}: enough for {room} of {patient.workers} workers", cure)


def _offerings(patient: Patient) -> Finding:
    offered = survey.offerings(patient.clients, patient.instance_types)
    missing = [kind for kind in patient.instance_types if not offered.get(kind)]
    where = {zone for zones in offered.values() for zone in zones}
    if not where:
        return Finding(
            "missing",
            f"{patient.clients.region} has no {' or '.join(patient.instance_types)}",
            "Choose another type with --instance-type, or another region with AWS_DEFAULT_REGION.",
        )
    found = f"{' or '.join(patient.instance_types)} in {', '.join(sorted(where))}"
    if missing:
        return Finding("warning", f"{found}; no {' or '.join(missing)}", "Leave the types out that are not offered.")
    return Finding("ok", found)


def _subnets(patient: Patient) -> Finding:
    subnets = patient.subnets()
    offered = survey.offerings(patient.clients, patient.instance_types)
    offering = {zone for zones in offered.values() for zone in zones}
    zones = sorted({subnet.zone for subnet in subnets} & offering)
    if not zones:
        return Finding(
            "missing",
            f"no subnet is in a zone that offers {' or '.join(patient.instance_types)}",
            "aws ec2 create-default-subnet --availability-zone ZONE, or name subnets of yours with --subnet",
        )
    there = [subnet for subnet in subnets if subnet.zone in offering]
    if all(subnet.way_out == routes.NONE for subnet in there):
        return Finding(
            "missing",
            f"instances in {', '.join(subnet.id for subnet in there)} cannot reach S3",
            "Give them a public subnet, a NAT gateway, or endpoints for " + ", ".join(routes.NEEDED_ENDPOINTS),
        )
    found = ", ".join(f"{subnet.zone} ({_way(subnet)})" for subnet in there)
    if any(subnet.way_out is None for subnet in there):
        return Finding("unknown", f"one in each of {found}", "Ask for the permission ec2:DescribeRouteTables.")
    return Finding("ok", f"one in each of {found}")


def _way(subnet: Subnet) -> str:
    return "way out not known" if subnet.way_out is None else subnet.way_out or "no way out, left aside"


def _role(patient: Patient) -> Finding:
    if survey.has_profile(patient.clients, patient.names):
        return Finding("ok", patient.names.role(patient.clients.region))
    return Finding(
        "missing",
        f"no instance profile {patient.names.role(patient.clients.region)} with a role in it",
        patient.setup(),
    )


def _policy(patient: Patient) -> Finding:
    """The policy is rendered from the stack's wish and nothing else; another maker's role cannot be judged here."""
    if not survey.has_profile(patient.clients, patient.names):
        return Finding("missing", "no role yet", patient.setup())
    wish = current_wish(patient.clients, patient.names)
    if wish == SetupWish(patient.names):
        return Finding(
            "unknown",
            f"the role {patient.names.role(patient.clients.region)} is not from `pdfbatch setup`",
            "Compare `pdfbatch doctor --policy`.",
        )
    if outside := out_of_reach(wish, patient.inputs, patient.outputs):
        return Finding("missing", f"the role may not use {', '.join(outside)}", patient.setup())
    return Finding("ok", f"reads {', '.join([*wish.inputs, *wish.models])}; writes {', '.join(wish.outputs)}")


def _service_roles(patient: Patient) -> Finding:
    """EC2 makes them only in the console by itself; through the API they must be there, or the caller may make them."""
    missing = [role for role in SERVICE_ROLES if not has_service_role(patient.clients, role)]
    if not missing:
        return Finding("ok", ", ".join(SERVICE_ROLES))
    commands = [f"aws iam create-service-linked-role --aws-service-name {SERVICE_ROLES[role]}" for role in missing]
    return Finding("missing", f"no {', '.join(missing)}", "; ".join(commands))


def _security_group(patient: Patient) -> Finding:
    name = patient.names.security_group
    with aws.translating(f"look up the security group {name}"):
        found = patient.clients.ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [name]}])
    if not (groups := found["SecurityGroups"]):
        return Finding("missing", f"no security group {name}", patient.setup())
    if any(group["IpPermissions"] for group in groups):
        return Finding("warning", f"{name} lets something in", "Remove its inbound rules: workers need none.")
    return Finding("ok", f"{name} in {groups[0]['VpcId']}, lets nothing in")


def _log_group(patient: Patient) -> Finding:
    name = patient.names.log_group
    with aws.translating(f"look for the log group {name}"):
        groups = patient.clients.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    days = [group.get("retentionInDays") for group in groups if group["logGroupName"] == name]
    if not days:
        return Finding("missing", f"no log group {name}", patient.setup())
    if days[0] is None:
        cure = f"aws logs put-retention-policy --log-group-name {name} --retention-in-days 7"
        return Finding("warning", f"{name} keeps its lines for ever, which costs", cure)
    return Finding("ok", f"{name}, {days[0]} days")


def _topic(patient: Patient) -> Finding:
    arn = patient.names.topic_arn(patient.clients.region, patient.clients.account)
    cure = f"{patient.setup()} --email ADDRESS"
    try:
        with aws.translating(f"look up the SNS topic {arn}"):
            found = patient.clients.sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    except NotFound:
        return Finding("warning", f"no SNS topic {patient.names.topic}: nobody hears when a run ends", cure)
    if not found:
        return Finding("warning", f"nobody is subscribed to the topic {patient.names.topic}", cure)
    if waiting := [each["Endpoint"] for each in found if not each["SubscriptionArn"].startswith("arn:")]:
        return Finding("warning", f"not confirmed: {', '.join(waiting)}", "Follow the link in the mail that AWS sent.")
    return Finding("ok", f"tells {', '.join(each['Endpoint'] for each in found)}")


def _budget(patient: Patient) -> Finding:
    cure = f"{patient.setup()} --email ADDRESS --budget DOLLARS"
    name = patient.names.budget(patient.clients.region)
    try:
        with aws.translating(f"look up the budget {name}"):
            asked: Any = patient.clients.budgets.describe_budget(AccountId=patient.clients.account, BudgetName=name)
    except PdfbatchError as error:
        if error.code != "NotFoundException":
            raise
        return Finding("warning", "no budget: nobody is told of a month that gets dear", cure)
    limit = asked["Budget"]["BudgetLimit"]
    return Finding("ok", f"{limit['Amount']} {limit['Unit']} a month")


def _repository(patient: Patient) -> Finding:
    """Also of use without it: any image a machine can pull may be named."""
    name = patient.names.repository
    if patient.image:
        return Finding("ok", "not needed: an image is named")
    try:
        with aws.translating(f"look up the image repository {name}"):
            found = patient.clients.ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
    except PdfbatchError as error:
        if error.code != "RepositoryNotFoundException":
            raise
        return Finding("missing", f"no image repository {name}", patient.setup())
    return Finding("ok", str(found["repositoryUri"]))


def _image(patient: Patient) -> Finding:
    if patient.image:
        return Finding("ok", survey.pinned_image(patient.clients, patient.image))
    return Finding("ok", survey.newest_image(patient.clients, patient.names))


def _inputs(patient: Patient) -> Finding:
    return _places(patient, patient.inputs)


def _outputs(patient: Patient) -> Finding:
    return _places(patient, patient.outputs)


def _places(patient: Patient, urls: Sequence[str]) -> Finding:
    """Data that crosses regions is slower and costs by the gigabyte."""
    if not urls:
        return Finding("unknown", "no place is named", "pdfbatch doctor --input S3URL --output S3URL")
    s3, abroad = aws.client("s3", ATTEMPTS), []
    for url in urls:
        here = place(url)
        try:
            S3Store(here.bucket, here.prefix, s3).check_readable()
        except NotFound as error:
            return Finding("missing", error.message, f"aws s3 mb s3://{here.bucket}")
        region = _region_of(here.bucket, s3)
        if region != patient.clients.region:
            abroad.append(f"{url} is in {region}")
    if abroad:
        cure = f"AWS_DEFAULT_REGION={abroad[0].rpartition(' ')[2]}, and set up and launch there"
        return Finding("warning", f"{'; '.join(abroad)}: every gigabyte that crosses costs", cure)
    return Finding("ok", f"{', '.join(urls)} in {patient.clients.region}")


def _region_of(bucket: str, s3: S3Client) -> str:
    """S3's own names for its two oldest regions are older than regions."""
    with aws.translating(f"ask for the region of s3://{bucket}"):
        told = s3.get_bucket_location(Bucket=bucket).get("LocationConstraint")
    return {None: "us-east-1", "EU": "eu-west-1"}.get(told, str(told))


FIRST = [Requirement("region", _region), Requirement("credentials", _credentials)]
"""Without these nothing else can be asked."""
REQUIREMENTS = [
    Requirement("Spot quota", _quota),
    Requirement("instance types", _offerings),
    Requirement("subnets", _subnets),
    Requirement("service-linked roles", _service_roles),
    Requirement("worker role", _role),
    Requirement("role's policy", _policy),
    Requirement("security group", _security_group),
    Requirement("log group", _log_group),
    Requirement("image repository", _repository),
    Requirement("worker image", _image),
    Requirement("input", _inputs),
    Requirement("output", _outputs),
    Requirement("SNS topic", _topic),
    Requirement("budget", _budget),
]
