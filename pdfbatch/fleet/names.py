"""The names and tags of everything that pdfbatch creates in an account. Pure."""

import hashlib
import re
from typing import Any, NamedTuple

from pdfbatch.errors import UsageError

DEFAULT_STACK = "pdfbatch"
TAG_STACK = "pdfbatch:stack"
TAG_RUN = "pdfbatch:run"
TAG_WORKER = "pdfbatch:worker"
TAG_OUTPUT = "pdfbatch:output"
"""A digest of OUTPUT's URL."""
TAG_BOOTS = "pdfbatch:boots-in-vain"
"""On a fleet: how many of its instances ended before the worker started. The only tag that a worker may set."""
TAG_WATCHES = "pdfbatch:watches"
"""On a pool's queue: the bucket whose notifications it gets."""
DEAD = "_dead"
"""Ends the name of a dead-letter queue."""
TAG_PLACE = "pdfbatch:place"
"""OUTPUT's URL in readable form, as far as a tag can hold it."""


class Names(NamedTuple):
    """The names derived from one CloudFormation stack; two stacks share nothing."""

    stack: str = DEFAULT_STACK

    @classmethod
    def checked(cls, stack: str) -> "Names":
        """Checks a stack's name.

        Raises:
            UsageError: the name is not valid for everything named after it; ECR is the strictest.
        """
        if not re.fullmatch(r"[a-z][a-z0-9-]{1,40}", stack) or stack.endswith("-") or "--" in stack:
            raise UsageError(
                f"{stack!r} is not a valid stack name.",
                "Use lowercase letters, digits and single hyphens, 2 to 41 characters.",
            )
        return cls(stack)

    def role(self, region: str) -> str:
        """Names the instance role and its profile. IAM names are per account, so the region is part of it. Source: IAM
        guide, "IAM and AWS STS quotas": 64 characters, so after the longest stack and region are 8 left."""
        return f"{self.stack}-{region}-worker"

    @property
    def option(self) -> str:
        """What a command that is shown to the user needs for this stack, after a space; "" for the default one."""
        return "" if self.stack == DEFAULT_STACK else f" --stack {self.stack}"

    @property
    def tags(self) -> list[Any]:
        """The tags of what `setup` makes, as CloudFormation has them."""
        return [{"Key": TAG_STACK, "Value": self.stack}]

    @property
    def security_group(self) -> str:
        return f"{self.stack}-worker"

    @property
    def log_group(self) -> str:
        return f"/aws/ec2/pdf-workers/{self.stack}"

    @property
    def topic(self) -> str:
        return self.stack

    @property
    def repository(self) -> str:
        return self.stack

    def budget(self, region: str) -> str:
        """Names the budget. Budget names are per account too."""
        return f"{self.stack}-{region}"

    def topic_arn(self, region: str, account: str) -> str:
        return f"arn:{partition(region)}:sns:{region}:{account}:{self.topic}"

    @property
    def queues(self) -> str:
        """The beginning of the names of the stack's queues. No stack's name has an underscore."""
        return f"{self.stack}_"

    def queue(self, run: str) -> str:
        """Names a pool's queue. Source: SQS guide, "Message quotas": 80 letters, digits, hyphens and underscores."""
        return self.queues + run.replace(".", "-")

    @property
    def job_queue(self) -> str:
        """Names the queue of AWS Batch, its compute environment and its launch template."""
        return self.stack

    def job(self, run: str) -> str:
        """Names a run's job in AWS Batch, and its definition. Source: botocore's service model (SubmitJob): letters,
        digits, hyphens and underscores."""
        return f"{self.stack}_{run.replace('.', '-')}"

    def job_role(self, region: str) -> str:
        """Names the role of workers that AWS Batch runs."""
        return f"{self.stack}-{region}-job"

    def host_role(self, region: str) -> str:
        """Names the role and the profile of the instances that AWS Batch launches."""
        return f"{self.stack}-{region}-host"

    @property
    def processing_jobs(self) -> str:
        """The beginning of the names of the stack's SageMaker jobs. Source: botocore's model of CreateProcessingJob: 63
        letters, digits and hyphens, of which a run's ID takes 25."""
        return f"{self.stack[:37].rstrip('-')}-"

    def processing_job(self, run: str) -> str:
        return self.processing_jobs + run.replace(".", "-")

    def processing_role(self, region: str) -> str:
        """Names the role of SageMaker jobs; a role's name has 64 characters at most."""
        return f"{self.stack}-{region}-ml-jobs"

    @property
    def schedule_group(self) -> str:
        """Names the group of the stack's schedules. Source: botocore's model of `scheduler`: 64 characters."""
        return self.stack

    def schedule_role(self, region: str) -> str:
        """Names the role with which EventBridge Scheduler starts jobs."""
        return f"{self.stack}-{region}-cron"

    @property
    def schedule_dead_letters(self) -> str:
        """Names the queue of calls that EventBridge Scheduler could not make."""
        return f"{self.stack}-schedules-dead"

    def template(self, run: str, worker: int) -> str:
        """Names a worker's launch template."""
        return f"{self.stack}-{run}-{worker}"


def partition(region: str) -> str:
    """Returns the partition in a region's ARNs, as `aws`. Source: AWS general reference, "ARN format"."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def place_tag(url: str) -> str:
    """Makes a URL a valid tag value: `_` for other characters, truncated. Source: EC2 guide, tag restrictions."""
    return re.sub(r"[^\w \-+=.:/@]", "_", url)[:256]


def output_digest(url: str) -> str:
    """Computes the value of `TAG_OUTPUT`: S3 keys may contain characters that tag values may not."""
    return hashlib.sha256(url.encode()).hexdigest()[:32]


def log_stream(run: str, worker: int, instance: str = "") -> str:
    """Names an instance's log stream; without an instance, the prefix of all of a worker's streams."""
    return f"{run}/worker-{worker}/{instance}"
