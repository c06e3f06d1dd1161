"""What a live run creates in the account beside the fleet; each creation registers its cleanup at once."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

import boto3
from botocore.exceptions import ClientError

from pdfbatch.fleet.names import TAG_RUN, TAG_STACK, Names, partition

T = TypeVar("T")
AL2023 = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
IDLE_TYPE = "t3.micro"
IDLE_MINUTES = 8
IDLE_MAX_PRICE = "0.02"
POLL_SECONDS = 10.0
IAM_SECONDS = 90.0
"""A new role is not known everywhere at once."""
NOTICE = "aws:ec2:send-spot-instance-interruptions"


class IdleFleet(NamedTuple):
    """A fleet with one idle instance that is left to expire."""

    id: str
    valid_until: datetime


class Account:
    """The user's own account with the user's own permissions."""

    def __init__(self, names: Names, stamp: str) -> None:
        self._session, self._lock = boto3.Session(), threading.Lock()
        self.region = str(self._session.region_name)
        self.number = str(self.client("sts").get_caller_identity()["Account"])
        self.names, self.name = names, f"{names.stack}-live-{stamp}"

    def client(self, service: str) -> Any:
        with self._lock:  # boto3's sessions are not for several threads
            return self._session.client(service)  # type: ignore[call-overload]

    def idle_fleet(self, ends: ExitStack) -> IdleFleet:
        """Made as pdfbatch makes its own, so that its expiry is as theirs."""
        ec2 = self.client("ec2")
        image = self.client("ssm").get_parameter(Name=AL2023)["Parameter"]["Value"]
        tags = [{"Key": TAG_STACK, "Value": self.names.stack}, {"Key": TAG_RUN, "Value": self.name}]
        tagged = [{"ResourceType": "instance", "Tags": tags}]
        data = {"ImageId": image, "InstanceType": IDLE_TYPE, "TagSpecifications": tagged}
        ec2.create_launch_template(LaunchTemplateName=self.name, LaunchTemplateData=data)
        ends.callback(ec2.delete_launch_template, LaunchTemplateName=self.name)
        until = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=IDLE_MINUTES)
        spec = {"LaunchTemplateName": self.name, "Version": "1"}
        overrides = [{"InstanceType": IDLE_TYPE, "MaxPrice": IDLE_MAX_PRICE}]
        made = ec2.create_fleet(
            Type="maintain",
            LaunchTemplateConfigs=[{"LaunchTemplateSpecification": spec, "Overrides": overrides}],
            SpotOptions={"AllocationStrategy": "price-capacity-optimized"},
            TargetCapacitySpecification={"TotalTargetCapacity": 1, "DefaultTargetCapacityType": "spot"},
            ValidUntil=until,
            TerminateInstancesWithExpiration=True,
            TagSpecifications=[{"ResourceType": "fleet", "Tags": tags}],
        )
        ends.callback(ec2.delete_fleets, FleetIds=[made["FleetId"]], TerminateInstances=True)
        return IdleFleet(made["FleetId"], until)

    def launcher(self, printed_policy: str, ends: ExitStack) -> str:
        """The ARN of a role that may do what `doctor --policy` prints, and nothing else."""
        trust = {"AWS": f"arn:{partition(self.region)}:iam::{self.number}:root"}
        role = self._role(f"{self.name}-launcher", trust, printed_policy, ends)
        patiently(lambda: self.acting_as(role))
        return role

    def acting_as(self, role: str) -> dict[str, str]:
        """An environment with this role's credentials, which last an hour."""
        keys = self.client("sts").assume_role(RoleArn=role, RoleSessionName="live")["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
            "AWS_DEFAULT_REGION": self.region,
        }

    def give_notice(self, instance: str, ends: ExitStack) -> datetime:
        """Makes the Fault Injection Service interrupt a Spot instance as EC2 does, after two minutes' notice."""
        arn = f"arn:{partition(self.region)}:ec2:{self.region}:{self.number}:instance/{instance}"
        allowed = {"Effect": "Allow", "Action": "ec2:SendSpotInstanceInterruptions", "Resource": arn}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        role = self._role(f"{self.name}-fis", {"Service": "fis.amazonaws.com"}, policy, ends)
        fis = self.client("fis")
        target = {"resourceType": "aws:ec2:spot-instance", "resourceArns": [arn], "selectionMode": "ALL"}
        action = {
            "actionId": NOTICE,
            "parameters": {"durationBeforeInterruption": "PT2M"},
            "targets": {"SpotInstances": "one"},
        }
        template = patiently(
            lambda: fis.create_experiment_template(
                clientToken=self.name,
                description="pdfbatch: one Spot interruption",
                stopConditions=[{"source": "none"}],
                targets={"one": target},
                actions={"notice": action},
                roleArn=role,
            )["experimentTemplate"]["id"]
        )
        ends.callback(fis.delete_experiment_template, id=template)
        patiently(lambda: fis.start_experiment(clientToken=self.name, experimentTemplateId=template))
        return datetime.now(UTC)

    def _role(self, name: str, principal: dict[str, str], policy: str, ends: ExitStack) -> str:
        """The ARN of a new role."""
        iam = self.client("iam")
        trusts = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [trusts]})
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        ends.callback(iam.delete_role, RoleName=name)
        iam.put_role_policy(RoleName=name, PolicyName="live", PolicyDocument=policy)
        ends.callback(iam.delete_role_policy, RoleName=name, PolicyName="live")
        return str(role)

    # ── look ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def instances(self, *filters: tuple[str, str]) -> list[Any]:
        wanted: Any = [{"Name": name, "Values": [value]} for name, value in filters]
        pages = self.client("ec2").get_paginator("describe_instances").paginate(Filters=wanted)
        return [each for page in pages for group in page["Reservations"] for each in group["Instances"]]

    def fleet_state(self, fleet: str) -> str:
        return str(self.client("ec2").describe_fleets(FleetIds=[fleet])["Fleets"][0]["FleetState"])

    def history(self, fleet: str, since: datetime) -> list[Any]:
        ec2, records, more = self.client("ec2"), list[Any](), dict[str, str]()
        while True:
            page = ec2.describe_fleet_history(FleetId=fleet, StartTime=since, **more)
            records += page["HistoryRecords"]
            if not page.get("NextToken"):
                return records
            more = {"NextToken": page["NextToken"]}

    def disk_of(self, instance: str) -> Any:
        of_instance = [{"Name": "attachment.instance-id", "Values": [instance]}]
        volumes = self.client("ec2").describe_volumes(Filters=of_instance)["Volumes"]
        return volumes[0] if volumes else None

    def default_disk_key(self) -> tuple[str, bool]:
        """The account's key for disks that name none, and whether every disk is encrypted."""
        ec2 = self.client("ec2")
        key = str(ec2.get_ebs_default_kms_key_id()["KmsKeyId"])
        return key, bool(ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"])

    def own_disk_key(self) -> str:
        """The ARN of AWS's own key for disks."""
        return str(self.client("kms").describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]["Arn"])

    def console(self, instance: str) -> str:
        return str(self.client("ec2").get_console_output(InstanceId=instance, Latest=True).get("Output", ""))

    def deletions_by_worker(self, fleet: str, since: datetime) -> list[Any]:
        """CloudTrail's events, minutes late: DeleteFleets of this fleet by the workers' role."""
        by_name = [{"AttributeKey": "EventName", "AttributeValue": "DeleteFleets"}]
        pages = self.client("cloudtrail").get_paginator("lookup_events")
        found = [
            json.loads(event["CloudTrailEvent"])
            for page in pages.paginate(LookupAttributes=by_name, StartTime=since)
            for event in page["Events"]
        ]
        role = f"/{self.names.role(self.region)}/"
        return [event for event in found if fleet in json.dumps(event) and role in event["userIdentity"].get("arn", "")]


def patiently(call: Callable[[], T]) -> T:
    """Retries what a new role cannot do yet."""
    until = time.monotonic() + IAM_SECONDS
    while True:
        try:
            return call()
        except ClientError:
            if time.monotonic() > until:
                raise
        time.sleep(POLL_SECONDS)
