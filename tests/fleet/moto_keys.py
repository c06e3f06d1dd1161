"""KMS keys as EC2 heeds them and moto does not.

Where the behaviour is known from:
- the default key takes the place of one that is not named, and what `GetEbsDefaultKmsKeyId` answers: awscli's examples;
- the key is checked after the call was answered: botocore's model (EbsBlockDevice, `KmsKeyId`);
- a key that the fleet may not use ends the instance as `Client.InternalError`: aws/karpenter-provider-aws #1407;
- a fleet may use a customer's key by a grant to its service-linked role: EC2 guide, "EC2 Fleet prerequisites".
"""

from __future__ import annotations

from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.kms.models import kms_backends

from tests.fleet.simulated_fleets import Json

AWS_OWN_KEY = "alias/aws/ebs"
SERVICE_ROLE = "AWSServiceRoleForEC2Fleet"


class DiskKeys:
    """Of one region."""

    def __init__(self, region: str, ec2: Any) -> None:
        self._ec2 = ec2
        self._kms: Any = kms_backends[DEFAULT_ACCOUNT_ID][region]

    def default(self, _: Json) -> Json:
        """GetEbsDefaultKmsKeyId."""
        key = str(self._ec2.default_kms_key_id or AWS_OWN_KEY)
        return {"KmsKeyId": AWS_OWN_KEY if self._is_aws_own(key) else key}

    def may_be_used(self, template: Json) -> bool:
        """Whether a fleet may use the keys of all disks that this launch template has."""
        disks = [each.get("Ebs") or {} for each in template.get("BlockDeviceMappings") or []]
        by_default = self._ec2.ebs_encryption_by_default
        encrypted = [disk for disk in disks if by_default or str(disk.get("Encrypted", "")).lower() == "true"]
        keys = [str(disk.get("KmsKeyId") or self._ec2.default_kms_key_id or AWS_OWN_KEY) for disk in encrypted]
        return all(self._is_aws_own(key) or self._is_granted(key) for key in keys)

    def _is_aws_own(self, key: str) -> bool:
        if key.startswith("alias/aws/"):
            return True
        own = self._kms.get_key_id_from_alias(AWS_OWN_KEY)
        return own is not None and key.endswith(own)

    def _is_granted(self, name: str) -> bool:
        """False for a key that does not exist, too: nobody is told of that either."""
        keys = [key for key in self._kms.keys.values() if name in (key.id, key.arn, *key.aliases)]
        return any(SERVICE_ROLE in grant.grantee_principal for key in keys for grant in key.grants.values())
