"""Queries AWS before a launch, one function per question. Changes nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pdfbatch import aws
from pdfbatch.errors import NotReady, PdfbatchError, UsageError
from pdfbatch.fleet import routes
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.names import Names
from pdfbatch.fleet.values import Ami, Market, Quota, Subnet, TypeFacts
from pdfbatch.records import Secret

GPU_AMI = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id"
"""SSM parameter of AWS's base AMI with NVIDIA driver, Docker and AWS CLI. Source: Deep Learning AMI release notes."""
ROOT_GIB = 100
FEWEST_SCORED = 3
"""For fewer types a placement score "will always be low" (botocore's service model), so it is not requested."""
_FAMILIES = [  # EC2 guide, "Spot Instance quotas": vCPUs by first letters, narrow ones first
    (re.compile(r"inf\d"), "L-B5D1601B", "All Inf Spot Instance Requests"),
    (re.compile(r"trn\d"), "L-6B0D517C", "All Trn Spot Instance Requests"),
    (re.compile(r"dl\d"), "L-85EED4F7", "All DL Spot Instance Requests"),
    (re.compile(r"(g|gr|vt)\d"), "L-3819A6DF", "All G and VT Spot Instance Requests"),
    (re.compile(r"p\d"), "L-7212CCBC", "All P4, P3 and P2 Spot Instance Requests"),
    (re.compile(r"x\d"), "L-E3A00192", "All X Spot Instance Requests"),
    (re.compile(r"f\d"), "L-88CF9481", "All F Spot Instance Requests"),
    (re.compile(r""), "L-34B43A08", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests"),
]
_ON_DEMAND_FAMILIES = {  # the same families, EC2 guide, "On-Demand Instance quotas"
    "L-B5D1601B": ("L-1945791B", "Running On-Demand Inf instances"),
    "L-6B0D517C": ("L-2C3B7624", "Running On-Demand Trn instances"),
    "L-85EED4F7": ("L-6E869C2A", "Running On-Demand DL instances"),
    "L-3819A6DF": ("L-DB2E81BA", "Running On-Demand G and VT instances"),
    "L-7212CCBC": ("L-417A185B", "Running On-Demand P instances"),
    "L-E3A00192": ("L-7295265B", "Running On-Demand X instances"),
    "L-88CF9481": ("L-74FC7D96", "Running On-Demand F instances"),
    "L-34B43A08": ("L-1216C47A", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"),
}


def vcpus_of(clients: Clients, types: Sequence[str]) -> dict[str, TypeFacts]:
    """Looks up the instance types' vCPUs and GPUs.

    Raises:
        UsageError: a type that this region does not have, or that the worker image does not run on.
    """
    try:
        with aws.translating("look up the instance types"):
            found = clients.ec2.describe_instance_types(InstanceTypes=list(types))["InstanceTypes"]  # type: ignore[arg-type]
    except PdfbatchError as error:
        if error.code not in ("InvalidInstanceType", "InvalidParameterValue"):
            raise
        raise _no_such_type(clients, types) from error
    if len(found) < len(set(types)):
        raise _no_such_type(clients, types)
    return {str(each["InstanceType"]): _facts(each) for each in found}


def _facts(found: Any) -> TypeFacts:
    if "x86_64" not in found.get("ProcessorInfo", {}).get("SupportedArchitectures", ["x86_64"]):
        raise UsageError(
            f"{found['InstanceType']} has an Arm processor; the worker image is for x86.",
            "Choose a type without a g after its number, as g4dn.xlarge.",
        )
    gpus = found.get("GpuInfo", {}).get("Gpus", [])
    nvidia = [str(gpu.get("Name", "GPU")) for gpu in gpus if gpu.get("Manufacturer", "NVIDIA") == "NVIDIA"]
    vcpus, memory = found["VCpuInfo"]["DefaultVCpus"], found["MemoryInfo"]["SizeInMiB"]
    return TypeFacts(int(vcpus), nvidia[0] if nvidia else "", int(memory))


def _no_such_type(clients: Clients, types: Sequence[str]) -> UsageError:
    return UsageError(
        f"Unknown instance type in {clients.region}, one of: {', '.join(types)}.",
        "Check the spelling, or choose another region with AWS_DEFAULT_REGION.",
    )


def offerings(clients: Clients, types: Sequence[str]) -> dict[str, set[str]]:
    """Looks up the zones, by name, that offer each type."""
    pages = clients.ec2.get_paginator("describe_instance_type_offerings")
    wanted: dict[str, set[str]] = {kind: set() for kind in types}
    with aws.translating("look up which zones offer the instance types"):
        for page in pages.paginate(
            LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": list(types)}]
        ):
            for found in page["InstanceTypeOfferings"]:
                wanted.setdefault(str(found["InstanceType"]), set()).add(found["Location"])
    return wanted


def subnets(clients: Clients, wanted: Sequence[str], vpc: str = "") -> list[Subnet]:
    """Looks up one subnet per zone (a fleet's limit), by zone. `wanted` empty: those of `vpc` or the default VPC.

    Raises:
        NotReady: no subnet.
        UsageError: they are in several VPCs, or do not exist.
    """
    in_vpc = {"Name": "vpc-id", "Values": [vpc]} if vpc else {"Name": "default-for-az", "Values": ["true"]}
    chosen: Any = {"SubnetIds": list(wanted)} if wanted else {"Filters": [in_vpc]}
    try:
        with aws.translating("look up the subnets"):
            found = clients.ec2.describe_subnets(**chosen)["Subnets"]
    except PdfbatchError as error:
        if error.code.startswith("InvalidSubnet"):
            raise UsageError(
                f"Unknown subnet in {clients.region}, one of: {', '.join(wanted)}.",
                "List them with `aws ec2 describe-subnets`; they must be in this region.",
            ) from error
        raise
    if len({each["VpcId"] for each in found}) > 1:
        raise UsageError(
            f"The subnets {', '.join(wanted)} are in several VPCs.",
            "Choose subnets of one VPC: the security group's.",
        )
    by_addresses = sorted(found, key=lambda each: -each.get("AvailableIpAddressCount", 0))
    ways = routes.ways_out(clients, by_addresses)
    usable = [
        Subnet(each["SubnetId"], each["AvailabilityZone"], each["VpcId"], ways[each["SubnetId"]])
        for each in by_addresses
    ]
    of_zone: dict[str, Subnet] = {}
    for subnet in sorted(usable, key=lambda subnet: routes.PREFERENCE.index(subnet.way_out)):
        of_zone.setdefault(subnet.zone, subnet)
    if not of_zone:
        raise NotReady(
            f"No VPC {vpc} with subnets in {clients.region}."
            if vpc
            else f"No default VPC with subnets in {clients.region}.",
            "Create one with `aws ec2 create-default-vpc`, or choose your own subnets with --subnet.",
        )
    return [of_zone[zone] for zone in sorted(of_zone)]


def prices(clients: Clients, types: Sequence[str], now: datetime) -> dict[tuple[str, str], float]:
    """Looks up the current Spot prices, dollars per hour, by type and zone name."""
    pages = clients.ec2.get_paginator("describe_spot_price_history")
    newest: dict[tuple[str, str], tuple[datetime, float]] = {}
    with aws.translating("look up Spot prices"):
        for page in pages.paginate(InstanceTypes=list(types), ProductDescriptions=["Linux/UNIX"], StartTime=now):  # type: ignore[arg-type]
            for row in page["SpotPriceHistory"]:
                key = str(row["InstanceType"]), row["AvailabilityZone"]
                at = row["Timestamp"].astimezone(UTC)
                if key not in newest or at > newest[key][0]:
                    newest[key] = at, float(row["SpotPrice"])
    return {key: price for key, (_, price) in newest.items()}


def scores(clients: Clients, types: Sequence[str], workers: int) -> dict[str, int]:
    """Looks up Spot placement scores, 1 to 10, by zone id: a hint about capacity, not a promise."""
    with aws.translating("look up Spot placement scores"):
        found = clients.ec2.get_spot_placement_scores(
            InstanceTypes=list(types),
            TargetCapacity=workers,
            TargetCapacityUnitType="units",
            SingleAvailabilityZone=True,
            RegionNames=[clients.region],
        )["SpotPlacementScores"]
    return {row["AvailabilityZoneId"]: row["Score"] for row in found if "AvailabilityZoneId" in row}


def zone_ids(clients: Clients) -> dict[str, str]:
    """Looks up the zones' ids, the same in every account, by their names in this one."""
    with aws.translating("look up the zones"):
        found = clients.ec2.describe_availability_zones()["AvailabilityZones"]
    return {zone["ZoneName"]: zone["ZoneId"] for zone in found}


def family_of(types: Sequence[str], market: Market = "spot") -> tuple[str, str]:
    """Returns code and name of the quota that counts these types.

    Raises:
        UsageError: they are counted by different quotas.
    """
    found = {kind: next((code, name) for family, code, name in _FAMILIES if family.match(kind)) for kind in types}
    if len(set(found.values())) > 1:
        raise UsageError(
            f"{', '.join(types)} count against different quotas.", "Choose types of one family, as g4dn and g5."
        )
    code, name = found[types[0]]
    return (code, name) if market == "spot" else _ON_DEMAND_FAMILIES[code]


def quota(clients: Clients, types: Sequence[str], market: Market = "spot") -> Quota:
    """Looks up the quota that counts these types, and the vCPUs in use. `limit` None: unknown."""
    code, name = family_of(types, market)
    return Quota(code=code, name=name, limit=_limit(clients, code), used=_vcpus_in_use(clients, code, market))


def _limit(clients: Clients, code: str) -> float | None:
    for ask in (clients.quotas.get_service_quota, clients.quotas.get_aws_default_service_quota):
        try:
            with aws.translating("look up the quota"):
                return float(ask(ServiceCode="ec2", QuotaCode=code)["Quota"]["Value"])
        except PdfbatchError:
            continue  # never changed in this account: the default applies; access denied: unknown
    return None


def _vcpus_in_use(clients: Clients, code: str, market: Market) -> float:
    living = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    running: Counter[str] = Counter()
    with aws.translating("count the running instances"):
        for page in clients.ec2.get_paginator("describe_instances").paginate(Filters=living):  # type: ignore[arg-type]
            for group in page["Reservations"]:
                for each in group["Instances"]:
                    is_spot = each.get("InstanceLifecycle") == "spot"
                    counted_by = family_of([str(each["InstanceType"])], market)[0]
                    if is_spot == (market == "spot") and counted_by == code:
                        running[str(each["InstanceType"])] += 1
    sizes = vcpus_of(clients, list(running)) if running else {}
    return float(sum(sizes[kind].vcpus * number for kind, number in running.items()))


def ami(clients: Clients, wanted: str) -> Ami:
    """Looks up the AMI and pins its current id, so that a replacement in a week boots from the same one.

    Raises:
        UsageError: no such AMI in this region.
    """
    found = wanted if wanted.startswith("ami-") else _parameter(clients, wanted or GPU_AMI)
    try:
        with aws.translating(f"look up the machine image {found}"):
            images = clients.ec2.describe_images(ImageIds=[found])["Images"]
    except PdfbatchError as error:
        if not error.code.startswith("InvalidAMIID"):
            raise
        images = []
    if not images:
        raise UsageError(
            f"No AMI {found} in {clients.region}.",
            "Set --ami to an AMI of this region with Docker and the AWS CLI, or leave it out.",
        )
    image = images[0]
    root = image.get("RootDeviceName", "/dev/sda1")
    sizes = [
        device.get("Ebs", {}).get("VolumeSize", 0)
        for device in image.get("BlockDeviceMappings", [])
        if device.get("DeviceName") == root
    ]
    return Ami(id=found, root_device=root, root_gib=max([ROOT_GIB, *sizes]))


def _parameter(clients: Clients, name: str) -> str:
    try:
        with aws.translating(f"look up the machine image {name}"):
            return str(clients.ssm.get_parameter(Name=name)["Parameter"]["Value"])
    except PdfbatchError as error:
        if error.code != "ParameterNotFound":
            raise
        raise UsageError(
            f"No SSM parameter {name} in {clients.region}.",
            "Set --ami to the id of an AMI with Docker and the AWS CLI.",
        ) from error


def newest_image(clients: Clients, names: Names) -> str:
    """Looks up the image tagged `latest` in the stack's own repository, by digest.

    Not the last one pushed: Docker may push an index and its parts, and an image that is pushed again keeps its time.

    Raises:
        NotReady: no repository, or no such image in it.
    """
    try:
        with aws.translating(f"look up the image repository {names.repository}"):
            where = clients.ecr.describe_repositories(repositoryNames=[names.repository])["repositories"][0]
            found = clients.ecr.describe_images(repositoryName=names.repository, imageIds=[{"imageTag": "latest"}])[
                "imageDetails"
            ]
    except PdfbatchError as error:
        code = error.code
        if code == "RepositoryNotFoundException":
            raise NotReady(
                f"No image repository {names.repository} in {clients.region}.",
                "Create it with `pdfbatch setup`, then push with `make image push`; or choose an image with --image.",
            ) from error
        if code == "ImageNotFoundException":
            raise NotReady(
                f"The image repository {names.repository} has no image tagged latest.",
                "Push one with `make image push`, or choose an image with --image.",
            ) from error
        raise
    return f"{where['repositoryUri']}@{found[0]['imageDigest']}"


_ECR = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[^.]+)\.[^/]+/(?P<name>[^:@]+)(:(?P<tag>[^@]+))?$")


def pinned_image(clients: Clients, reference: str) -> str:
    """Pins an image by digest: looks up an ECR reference of this region; one of another registry stays as it is.

    Raises:
        UsageError: no such image in ECR.
    """
    found = _ECR.match(reference)
    if found is None or found["region"] != clients.region:
        return reference
    try:
        with aws.translating(f"look up the image {reference}"):
            details = clients.ecr.describe_images(
                registryId=found["account"],
                repositoryName=found["name"],
                imageIds=[{"imageTag": found["tag"] or "latest"}],
            )["imageDetails"]
    except PdfbatchError as error:
        if error.code not in ("ImageNotFoundException", "RepositoryNotFoundException"):
            raise
        raise UsageError(f"No image {reference}.", "Check its name and tag, or push it first.") from error
    return f"{reference.split('/')[0]}/{found['name']}@{details[0]['imageDigest']}"


def is_pinned(reference: str) -> bool:
    return "@sha256:" in reference


def security_groups(clients: Clients, names: Names, vpc: str = "") -> list[Any]:
    """Looks up the stack's security groups as EC2 describes them, in one VPC or ("") in any."""
    filters: list[Any] = [{"Name": "group-name", "Values": [names.security_group]}]
    if vpc:
        filters.append({"Name": "vpc-id", "Values": [vpc]})
    pages = clients.ec2.get_paginator("describe_security_groups").paginate(Filters=filters)
    return aws.call("look up the security group", lambda: [each for page in pages for each in page["SecurityGroups"]])


def has_key_pair(clients: Clients, name: str) -> bool:
    found = aws.call(
        f"look up the key pair {name}",
        lambda: clients.ec2.describe_key_pairs(KeyNames=[name]),
        absent={"InvalidKeyPair.NotFound"},
    )
    return found is not None


def secret_name(clients: Clients, arn: str, suggested: str = "pdf-passwords") -> str:
    """Looks up the name of a secret, without reading its value; "": none. `suggested`: a name for a new one.

    Raises:
        NotReady: it does not exist, or is being deleted.
    """
    if not arn:
        return ""
    secret = Secret.read(arn)
    if secret.service == "ssm":
        return _parameter_name(clients, secret, suggested)
    found = aws.call(
        f"look up the secret {arn}",
        lambda: clients.secrets(secret.region).describe_secret(SecretId=arn),
        absent={"ResourceNotFoundException"},
    )
    if found is None or "DeletedDate" in found:
        raise NotReady(f"no secret {arn}", _make_secret(suggested))
    return str(found["Name"])


def _make_secret(name: str) -> str:
    return f"aws secretsmanager create-secret --name {name} --secret-string file://FILE"


def _parameter_name(clients: Clients, secret: Secret, suggested: str) -> str:
    names = [secret.name, secret.name[1:]]
    found = aws.call(
        f"look up the parameter {secret.arn}",
        lambda: clients.parameters(secret.region).describe_parameters(
            ParameterFilters=[{"Key": "Name", "Option": "Equals", "Values": names}]
        ),
    )["Parameters"]
    if not found:
        raise NotReady(f"no parameter {secret.arn}", _make_secret(suggested))
    if found[0]["Type"] != "SecureString":
        raise NotReady(
            f"the parameter {secret.arn} is not a SecureString", "Recreate it as a SecureString: it is unencrypted now."
        )
    return str(found[0]["Name"])


def log_groups(clients: Clients, prefix: str) -> dict[str, int | None]:
    """Looks up the retention in days (None: for ever) of the log groups with this prefix, by name."""
    pages = clients.logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
    found = aws.call(f"look up the log group {prefix}", lambda: [each for page in pages for each in page["logGroups"]])
    return {each["logGroupName"]: each.get("retentionInDays") for each in found}


def has_profile(clients: Clients, names: Names) -> bool:
    """Whether the stack's instance profile exists and has a role.

    Raises:
        PdfbatchError: access is denied, or AWS does not answer.
    """
    try:
        with aws.translating("look up the instance profile"):
            found = clients.iam.get_instance_profile(InstanceProfileName=names.role(clients.region))["InstanceProfile"]
    except PdfbatchError as error:
        if error.code != "NoSuchEntity":
            raise
        return False
    return bool(found["Roles"])
