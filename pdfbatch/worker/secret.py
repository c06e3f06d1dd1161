"""Reads secrets on a fleet's instance, with its role: passwords of encrypted documents, the key of an endpoint. They
are kept in memory only."""

from __future__ import annotations

from pdfbatch.documents.sandbox.passwords import Passwords
from pdfbatch.errors import NotReady, PdfbatchError
from pdfbatch.records import Secret
from pdfbatch.secret_text import secret_text


def read_secret(arn: str) -> Passwords:
    """Reads the passwords from a secret.

    Raises:
        NotReady: the secret cannot be read, or contains no passwords.
    """
    found = Passwords.read(_text(arn, "passwords"))
    if not found:
        raise NotReady(f"The secret {arn} contains no passwords.", "Store them as text, one per line.")
    return found


def read_endpoint_key(arn: str) -> str:
    """Reads the key of an endpoint from a secret.

    Raises:
        NotReady: the secret cannot be read, or is empty.
    """
    found = _text(arn, "key").strip()
    if not found:
        raise NotReady(f"The secret {arn} contains no key.", "Store the endpoint's key as text.")
    return found


def _text(arn: str, what: str) -> str:
    try:
        return secret_text(Secret.read(arn))
    except PdfbatchError as error:
        raise NotReady(
            f"The {what} in {arn} cannot be read: {error.message.rstrip('.')}.",
            f"Allow the role to read it: pdfbatch setup --password-secret {arn}",
        ) from None  # the rest of AWS's response must not be shown
