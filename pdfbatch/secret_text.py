"""Reads a secret's text, with the credentials of the user who runs this. It is kept in memory only."""

from __future__ import annotations

from pdfbatch import aws
from pdfbatch.records import Secret


def secret_text(secret: Secret) -> str:
    """Returns the content of a Secrets Manager secret or a Systems Manager parameter.

    Raises:
        PdfbatchError: it cannot be read; AWS's own words may say more than may be shown.
    """
    return _parameter(secret) if secret.service == "ssm" else _managed(secret)


def _managed(secret: Secret) -> str:
    with aws.translating(f"read the secret {secret.arn}"):
        found = aws.client("secretsmanager", region=secret.region).get_secret_value(SecretId=secret.arn)
    return found.get("SecretString") or found.get("SecretBinary", b"").decode("utf-8", "replace")


def _parameter(secret: Secret) -> str:
    """Reads a parameter by its ARN, which works for both `/name` and `name`."""
    with aws.translating(f"read the parameter {secret.arn}"):
        found = aws.client("ssm", region=secret.region).get_parameter(Name=secret.arn, WithDecryption=True)
    return str(found["Parameter"]["Value"])
