"""Reads the passwords of encrypted documents on a fleet's instance, with its role. They are kept in memory only."""

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
    secret = Secret.read(arn)
    try:
        text = secret_text(secret)
    except PdfbatchError as error:
        raise NotReady(
            f"The passwords in {arn} cannot be read: {error.message.rstrip('.')}.",
            f"Allow the role to read it: pdfbatch setup --password-secret {arn}",
        ) from None  # the rest of AWS's response must not be shown
    found = Passwords.read(text)
    if not found:
        raise NotReady(f"The secret {arn} contains no passwords.", "Store them as text, one per line.")
    return found
