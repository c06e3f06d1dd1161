"""Every error that ends a command, with its exit code and a hint.

    PdfbatchError            1  the operation failed
    ├── UsageError           2  the request is invalid
    ├── NotReady             4  the account or machine lacks something
    └── StoreError           1  a store operation failed
        ├── NotFound            no such object, bucket or folder
        ├── AccessDenied        the credentials do not allow this
        ├── PreconditionFailed  a conditional write lost: another writer was first
        └── StoreFull           no space left

A document that cannot be converted is not an error: it is an `Outcome` (records.py).
"""

from collections.abc import Iterable
from difflib import get_close_matches
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the commands; stable once released."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    SOME_DOCUMENTS_FAILED = 3
    NOT_READY = 4
    INTERRUPTED = 130


ENDED_EARLY = 5
"""Exit code of a worker that AWS Batch runs, and whose slice has ended for good before it was done."""


class PdfbatchError(Exception):
    """An error for a person: `message` says what is wrong, `hint` what to do next, in one line each."""

    exit_code = ExitCode.FAILED
    code = ""
    """AWS's error code, such as `NoSuchBucket`; "" if the error is not from AWS."""
    said = ""
    """AWS's own message, without its full stop."""
    broke_off = False
    """Whether a response body broke off in the middle: botocore does not retry those."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> "tuple[type[PdfbatchError], tuple[str, str]]":
        """So that it can be raised in another process."""
        return type(self), (self.message, self.hint)


class UsageError(PdfbatchError):
    exit_code = ExitCode.USAGE


class NotReady(PdfbatchError):
    exit_code = ExitCode.NOT_READY


class StoreError(PdfbatchError):
    pass


class NotFound(StoreError):
    pass


class AccessDenied(StoreError):
    pass


class PreconditionFailed(StoreError):
    pass


class StoreFull(StoreError):
    pass


def did_you_mean(typed: str, there_is: Iterable[str]) -> str:
    """Returns a question with the nearest of the words that exist; "" if none is near."""
    close = get_close_matches(typed, list(there_is), n=1)
    return f"Did you mean {close[0]!r}?" if close else ""
