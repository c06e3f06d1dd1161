"""KMS keys as EC2 and S3 enforce them and moto does not.

Sources of the behaviour:
- the default key takes the place of one that is not named, and what `GetEbsDefaultKmsKeyId` answers: awscli's examples;
- the key is checked after the call was answered: botocore's model (EbsBlockDevice, `KmsKeyId`);
- a key that the fleet may not use ends the instance as `Client.InternalError`: aws/karpenter-provider-aws #1407;
- a fleet may use a customer's key by a grant to its service-linked role: EC2 guide, "EC2 Fleet prerequisites";
- a bucket's key that may not be used is `AccessDenied` and its message names the action: AWS, "Troubleshoot access
  denied (403 Forbidden) errors in Amazon S3".
"""

from __future__ import annotations

from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.kms.models import kms_backends
from moto.s3.models import s3_backends

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
        """Whether a fleet may use a key; also False for a key that does not exist, which AWS does not report either."""
        keys = [key for key in self._kms.keys.values() if name in (key.id, key.arn, *key.aliases)]
        return any(SERVICE_ROLE in grant.grantee_principal for key in keys for grant in key.grants.values())


class BucketKeys:
    """Keys that buckets are encrypted with; tests may make them inaccessible."""

    def __init__(self) -> None:
        self.denied: set[str] = set()
        """ARNs."""

    def lacking(self, method: str, path: str) -> str:
        """The error text if the key of the bucket in `path` is inaccessible, else ""."""
        action = {"PUT": "kms:GenerateDataKey", "POST": "kms:GenerateDataKey", "GET": "kms:Decrypt"}.get(method)
        bucket, _, key = path.lstrip("/").partition("/")
        arn = self._key_of(bucket) if key else ""
        if action is None or arn not in self.denied:
            return ""
        who = f"arn:aws:sts::{DEFAULT_ACCOUNT_ID}:assumed-role/worker/i-0123456789abcdef0"
        return (
            f"User: {who} is not authorized to perform: {action} on resource: {arn} because no identity-based policy"
            f" allows the {action} action"
        )

    def _key_of(self, bucket: str) -> str:
        found: Any = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.get(bucket)
        rule = ((found and found.encryption) or {}).get("Rule") or {}
        rule = rule[0] if isinstance(rule, list) else rule
        return str(rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID", ""))
