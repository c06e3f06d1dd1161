"""Where a fleet's instances find the passwords of encrypted documents: named by an ARN, never the passwords."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from pdfbatch.errors import UsageError

_ARN = re.compile(
    r"arn:aws[a-z-]*:(?:(?P<manager>secretsmanager)|ssm):(?P<region>[a-z0-9-]+):\d{12}:"
    r"(?(manager)secret:(?P<secret>[\w/+=.@-]+-[A-Za-z0-9]{6})|parameter(?P<parameter>/[\w/.-]+))"
)


class Secret(NamedTuple):
    """A Secrets Manager secret or a Systems Manager parameter."""

    arn: str
    service: Literal["secretsmanager", "ssm"]
    region: str
    name: str
    """Of a parameter; it may begin with a "/" that its ARN does not tell from the one before every name."""

    @classmethod
    def read(cls, arn: str) -> Secret:
        """
        Raises:
            UsageError: not the ARN of either, or not a whole one.
        """
        found = _ARN.fullmatch(arn)
        if found is None:
            raise UsageError(
                f"{arn!r} is not the ARN of a Secrets Manager secret or an SSM parameter.",
                "Give arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-XXXXXX, with AWS's six letters, or "
                "arn:aws:ssm:REGION:ACCOUNT:parameter/NAME .",
            )
        service: Literal["secretsmanager", "ssm"] = "secretsmanager" if found["manager"] else "ssm"
        return cls(arn, service, found["region"], found["secret"] or found["parameter"])
