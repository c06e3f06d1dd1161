"""Choose between two readings of a page, the second by a model. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pdfbatch.documents.page_read import PageRead
from pdfbatch.records import PageResult

NOT_BETTER = "fallback_no_better"
"""The flag of a page whose second reading was not better."""
SURE = 0.9
"""From this score on a model's reading is believed, where triage asked for it."""


def is_better(page: PageResult, other: PageResult) -> bool:
    """Whether the second reading, `other`, is to be kept: its score is higher, or triage expected it to be better and
    it ended well."""
    if other.reason is not None or not other.elements:
        return False
    if page.reason is not None or other.score > page.score:
        return True
    return page.triage is not None and page.triage.to_model and other.score >= SURE


def marked(read: PageRead, update: Mapping[str, Any] = {}) -> PageRead:  # never changed
    """Returns the first reading with the flag that the second was not better; `update`: what the second cost."""
    return read._replace(page=read.page.model_copy(update={"flags": [*read.page.flags, NOT_BETTER], **update}))
