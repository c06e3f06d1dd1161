"""The base class of all records, and the reasons why a page or document was not read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Reason(StrEnum):
    """Why a page or document could not be read; stable strings, see `RETRYABLE`."""

    EMPTY_FILE = "empty_file"
    NOT_A_PDF = "not_a_pdf"
    CORRUPT = "corrupt"
    ENCRYPTED = "encrypted"
    NO_PAGES = "no_pages"
    TOO_LARGE = "too_large"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    OUT_OF_MEMORY = "out_of_memory"
    NEEDS_OCR = "needs_ocr"
    ENGINE_ERROR = "engine_error"
    REPETITION = "repetition"
    MISSING = "missing"
    STORE_ERROR = "store_error"
    NAME_CLASH = "name_clash"
    BAD_NAME = "bad_name"
    XFA_FORM = "xfa_form"
    NO_SUCH_PAGE = "no_such_page"
    ABANDONED = "abandoned"
    COMMAND_FAILED = "command_failed"
    PROCESSOR_FAILED = "processor_failed"

    @property
    def retryable(self) -> bool:
        """Whether another try with the same file may succeed (on another machine, with another engine, or later)."""
        return self in RETRYABLE

    @property
    def is_hopeless(self) -> bool:
        """Whether the same file will fail again on any machine and with any engine."""
        return self in HOPELESS

    @property
    def is_environmental(self) -> bool:
        """Whether the machine, the engine or the store is at fault rather than the file."""
        return self in ENVIRONMENTAL


RETRYABLE = frozenset(
    {
        Reason.TIMEOUT,
        Reason.CRASHED,
        Reason.OUT_OF_MEMORY,
        Reason.NEEDS_OCR,
        Reason.ENGINE_ERROR,
        Reason.REPETITION,
        Reason.STORE_ERROR,
        Reason.ABANDONED,
        Reason.COMMAND_FAILED,
        Reason.PROCESSOR_FAILED,
    }
)

HOPELESS = frozenset(
    {
        Reason.EMPTY_FILE,
        Reason.NOT_A_PDF,
        Reason.ENCRYPTED,
        Reason.NO_PAGES,
        Reason.NAME_CLASH,
        Reason.BAD_NAME,
        Reason.XFA_FORM,
    }
)

ENVIRONMENTAL = frozenset(
    {Reason.ENGINE_ERROR, Reason.STORE_ERROR, Reason.OUT_OF_MEMORY, Reason.CRASHED, Reason.COMMAND_FAILED}
)


def main_reason(reasons: Sequence[Reason]) -> Reason:
    """Returns the most common reason; of a tie, the first."""
    return Counter(reasons).most_common(1)[0][0]


class Record(BaseModel):
    """Base of everything written to a store: frozen; unknown fields of newer versions are ignored on reading."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="null")
