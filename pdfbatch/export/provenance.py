"""Where a document's text comes from: the same fields in every format."""

from __future__ import annotations

from typing import Any

from pdfbatch.export.content import Content, storable


def provenance(content: Content) -> dict[str, Any]:
    """Returns what the ledger, the manifest and the elements say of a document. None is unknown."""
    outcome, facts = content.outcome, content.facts
    pages = {page.number: page for page in facts.pages} if facts else {}
    numbers = [page.number for page in content.pages]
    model, revision = content.model
    return {
        "key": content.key,
        "outcome": str(outcome.outcome),
        "reason": str(outcome.reason) if outcome.reason else None,
        "sha256": content.sha256,
        "etag": storable(outcome.etag),
        "digest": storable(outcome.digest) or None,
        "size": outcome.size,
        "attempt": outcome.attempt,
        "same_as": storable(outcome.same_as) or None,
        "pages": outcome.pages,
        "page_numbers": numbers,
        "unread_pages": content.unread,
        "page_engines": [storable(pages[number].read_by) if number in pages else None for number in numbers],
        "page_reasons": [str(page.reason) if page.reason else None for page in content.pages],
        "page_scores": [pages[number].score if number in pages else None for number in numbers],
        "model": model or None,
        "model_revision": revision or None,
        "pdfbatch_version": storable(content.run.version) or None,
        "seconds": outcome.seconds,
        "dollars": content.dollars,
    }
