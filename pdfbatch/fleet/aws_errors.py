"""Says what to do about an EC2 error, and explains it to the user. Pure.

Source of codes: EC2 API, "Error codes"; EC2 Fleet, "Events and errors".
"""

from __future__ import annotations

from typing import Literal

from pdfbatch.errors import NotReady, PdfbatchError, UsageError
from pdfbatch.fleet.pricing import quota_request
from pdfbatch.fleet.values import Plan

Action = Literal["stop", "elsewhere", "later"]
"""`elsewhere`: retry without that zone; `later`: retry after a pause; `stop`: a retry will not help."""

_QUOTA = ("MaxSpotInstanceCountExceeded", "VcpuLimitExceeded")
_CAPACITY = ("InsufficientInstanceCapacity", "UnfulfillableCapacity", "Unsupported", "InsufficientCapacity")
_ADDRESSES = ("InsufficientFreeAddressesInSubnet",)
_BUSY = ("MaxFleetCountExceeded", "RequestLimitExceeded")
_NOT_YET = ("InvalidLaunchTemplateName.NotFoundException", "InvalidLaunchTemplateId.NotFound")
"""A template created a moment ago may not be visible everywhere yet."""
_SERVICE_ROLE = ("AuthFailure.ServiceLinkedRoleCreationNotPermitted", "ServiceLinkedRoleCreationNotPermitted")
_DENIED = ("UnauthorizedOperation", "AccessDenied", "AccessDeniedException")


def action_for(error: PdfbatchError) -> Action:
    code = error.code
    if code in _CAPACITY + _ADDRESSES:
        return "elsewhere"
    return "later" if code in _BUSY + _NOT_YET else "stop"


def explained(error: PdfbatchError, plan: Plan, decoded: str = "") -> PdfbatchError:
    """Rewrites an error for the user; one that needs no explanation stays as it is. `decoded`: the decoded refusal."""
    code, said = error.code, error.said or error.message.rstrip(".")
    account = plan.account
    if code in _QUOTA:
        quota, needed = account.quota, plan.workers * max(account.vcpus.values())
        limit = "unknown" if quota.limit is None else f"{quota.limit:g}"
        return NotReady(
            f"The Spot quota {quota.name!r} ({quota.code}) is used up: limit {limit} vCPUs, {quota.used:g} in use, "
            f"{needed} needed.",
            quota_request(quota.code, quota.used + needed, account.region),
        )
    if code in _CAPACITY:
        return PdfbatchError(
            f"AWS has no Spot capacity for {' or '.join(plan.instance_types)} in any of the zones now ({code}).",
            "Launch again later, add a type with --instance-type, or choose another region with AWS_DEFAULT_REGION.",
        )
    if code in _ADDRESSES:
        return NotReady(
            "None of the subnets has a free IP address.", "Choose other subnets with --subnet, or free up these."
        )
    if code in _BUSY:
        return PdfbatchError(
            f"AWS accepts no more fleet requests now ({code}: {said}).",
            "Launch again in a few minutes; `pdfbatch ls` shows the fleets there are.",
        )
    if code in _SERVICE_ROLE:
        return NotReady(
            "The service-linked roles for Spot are missing, and these credentials may not create them.",
            "Ask an administrator to run: aws iam create-service-linked-role --aws-service-name spot.amazonaws.com; "
            "aws iam create-service-linked-role --aws-service-name ec2fleet.amazonaws.com",
        )
    if code in _DENIED:
        why = f" ({decoded})" if decoded else ""
        return NotReady(
            f"{error.message.rstrip('.')}{why}.",
            "Grant your user the policy that `pdfbatch doctor --policy` prints, or choose another with AWS_PROFILE.",
        )
    return _wrong_setting(error, code, said)


def _wrong_setting(error: PdfbatchError, code: str, said: str) -> PdfbatchError:
    """Explains settings that AWS rejects; they are never retried."""
    if code.startswith("InvalidAMIID"):
        return UsageError(f"AWS does not accept the AMI: {said}.", "Set --ami to an AMI of this region.")
    if code.startswith("InvalidKeyPair"):
        return UsageError(f"AWS does not know the key pair: {said}.", "Set --key-name to a key pair of this region.")
    if "instance profile" in said.lower():
        return NotReady(f"AWS does not accept the instance profile: {said}.", "Run `pdfbatch setup`.")
    if code.startswith("InvalidSubnet") or "subnet" in said.lower():
        return NotReady(f"AWS does not accept the subnets: {said}.", "Choose others with --subnet.")
    if code.startswith(("InvalidLaunchTemplate", "InvalidParameter", "InvalidFleet", "Invalid")):
        return PdfbatchError(
            f"AWS does not accept the fleet's settings ({code}: {said}).",
            "`pdfbatch launch … --dry-run --json` shows them; `pdfbatch doctor` checks the account.",
        )
    return error
