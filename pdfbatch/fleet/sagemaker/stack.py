"""What `setup --sagemaker` adds to the stack: the jobs' role, and an email when a job fails or is stopped. Pure."""

from __future__ import annotations

from typing import Any

from pdfbatch.fleet.names import Names
from pdfbatch.fleet.policies import Policy
from pdfbatch.fleet.sagemaker.policy import job_policy, trust
from pdfbatch.fleet.topic import mail_rule


def processing_resources(
    names: Names, region: str, account: str, worker: Policy, *, has_people: bool
) -> dict[str, dict[str, Any]]:
    """Returns the resources by logical name; `worker` is the policy of workers on EC2, `has_people`: somebody gets
    emails."""
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": names.processing_role(region),
            "Description": "pdfbatch: the hosts of SageMaker Processing jobs.",
            "AssumeRolePolicyDocument": trust(),
            "Policies": [{"PolicyName": "worker", "PolicyDocument": job_policy(worker, region, account)}],
            "Tags": names.tags,
        },
    }
    return {"ProcessingRole": role, **({"ProcessingRule": _rule(names)} if has_people else {})}


def _rule(names: Names) -> dict[str, Any]:
    """Builds the rule that reports what hosts cannot: a job that failed, or was stopped at its time limit.

    Source: SageMaker guide, "Events that SageMaker AI sends to Amazon EventBridge".
    """
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Processing Job State Change"],
        "detail": {
            "ProcessingJobStatus": ["Failed", "Stopped"],
            "ProcessingJobName": [{"prefix": names.processing_jobs}],
        },
    }
    return mail_rule(
        names,
        "SageMaker jobs that failed or were stopped",
        pattern,
        {"job": "$.detail.ProcessingJobName", "status": "$.detail.ProcessingJobStatus"},
        "SageMaker job <job>: <status>. See it with `pdfbatch ls` and `pdfbatch status OUTPUT`.",
    )
