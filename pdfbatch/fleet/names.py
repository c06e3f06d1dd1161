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

    @property
    def role(self) -> str:
        """Of the instance role, and of its profile."""
        return f"{self.stack}-worker"

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

    @property
    def budget(self) -> str:
        return self.stack

    def topic_arn(self, region: str, account: str) -> str:
        return f"arn:aws:sns:{region}:{account}:{self.topic}"

    def template(self, run: str, worker: int) -> str:
        """Of a worker's launch template."""
        return f"{self.stack}-{run}-{worker}"


def place_tag(url: str) -> str:
    """A URL as a tag's value may hold it: `_` for other characters, and cut. Source: EC2 guide, tag restrictions."""
    return re.sub(r"[^\w \-+=.:/@]", "_", url)[:256]


def output_digest(url: str) -> str:
    """What `TAG_OUTPUT` holds: a tag's value may not hold every character that a key of S3 may."""
    return hashlib.sha256(url.encode()).hexdigest()[:32]


def log_stream(run: str, worker: int, instance: str = "") -> str:
    """The log stream of one machine; without an instance the prefix of all machines of a worker."""
    return f"{run}/worker-{worker}/{instance}"
