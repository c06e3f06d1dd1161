"""Explains SageMaker's errors about a launch to the user. Pure.

Source: API reference, CreateProcessingJob, "Errors"; messages as users report them.
"""

from __future__ import annotations

import re

from pdfbatch.errors import NotReady, PdfbatchError, UsageError
from pdfbatch.fleet import pricing
from pdfbatch.fleet.values import Plan

_NUMBER = re.compile(r"'(?P<name>ml\.\S+ for processing job usage)' is (?P<limit>\d+)")


def explained(error: PdfbatchError, plan: Plan) -> PdfbatchError:
    """Rewrites an error about a job; one that needs no explanation stays as it is."""
    said = error.said or error.message.rstrip(".")
    low = said.lower()
    if error.code == "ResourceLimitExceeded":
        return _limit(said, plan)
    if error.code == "ResourceInUse":
        return PdfbatchError(
            f"There is a SageMaker job of this name already, and it is of another run: {said}.",
            "Launch again: a new run has a new name. If it recurs, choose another --stack.",
        )
    if error.code in ("AccessDeniedException", "AccessDenied"):
        return NotReady(
            f"{error.message.rstrip('.')}.",
            "Grant your user the policy that `pdfbatch doctor --policy --on sagemaker` prints, "
            "or choose another with AWS_PROFILE.",
        )
    if "assume role" in low or ("role" in low and "trust" in low):
        return NotReady(
            f"SageMaker may not use the role {plan.account.profile}: {said}.",
            "Run `pdfbatch setup --sagemaker`, wait a minute, and launch again: a new role is not known at once.",
        )
    if "image" in low or "ecr" in low:
        return NotReady(
            f"SageMaker cannot use the image {plan.account.image}: {said}.",
            "It must be in ECR, in this region: push it with `make image push`, or name it with --image.",
        )
    if "subnet" in low or "security group" in low or "vpc" in low:
        return UsageError(f"SageMaker does not accept the network: {said}.", "Correct --subnet and --security-group.")
    if "kms" in low or ("key" in low and "volume" in low):
        return UsageError(f"SageMaker does not accept the key: {said}.", "Correct --ebs-key or --output-key.")
    if error.code.startswith("Validation"):
        return PdfbatchError(
            f"SageMaker does not accept the job: {said}.",
            "`pdfbatch launch … --on sagemaker --dry-run --json` shows the plan; `pdfbatch doctor --on sagemaker` "
            "checks the account.",
        )
    return error


def _limit(said: str, plan: Plan) -> NotReady:
    quota = plan.account.quota
    found = _NUMBER.search(said)
    name = found["name"] if found else quota.name
    limit = found["limit"] if found else ("unknown" if quota.limit is None else f"{quota.limit:g}")
    return NotReady(
        f"The quota {name!r} is used up: {limit} instances allowed, {plan.workers} needed. New accounts have 0.",
        pricing.quota_request(quota.code, quota.used + plan.workers, plan.account.region, quota.service),
    )
