"""What pdfbatch would create in the simulated account: a launch template and a fleet of one."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.fleet.conftest import Account

DEEP_LEARNING = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id"
USER_DATA = "#!/bin/bash\nexport WORKER_ID='0'\n"
THE_PAST = datetime(2020, 1, 1, tzinfo=UTC)


def template(account: Account, **data: Any) -> str:
    """The id of a launch template as pdfbatch makes them, but for `data`."""
    tags = [{"Key": "pdfbatch:run", "Value": "R"}]
    whole = {
        "ImageId": account.client("ssm").get_parameter(Name=DEEP_LEARNING)["Parameter"]["Value"],
        "UserData": base64.b64encode(USER_DATA.encode()).decode(),
        "IamInstanceProfile": {"Name": "pdfbatch-us-east-1-worker"},
        "InstanceInitiatedShutdownBehavior": "terminate",
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2, "InstanceMetadataTags": "enabled"},
        "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 100, "Encrypted": True}}],
        "TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")],
    }
    made = account.client("ec2").create_launch_template(LaunchTemplateName="worker", LaunchTemplateData=whole | data)
    return str(made["LaunchTemplate"]["LaunchTemplateId"])


def subnets(account: Account) -> dict[str, str]:
    """By zone."""
    found = account.client("ec2").describe_subnets()["Subnets"]
    return {subnet["AvailabilityZone"]: subnet["SubnetId"] for subnet in found}


def wish(account: Account, launch_template: str, zones: str = "ab", **more: Any) -> dict[str, Any]:
    of_zone = subnets(account)
    overrides = [{"InstanceType": "g4dn.xlarge", "SubnetId": of_zone[f"us-east-1{zone}"]} for zone in zones]
    spec = {"LaunchTemplateId": launch_template, "Version": "1"}
    return {
        "Type": "maintain",
        "LaunchTemplateConfigs": [{"LaunchTemplateSpecification": spec, "Overrides": overrides}],
        "TargetCapacitySpecification": {"TotalTargetCapacity": 1, "DefaultTargetCapacityType": "spot"},
        "SpotOptions": {"AllocationStrategy": "price-capacity-optimized"},
        "ValidUntil": datetime.now(UTC) + timedelta(hours=2),
        "TerminateInstancesWithExpiration": True,
        "TagSpecifications": [{"ResourceType": "fleet", "Tags": [{"Key": "pdfbatch:run", "Value": "R"}]}],
    } | more


def fleet(account: Account, **more: Any) -> str:
    """The id of a new fleet with its one instance."""
    made = account.client("ec2").create_fleet(**wish(account, template(account), **more))
    account.order("tick")
    return str(made["FleetId"])


def refused(code: str) -> Any:
    return pytest.raises(ClientError, match=rf"\({code}\)")
