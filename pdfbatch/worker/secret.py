"""The passwords of encrypted documents, read on a fleet's instance by its role. Kept in memory alone."""

from __future__ import annotations

from pdfbatch import aws
from pdfbatch.documents.sandbox.passwords import Passwords
from pdfbatch.errors import NotReady, PdfbatchError
from pdfbatch.records import Secret


def read_secret(arn: str) -> Passwords:
    """
    Raises:
        NotReady: it cannot be read, or holds none.
    """
    secret = Secret.read(arn)
    try:
        text = _parameter(secret) if secret.service == "ssm" else _managed(secret)
    except PdfbatchError as error:
        raise NotReady(
            f"The passwords in {arn} cannot be read: {error.message.rstrip('.')}.",
            f"Let the role read it: pdfbatch setup --password-secret {arn}",
        ) from None  # whatever AWS said beyond that is not repeated
    found = Passwords.read(text)
    if not found:
        raise NotReady(f"The secret {arn} holds no passwords.", "Put them in as text, one a line.")
    return found


def _managed(secret: Secret) -> str:
    with aws.translating(f"read the secret {secret.arn}"):
        told = aws.client("secretsmanager", region=secret.region).get_secret_value(SecretId=secret.arn)
    return told.get("SecretString") or told.get("SecretBinary", b"").decode("utf-8", "replace")


def _parameter(secret: Secret) -> str:
    """By its ARN, because only that tells `/name` from `name`."""
    with aws.translating(f"read the parameter {secret.arn}"):
        told = aws.client("ssm", region=secret.region).get_parameter(Name=secret.arn, WithDecryption=True)
    return str(told["Parameter"]["Value"])
