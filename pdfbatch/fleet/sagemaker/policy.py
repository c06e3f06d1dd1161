"""The permissions for SageMaker Processing: the jobs' own, and what a person needs to launch them. Pure.

Source: SageMaker guide, "How to use SageMaker AI execution roles", its section on CreateProcessingJob; service
authorization reference of SageMaker.
"""

from __future__ import annotations

from pdfbatch.fleet.names import Names, partition
from pdfbatch.fleet.policies import Policy, Statement
from pdfbatch.fleet.sagemaker.jobs import LOG_GROUP

_OF_EC2 = {"EndFleet", "EndMachine", "FindFleet", "CountBoots", "WriteLogs", "WorkInPool"}
"""What an instance of EC2 may do, and a host of SageMaker need not."""

_LAUNCHES_ON_EC2 = {
    *("MakeTemplate", "MakeFleet", "UseTemplate", "FleetInstances", "MakeMachines", "TagWhatIsMade", "EndWhatIsMade"),
    *("RunInstances", "Pools", "GiveRole", "MakeServiceRoles"),
}


def job_policy(worker: Policy, region: str, account: str) -> Policy:
    """Builds the policy of the jobs' role from that of workers on EC2: the same places, keys, secrets and sinks; logs,
    metrics and network interfaces as SageMaker needs them."""
    logs = f"arn:{partition(region)}:logs:{region}:{account}:log-group:/aws/sagemaker/"
    interfaces = [
        *("ec2:CreateNetworkInterface", "ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface"),
        *("ec2:DeleteNetworkInterfacePermission", "ec2:DescribeDhcpOptions", "ec2:DescribeNetworkInterfaces"),
        *("ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"),
    ]
    writing = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    metrics = {"StringEquals": {"cloudwatch:namespace": ["/aws/sagemaker/ProcessingJobs"]}}
    own = [
        _allow("WriteJobLogs", writing, f"{logs}*"),
        {**_allow("PutMetrics", ["cloudwatch:PutMetricData"], "*"), "Condition": metrics},
        _allow("JoinNetwork", interfaces, "*"),
    ]
    shared = [statement for statement in worker["Statement"] if statement["Sid"] not in _OF_EC2]
    return {**worker, "Statement": [*shared, *own]}


def trust() -> Policy:
    """Builds the trust policy of the jobs' role."""
    principal = {"Service": "sagemaker.amazonaws.com"}
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}],
    }


def launcher_statements(region: str, account: str, names: Names) -> list[Statement]:
    """Builds what a person needs to launch, see and stop the stack's jobs, beside the policy for EC2."""
    arn = f"arn:{partition(region)}"
    role = f"{arn}:iam::{account}:role/{names.processing_role(region)}"
    job = f"{arn}:sagemaker:{region}:{account}:processing-job/{names.processing_jobs}*"
    passed = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    logs = f"{arn}:logs:{region}:{account}:log-group:{LOG_GROUP}"
    running = [
        "sagemaker:AddTags",
        "sagemaker:CreateProcessingJob",
        "sagemaker:ListTags",
        "sagemaker:StopProcessingJob",
    ]
    looking = [
        *(
            "sagemaker:DescribeProcessingJob",
            "sagemaker:ListProcessingJobs",
            "servicequotas:ListAWSDefaultServiceQuotas",
        ),
        "servicequotas:ListServiceQuotas",
    ]
    return [
        _allow("RunJobs", running, job),
        _allow("SeeJobs", looking, "*"),
        {**_allow("GiveJobRole", ["iam:PassRole"], role), "Condition": passed},
        _allow("SeeJobRole", ["iam:GetRole"], role),
        _allow("ReadJobLogs", ["logs:FilterLogEvents"], [logs, f"{logs}:*"]),
    ]


def launcher_policy(of_fleets: Policy, region: str, account: str, names: Names) -> Policy:
    """Builds the policy of a person who launches on SageMaker only, from that for EC2 Fleets."""
    shared = [each for each in of_fleets["Statement"] if each["Sid"] not in _LAUNCHES_ON_EC2]
    return {**of_fleets, "Statement": [*shared, *launcher_statements(region, account, names)]}


def _allow(sid: str, actions: list[str], resources: str | list[str]) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
