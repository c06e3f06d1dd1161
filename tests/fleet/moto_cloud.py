"""The EC2 that simulated fleets act on: moto's, in this process.

Instances are created in moto's backend with everything in their launch template (moto's own fleets drop the profile,
the metadata options, the volumes and the shutdown behaviour), so that moto's DescribeInstances, DescribeTags and
TerminateInstances see them. The names of the public parameters are from the project's facts on Spot (section
2.3).
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.exceptions import ServiceException
from moto.ec2.models import ec2_backends
from moto.ec2.models.amis import Ami
from moto.ec2.models.instances import StateReason
from moto.ec2.utils import convert_tag_spec, filter_dict_attribute_mapping, filter_iam_instance_profiles
from moto.ssm.models import Parameter, ssm_backends

from tests.fleet.market import Market, quota_code, vcpus
from tests.fleet.moto_keys import DiskKeys
from tests.fleet.simulated_fleets import NO_CAPACITY, SCARCE, Json, NotLaunched, Pool, Refused, page

PUBLIC_IMAGES = {
    "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id": (
        "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 24.04) 20261120"
    ),
    "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id": (
        "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04) 20261120"
    ),
    "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id": (
        "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20261120"
    ),
}
IMAGE_GIB = 75
"""Root volume that the public images need at least."""
TEMPLATES_A_PAGE = 15

filter_dict_attribute_mapping["instance-lifecycle"] = "lifecycle"  # AWS has this filter of DescribeInstances


class PublicImage(Ami):
    @property
    def block_device_mappings(self) -> list[dict[str, Any]]:
        root = {"SnapshotId": self.ebs_snapshot.id, "VolumeSize": IMAGE_GIB, "VolumeType": "gp3", "Encrypted": False}
        return [{"DeviceName": self.root_device_name, "Ebs": root | {"DeleteOnTermination": True}}]


class MotoCloud:
    """One region of moto's."""

    def __init__(self, region: str, market: Market, now: Callable[[], datetime]) -> None:
        self.region = region
        self.market = market
        self.now = now
        self.ec2: Any = ec2_backends[DEFAULT_ACCOUNT_ID][region]
        self.keys = DiskKeys(region, self.ec2)
        for name, image in PUBLIC_IMAGES.items():
            self._publish(name, image)

    def _publish(self, name: str, image: str) -> None:
        ami = PublicImage(
            self.ec2,
            ami_id=f"ami-{uuid.uuid5(uuid.NAMESPACE_URL, name).hex[:17]}",
            name=image,
            owner_alias="amazon",
            public=True,
            virtualization_type="hvm",
            architecture="x86_64",
            root_device_type="ebs",
            root_device_name="/dev/sda1",
        )
        self.ec2.amis[ami.id] = ami
        about: Any = {"parameter_type": "String", "description": None, "allowed_pattern": None, "keyid": None}
        versions = ssm_backends[DEFAULT_ACCOUNT_ID][self.region]._parameters[name]
        versions.append(
            Parameter(
                DEFAULT_ACCOUNT_ID,
                name,
                ami.id,
                **about,
                last_modified_date=self.now(),
                version=1,
                data_type="aws:ec2:image",
            )
        )

    def zone_of(self, override: Json) -> str:
        if override.get("SubnetId"):
            return str(self.ec2.get_subnet(override["SubnetId"]).availability_zone)
        return str(override.get("AvailabilityZone") or f"{self.region}a")

    def check(self, template: Json) -> None:
        data = self._data(template)
        image = next(iter(self.ec2.describe_images(ami_ids=[data["ImageId"]])))  # moto refuses an unknown one
        for mapping in data.get("BlockDeviceMappings") or []:
            size = int((mapping.get("Ebs") or {}).get("VolumeSize") or IMAGE_GIB)
            if mapping["DeviceName"] == image.root_device_name and size < IMAGE_GIB and isinstance(image, PublicImage):
                text = f"Volume of size {size}GB is smaller than snapshot '{image.ebs_snapshot.id}', expect size >="
                raise Refused("InvalidBlockDeviceMapping", f"{text} {IMAGE_GIB}GB")
        self._check_profile(data.get("IamInstanceProfile") or {})
        for group in _groups(data):
            if self.ec2.get_security_group_from_id(group) is None:
                raise Refused("InvalidGroup.NotFound", f"The security group '{group}' does not exist")

    def _check_profile(self, profile: Json) -> None:
        name, arn = profile.get("Name"), profile.get("Arn")
        try:
            if name or arn:
                filter_iam_instance_profiles(DEFAULT_ACCOUNT_ID, "aws", arn, name)
        except ServiceException:
            kind = "name" if name else "arn"
            text = f"Value ({name or arn}) for parameter iamInstanceProfile.{kind} is invalid."
            raise Refused("InvalidParameterValue", f"{text} Invalid IAM Instance Profile {kind}") from None

    def price(self, pool: Pool) -> float | None:
        if pool.on_demand and self.market.price(pool.type, pool.zone) is not None:
            return self.market.on_demand(pool.type)
        return self.market.price(pool.type, pool.zone)

    def launch(self, fleet: str, pool: Pool) -> str:
        try:
            self._may_launch(pool)
            instance = self._run(pool)
        except (Refused, ServiceException) as error:
            why = f"{pool.type}, Linux/UNIX: {error.message}"
            raise NotLaunched("spotFleetRequestConfigurationInvalid", why) from None
        instance.add_tags({"aws:ec2:fleet-id": fleet})
        if not self.keys.may_be_used(self._data(pool.template)):
            self._ended(instance.id, "Client.InternalError", "Client error on launch")
        return str(instance.id)

    def _may_launch(self, pool: Pool) -> None:
        self.check(pool.template)
        if pool.zone in self.market.closed:
            where = f"{pool.type}, {self.image_of(pool.template)}, Linux/UNIX"
            why = SCARCE.format(pool.type, pool.zone) if pool.on_demand else NO_CAPACITY
            raise NotLaunched(self.market.closed[pool.zone], f"{where}: {why}")
        code = quota_code(pool.type, pool.on_demand)
        limit = self.market.quotas.get(code)
        if limit is not None and self._vcpus_of(code) + vcpus(pool.type) > limit:
            raise NotLaunched("spotInstanceCountLimitExceeded", "Max spot instance count exceeded", final=True)

    def _vcpus_of(self, code: str) -> int:
        """In use of a quota."""
        return sum(
            vcpus(instance.instance_type)
            for instance in self.ec2.all_instances()
            if instance.state in ("pending", "running")
            and quota_code(instance.instance_type, instance.lifecycle != "spot") == code
        )

    def _run(self, pool: Pool) -> Any:
        data = self._data(pool.template)
        tags = convert_tag_spec(data.get("TagSpecifications") or [])
        if (data.get("MetadataOptions") or {}).get("InstanceMetadataTags") == "enabled":
            for key in tags.get("instance", {}):
                if not re.fullmatch(r"[\w\-+=,.@:]{1,255}", key, re.ASCII):
                    raise Refused("InvalidParameterValue", f"'{key}' is not a valid tag key.")
        optional = {"block_device_mappings": data["BlockDeviceMappings"]} if data.get("BlockDeviceMappings") else {}
        reservation = self.ec2.run_instances(
            data["ImageId"],
            1,
            data.get("UserData"),
            list(data.get("SecurityGroups") or []),
            instance_type=pool.type,
            is_instance_type_default=False,
            placement=pool.zone,
            region_name=self.region,
            subnet_id=pool.subnet,
            key_name=data.get("KeyName"),
            security_group_ids=list(data.get("SecurityGroupIds") or []),
            nics=data.get("NetworkInterfaces") or [],
            associate_public_ip=None,
            tags=tags,
            ebs_optimized=bool(data.get("EbsOptimized")),
            instance_market_options=None if pool.on_demand else "spot",
            instance_initiated_shutdown_behavior=data.get("InstanceInitiatedShutdownBehavior"),
            launch_template={name: value for name, value in pool.template.items() if value},
            metadata_options=data.get("MetadataOptions") or {},
            **optional,
        )
        instance = reservation.instances[0]
        instance.launch_time = self.now()
        if not pool.on_demand:
            instance.spot_instance_request_id = f"sir-{uuid.uuid4().hex[:8]}"
        profile = data.get("IamInstanceProfile") or {}
        if profile:
            self.ec2.associate_iam_instance_profile(instance.id, profile.get("Name"), profile.get("Arn"))
        return instance

    def _data(self, template: Json) -> Json:
        """The launch template's contents; raises Refused or moto's ServiceException where there is none."""
        try:
            found = self.ec2._get_template_from_args({name: value for name, value in template.items() if value})
        except IndexError:
            by = "Id" if template.get("LaunchTemplateId") else "Name"
            code = f"InvalidLaunchTemplate{by}.NotFound{'Exception' if by == 'Name' else ''}"
            raise Refused(code, "The specified launch template does not exist.") from None
        return dict(found.data)

    def type_of(self, template: Json) -> str:
        return str(self._data(template).get("InstanceType", "m1.small"))

    def image_of(self, template: Json) -> str:
        return str(self._data(template)["ImageId"])

    def is_living(self, instance: str) -> bool:
        return self.ec2.get_instance(instance).state in ("pending", "running")

    def terminate(self, instance: str) -> None:
        self.ec2.get_instance(instance).terminate()

    def interrupt(self, instance: str) -> None:
        """Interrupts the instance, as AWS does with Spot."""
        self._ended(instance, "Server.SpotInstanceTermination", "Spot instance termination")

    def shut_down(self, instance: str) -> None:
        """Shuts the instance down, as its own `shutdown -h` does."""
        if self.ec2.get_instance(instance).instance_initiated_shutdown_behavior == "terminate":
            self._ended(instance, "Client.InstanceInitiatedShutdown", "Instance initiated shutdown")
        else:
            self.ec2.get_instance(instance).stop()

    def _ended(self, instance: str, code: str, text: str) -> None:
        found = self.ec2.get_instance(instance)
        found.terminate()
        found._reason = code
        found.state_reason = StateReason(f"{code}: {text}", code)

    def tag(self, resource: str, tags: list[Json]) -> None:
        if tags:
            self.ec2.create_tags([resource], {tag["Key"]: tag["Value"] for tag in tags})

    def tags(self, resource: str) -> list[Json]:
        found = self.ec2.describe_tags(filters={"resource-id": [resource]})
        return [{"Key": tag["key"], "Value": tag["value"]} for tag in found]

    def about(self, instance: str) -> Json:
        found = self.ec2.get_instance(instance)
        request = {"SpotInstanceRequestId": found.spot_instance_request_id} if found.lifecycle == "spot" else {}
        return {"InstanceType": found.instance_type} | request

    def listed(self) -> list[Json]:
        """The running instances of fleets, for tests that boot them."""
        rows = []
        for instance in self.ec2.all_instances():
            tags = {tag["Key"]: tag["Value"] for tag in self.tags(instance.id)}
            if self.is_living(instance.id) and "aws:ec2:fleet-id" in tags:
                data = base64.b64decode(str(instance.user_data or "")).decode()
                about = {"instance": instance.id, "fleet": tags["aws:ec2:fleet-id"], "tags": tags, "user_data": data}
                about |= {"type": instance.instance_type, "zone": instance.placement.zone, "region": self.region}
                rows.append(about | {"image": instance.image_id, "launched": f"{instance.launch_time.isoformat()}Z"})
        return rows

    def price_history(self, wish: Json) -> Json:
        """DescribeSpotPriceHistory."""
        zones = [zone.name for zone in self.ec2.describe_availability_zones()]
        return page("SpotPriceHistory", self.market.history(zones, wish, self.now()), wish)

    def launch_templates(self, wish: Json) -> Json:
        """DescribeLaunchTemplates: 15 rows by default, as AWS; moto drops the rest."""
        filters = {each["Name"]: each["Values"] for each in wish.get("Filters", [])}
        found = self.ec2.describe_launch_templates(
            wish.get("LaunchTemplateNames"), wish.get("LaunchTemplateIds"), filters
        )
        rows = [
            {
                "CreateTime": each.create_time,
                "CreatedBy": f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:root",
                "DefaultVersionNumber": each.default_version_number,
                "LatestVersionNumber": each.latest_version_number,
                "LaunchTemplateId": each.id,
                "LaunchTemplateName": each.name,
                "Tags": self.tags(each.id),
            }
            for each in found
        ]
        return page("LaunchTemplates", rows, wish, TEMPLATES_A_PAGE)

    def placement_scores(self, wish: Json) -> Json:
        """GetSpotPlacementScores; tests set the scores."""
        if self.region not in wish.get("RegionNames", [self.region]):
            return {"SpotPlacementScores": []}
        scores = [
            SimpleNamespace(id=zone.zone_id, score=1 if zone.name in self.market.closed else self._score(zone.name))
            for zone in self.ec2.describe_availability_zones()
        ]
        if not wish.get("SingleAvailabilityZone"):
            best = max((zone.score for zone in scores), default=1)
            return {"SpotPlacementScores": [{"Region": self.region, "Score": best}]}
        rows = [{"Region": self.region, "AvailabilityZoneId": zone.id, "Score": zone.score} for zone in scores]
        return page("SpotPlacementScores", rows, wish)

    def _score(self, zone: str) -> int:
        return self.market.scores.get(zone, 9 - ord(zone[-1]) % 3)


def _groups(data: Json) -> list[str]:
    nics = data.get("NetworkInterfaces") or []
    return [*(data.get("SecurityGroupIds") or []), *(group for nic in nics for group in nic.get("Groups") or [])]
