"""What everything that pdfbatch makes in an account is called, and the tags it carries. Pure."""

import hashlib
import re
from typing import NamedTuple

from pdfbatch.errors import UsageError

DEFAULT_STACK = "pdfbatch"
TAG_STACK = "pdfbatch:stack"
TAG_RUN = "pdfbatch:run"
TAG_WORKER = "pdfbatch:worker"
TAG_OUTPUT = "pdfbatch:output"
"""A digest of OUTPUT's URL."""
TAG_BOOTS = "pdfbatch:boots-in-vain"
"""On a fleet: how many of its instances ended before the worker began. The only tag a worker may set."""
TAG_PLACE = "pdfbatch:place"
"""That URL for people, as far as a tag may hold it."""


class Names(NamedTuple):
    """The names that one CloudFormation stack gives; a second stack beside it shares nothing with it."""

    stack: str = DEFAULT_STACK

    @classmethod
    def checked(cls, stack: str) -> "Names":
        """
        Raises:
            UsageError: the name does not suit everything that is named after it; ECR is the strictest.
        """
        if not re.fullmatch(r"[a-z][a-z0-9-]{1,40}", stack) or stack.endswith("-") or "--" in stack:
            raise UsageError(
                f"{stack!r} cannot be a stack's name.", "Use small letters, digits and single hyphens, 2 to 41 in all."
            )
        return cls(stack)

    def role(self, region: str) -> str:
        """Of the instance role, and of its profile. IAM's names are the whole account's, so the region is in it."""
        return f"{self.stack}-{region}-worker"

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
        """Budgets' names are the whole account's too."""
        return f"{self.stack}-{region}"

    def topic_arn(self, region: str, account: str) -> str:
        return f"arn:{partition(region)}:sns:{region}:{account}:{self.topic}"

    def template(self, run: str, worker: int) -> str:
        """Of a worker's launch template."""
        return f"{self.stack}-{run}-{worker}"


def partition(region: str) -> str:
    """The first word of the ARNs in a region after `arn`. Source: AWS general reference, "ARN format"."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def place_tag(url: str) -> str:
    """A URL as a tag's value may hold it: `_` for other characters, and cut. Source: EC2 guide, tag restrictions."""
    return re.sub(r"[^\w \-+=.:/@]", "_", url)[:256]


def output_digest(url: str) -> str:
    """What `TAG_OUTPUT` holds: a tag's value may not hold every character that a key of S3 may."""
    return hashlib.sha256(url.encode()).hexdigest()[:32]


def log_stream(run: str, worker: int, instance: str = "") -> str:
    """The log stream of one machine; without an instance the prefix of all machines of a worker."""
    return f"{run}/worker-{worker}/{instance}"
