"""Lists what an output holds besides the state of its runs, for a million documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pdfbatch.records import STATE_PREFIX
from pdfbatch.runs.key_table import KeyTable
from pdfbatch.store import DANGLING, Store


def markdown_of(output: Store) -> Mapping[str, str]:
    """Returns the ETag of each Markdown, by its key."""
    return _etags(output, lambda key: key.endswith(".md"))


def published(output: Store) -> Mapping[str, str]:
    """Returns the ETag of each Markdown and of each document's elements, by its key."""
    return _etags(output, lambda key: key.endswith((".md", ".json")))


def written_to(output: Store) -> Mapping[str, str]:
    """Returns the ETag of each Markdown and each figure, by its key."""
    return _etags(output, lambda key: key.endswith(".md") or "/figures/" in key)


def _etags(output: Store, is_wanted: Callable[[str], bool]) -> Mapping[str, str]:
    entries = (entry for entry in output.list() if not entry.key.startswith(STATE_PREFIX) and is_wanted(entry.key))
    return KeyTable(((entry.key, "", (entry.etag,)) for entry in entries if entry.etag != DANGLING), str)
