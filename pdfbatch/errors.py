"""Everything that ends a command, and the exit code and cure that go with it.

    PdfbatchError            1  the operation failed
    ├── UsageError           2  what was asked for makes no sense
    ├── NotReady             4  the account or machine lacks something
    └── StoreError           1  the store did not do what was asked
        ├── NotFound            no such object, bucket or folder
        ├── AccessDenied        the credentials may not do this
        ├── PreconditionFailed  a conditional write lost: somebody was first
        └── StoreFull           no room left, or a read-only file system

A document that cannot be converted is not an error: it is an `Outcome` (records.py).
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the shell sees; stable once released."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    SOME_DOCUMENTS_FAILED = 3
    NOT_READY = 4
    INTERRUPTED = 130


class PdfbatchError(Exception):
    """An error a person can cure: one line that says what is wrong, one that says what to do next."""

    exit_code = ExitCode.FAILED
    code = ""
    """AWS's code for the refusal, as `NoSuchBucket`; "" where the error is not an answer of AWS's."""
    said = ""
    """AWS's own sentence, without its full stop."""
    broke_off = False
    """Whether an answer ended in the middle: botocore does not retry those."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


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
