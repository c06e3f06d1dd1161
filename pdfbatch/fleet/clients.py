"""One client for each AWS service that the fleet uses, created on first use."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from pdfbatch import aws

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient
    from mypy_boto3_budgets import BudgetsClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_pricing import PricingClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_service_quotas import ServiceQuotasClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_sts import STSClient

ATTEMPTS = 5
"""Few, because a person waits for these calls: about 8 s of retries at most."""


class Clients:
    """All clients of one region ("": the one in boto3's settings), with the credentials that boto3 finds.

    `bucket`: its region is used where boto3's settings name none; `has_own_region` says whether they do.
    """

    def __init__(self, region: str = "", bucket: str = "") -> None:
        self._region = region
        self._bucket = bucket

    @cached_property
    def region(self) -> str:
        return self._region or aws.region(self._bucket)

    @cached_property
    def has_own_region(self) -> bool:
        return bool(self._region or aws.region_set())

    @cached_property
    def account(self) -> str:
        """The account's twelve digits."""
        with aws.translating("ask AWS who you are"):
            return str(self.sts.get_caller_identity()["Account"])

    @cached_property
    def ec2(self) -> EC2Client:
        return aws.client("ec2", ATTEMPTS, self.region)

    @cached_property
    def sts(self) -> STSClient:
        return aws.client("sts", ATTEMPTS, self.region)

    @cached_property
    def ssm(self) -> SSMClient:
        return aws.client("ssm", ATTEMPTS, self.region)

    @cached_property
    def iam(self) -> IAMClient:
        return aws.client("iam", ATTEMPTS, self.region)

    @cached_property
    def ecr(self) -> ECRClient:
        return aws.client("ecr", ATTEMPTS, self.region)

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        return aws.client("logs", ATTEMPTS, self.region)

    @cached_property
    def sns(self) -> SNSClient:
        return aws.client("sns", ATTEMPTS, self.region)

    @cached_property
    def sqs(self) -> SQSClient:
        return aws.client("sqs", ATTEMPTS, self.region)

    @cached_property
    def batch(self) -> BatchClient:
        return aws.client("batch", ATTEMPTS, self.region)

    @cached_property
    def sagemaker(self) -> SageMakerClient:
        return aws.client("sagemaker", ATTEMPTS, self.region)

    @cached_property
    def s3(self) -> S3Client:
        return aws.client("s3", ATTEMPTS, self.region)

    @cached_property
    def scheduler(self) -> EventBridgeSchedulerClient:
        return aws.client("scheduler", ATTEMPTS, self.region)

    @cached_property
    def budgets(self) -> BudgetsClient:
        return aws.client("budgets", ATTEMPTS, self.region)

    @cached_property
    def quotas(self) -> ServiceQuotasClient:
        return aws.client("service-quotas", ATTEMPTS, self.region)

    @cached_property
    def price_list(self) -> PricingClient:
        """Makes one attempt only: a plan works without list prices."""
        return aws.client("pricing", 1, "cn-northwest-1" if self.region.startswith("cn-") else "us-east-1")

    def secrets(self, region: str) -> SecretsManagerClient:
        return aws.client("secretsmanager", ATTEMPTS, region)

    def topics(self, region: str) -> SNSClient:
        return aws.client("sns", ATTEMPTS, region or self.region)

    def buses(self, region: str) -> EventBridgeClient:
        return aws.client("events", ATTEMPTS, region or self.region)

    def parameters(self, region: str) -> SSMClient:
        return aws.client("ssm", ATTEMPTS, region)

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        return aws.client("cloudformation", ATTEMPTS, self.region)
