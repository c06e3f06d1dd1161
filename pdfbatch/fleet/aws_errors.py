"""What to do about an error of EC2's: the table, and the words for people. Pure.

Source of codes: EC2 API, "Error codes"; EC2 Fleet, "Events and errors".
"""

from __future__ import annotations

from typing import Literal

from pdfbatch.errors import NotReady, PdfbatchError, UsageError
from pdfbatch.fleet.pricing import quota_request
from pdfbatch.fleet.values import Plan

Action = Literal["stop", "elsewhere", "later"]
"""`elsewhere`: again without that zone; `later`: again after a pause; `stop`: it will not get better."""

_QUOTA = ("MaxSpotInstanceCountExceeded", "VcpuLimitExceeded")
_CAPACITY = ("InsufficientInstanceCapacity", "UnfulfillableCapacity", "Unsupported", "InsufficientCapacity")
_ADDRESSES = ("InsufficientFreeAddressesInSubnet",)
_BUSY = ("MaxFleetCountExceeded", "RequestLimitExceeded")
_NOT_YET = ("InvalidLaunchTemplateName.NotFoundException", "InvalidLaunchTemplateId.NotFound")
"""A template that was made a moment ago may not be seen everywhere yet."""
_SERVICE_ROLE = ("AuthFailure.ServiceLinkedRoleCreationNotPermitted", "ServiceLinkedRoleCreationNotPermitted")
_DENIED = ("UnauthorizedOperation", "AccessDenied", "AccessDeniedException")


def action_for(error: PdfbatchError) -> Action:
    code = error.code
    if code in _CAPACITY + _ADDRESSES:
        return "elsewhere"
    return "later" if code in _BUSY + _NOT_YET else "stop"


def explained(error: PdfbatchError, plan: Plan, decoded: str = "") -> PdfbatchError:
    """The error as a person should read it; one that needs no more words stays as it is. `decoded`: what AWS says of an
    encoded refusal."""
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
            f"AWS has no {' or '.join(plan.instance_types)} on Spot in any of the zones now ({code}).",
            "Launch again later, add a type with --instance-type, or choose another region with AWS_DEFAULT_REGION.",
        )
    if code in _ADDRESSES:
        return NotReady(
            "None of the subnets has a free address left.", "Name other subnets with --subnet, or end what uses these."
        )
    if code in _BUSY:
        return PdfbatchError(
            f"AWS takes no more requests for fleets now ({code}: {said}).",
            "Launch again in a few minutes; `pdfbatch ls` shows the fleets there are.",
        )
    if code in _SERVICE_ROLE:
        return NotReady(
            "The service-linked roles for Spot are missing, and these credentials may not make them.",
            "Somebody who may: aws iam create-service-linked-role --aws-service-name spot.amazonaws.com; aws iam "
            "create-service-linked-role --aws-service-name ec2fleet.amazonaws.com",
        )
    if code in _DENIED:
        why = f" ({decoded})" if decoded else ""
        return NotReady(
            f"{error.message.rstrip('.')}{why}.",
            "Give your user the policy that `pdfbatch doctor --policy` prints, or choose others with AWS_PROFILE.",
        )
    return _wrong_setting(error, code, said)


def _wrong_setting(error: PdfbatchError, code: str, said: str) -> PdfbatchError:
    """Configuration that AWS refuses is never tried again."""
    if code.startswith("InvalidAMIID"):
        return UsageError(f"AWS does not accept the machine image: {said}.", "Give --ami an image of this region.")
    if code.startswith("InvalidKeyPair"):
        return UsageError(f"AWS does not know the key pair: {said}.", "Give --key-name one of this region.")
    if "instance profile" in said.lower():
        return NotReady(f"AWS does not accept the instance profile: {said}.", "Run `pdfbatch setup`.")
    if code.startswith("InvalidSubnet") or "subnet" in said.lower():
        return NotReady(f"AWS does not accept the subnets: {said}.", "Name others with --subnet.")
    if code.startswith(("InvalidLaunchTemplate", "InvalidParameter", "InvalidFleet", "Invalid")):
        return PdfbatchError(
            f"AWS does not accept the fleet's settings ({code}: {said}).",
            "`pdfbatch launch … --dry-run --json` shows them; `pdfbatch doctor` checks the account.",
        )
    return error
