"""What `setup --batch` adds to the stack: a compute environment of Spot instances, its queue, and roles. Pure.

Nothing of it costs money while no job runs: the environment has no instance then.
"""

from __future__ import annotations

from typing import Any

from pdfbatch.fleet.batch.policy import job_policy
from pdfbatch.fleet.names import TAG_STACK, Names, partition
from pdfbatch.fleet.policies import Policy
from pdfbatch.fleet.pricing import ROOT_MBPS
from pdfbatch.fleet.values import DEFAULT_EBS_KEY

Template = dict[str, Any]
ROOT_DEVICE = "/dev/xvda"
"""Of Amazon's ECS images. Source: ECS guide, "Amazon ECS-optimized Linux AMIs"."""
ROOT_GIB = 100
STUCK_SECONDS = 1800
"""After so long a job that can never start is cancelled; for want of capacity it waits on."""
NEVER_STARTS = ("MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE", "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT")
"""Source: botocore's service model of `batch` (JobDetail, `statusReason`)."""


def batch_resources(
    names: Names,
    region: str,
    worker: Policy,
    *,
    types: tuple[str, ...],
    subnets: tuple[str, ...],
    most_vcpus: int,
    root_gib: int = ROOT_GIB,
) -> dict[str, Template]:
    """Returns the resources by their names in the template. `worker`: the policy of a fleet's workers."""
    tags = {TAG_STACK: names.stack}
    return {
        "JobRole": _role(
            names,
            names.job_role(region),
            "ecs-tasks.amazonaws.com",
            Description="pdfbatch: the workers of a job of AWS Batch.",
            Policies=[{"PolicyName": "worker", "PolicyDocument": job_policy(worker)}],
        ),
        "HostRole": _role(
            names,
            names.host_role(region),
            "ec2.amazonaws.com",
            Description="pdfbatch: the instances that AWS Batch launches.",
            ManagedPolicyArns=[
                f"arn:{partition(region)}:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
            ],
        ),
        "HostProfile": {
            "Type": "AWS::IAM::InstanceProfile",
            "Properties": {"InstanceProfileName": names.host_role(region), "Roles": [{"Ref": "HostRole"}]},
        },
        "HostTemplate": _host_template(names, root_gib),
        "ComputeEnvironment": _environment(names, types, subnets, most_vcpus),
        "JobQueue": {
            "Type": "AWS::Batch::JobQueue",
            "Properties": {
                "JobQueueName": names.job_queue,
                "Priority": 1,
                "State": "ENABLED",
                "ComputeEnvironmentOrder": [{"Order": 1, "ComputeEnvironment": {"Ref": "ComputeEnvironment"}}],
                "JobStateTimeLimitActions": [
                    {"Action": "CANCEL", "MaxTimeSeconds": STUCK_SECONDS, "Reason": reason, "State": "RUNNABLE"}
                    for reason in NEVER_STARTS
                ],
                "Tags": tags,
            },
        },
    }


def _role(names: Names, name: str, service: str, **properties: Any) -> Template:
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": name,
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            **properties,
            "Tags": names.tags,
        },
    }


def _host_template(names: Names, root_gib: int) -> Template:
    """Builds the launch template of the instances: an encrypted disk for image and documents, and no metadata without a
    token. It has no tag of pdfbatch: it belongs to no run."""
    disk = {
        "VolumeSize": root_gib,
        "VolumeType": "gp3",
        "Throughput": ROOT_MBPS,
        "Encrypted": True,
        "KmsKeyId": DEFAULT_EBS_KEY,
        "DeleteOnTermination": True,
    }
    return {
        "Type": "AWS::EC2::LaunchTemplate",
        "Properties": {
            "LaunchTemplateName": f"{names.stack}-batch",
            "LaunchTemplateData": {
                "BlockDeviceMappings": [{"DeviceName": ROOT_DEVICE, "Ebs": disk}],
                "MetadataOptions": {"HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": 2},
            },
        },
    }


def _environment(names: Names, types: tuple[str, ...], subnets: tuple[str, ...], most_vcpus: int) -> Template:
    """Builds the compute environment. It is updated in place, because its name is taken; Batch's own service-linked
    role makes that possible, and is made by Batch."""
    return {
        "Type": "AWS::Batch::ComputeEnvironment",
        "Properties": {
            "ComputeEnvironmentName": names.job_queue,
            "Type": "MANAGED",
            "State": "ENABLED",
            "ReplaceComputeEnvironment": False,
            "UpdatePolicy": {"TerminateJobsOnUpdate": False, "JobExecutionTimeoutMinutes": 60},
            "ComputeResources": {
                "Type": "SPOT",
                "AllocationStrategy": "SPOT_PRICE_CAPACITY_OPTIMIZED",
                "MinvCpus": 0,
                "MaxvCpus": most_vcpus,
                "InstanceTypes": list(types),
                "Subnets": list(subnets),
                "SecurityGroupIds": [{"Fn::GetAtt": ["SecurityGroup", "GroupId"]}],
                "InstanceRole": {"Fn::GetAtt": ["HostProfile", "Arn"]},
                "LaunchTemplate": {
                    "LaunchTemplateId": {"Ref": "HostTemplate"},
                    "Version": {"Fn::GetAtt": ["HostTemplate", "LatestVersionNumber"]},
                },
                "Ec2Configuration": [{"ImageType": "ECS_AL2023"}, {"ImageType": "ECS_AL2023_NVIDIA"}],
                "UpdateToLatestImageVersion": True,
                "Tags": {"Name": f"{names.stack} batch"},
            },
            "Tags": {TAG_STACK: names.stack},
        },
    }
