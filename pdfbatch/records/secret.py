"""The secret that holds the passwords of encrypted documents for a fleet: its ARN only, never the passwords."""

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
    """For a parameter it always starts with "/": an ARN does not show whether the name itself does."""

    @classmethod
    def read(cls, arn: str) -> Secret:
        """Parses an ARN.

        Raises:
            UsageError: not the ARN of either, or an incomplete one.
        """
        found = _ARN.fullmatch(arn)
        if found is None:
            what = repr(arn) if arn.startswith("arn:") else "The value"  # it may be the secret itself
            raise UsageError(
                f"{what} is not the ARN of a Secrets Manager secret or an SSM parameter.",
                "Give arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-XXXXXX, including the six characters that AWS "
                "adds, or arn:aws:ssm:REGION:ACCOUNT:parameter/NAME .",
            )
        service: Literal["secretsmanager", "ssm"] = "secretsmanager" if found["manager"] else "ssm"
        return cls(arn, service, found["region"], found["secret"] or found["parameter"])
