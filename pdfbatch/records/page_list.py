"""A list of pages to read again, as `view` writes it and `retry-failures` takes it: `key<TAB>pages`, a document per
line."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pdfbatch.records.page_set import PageSet

_COMMENT = "#"
_QUOTE = '"'


def page_list(pages: Mapping[str, str], comment: str) -> str:
    """Returns the list as text, ordered by key, under a comment. A key that would break its line is quoted as JSON."""
    lines = [f"{_written(key)}\t{pages[key]}" for key in sorted(pages)]
    return "\n".join([f"{_COMMENT} {comment}", *lines]) + "\n"


def read_page_list(text: str) -> dict[str, str]:
    """Parses a list. A line without pages stands for all pages of its document; two lines for one document are joined.

    Raises:
        ValueError: a line is not `key<TAB>pages`; the message names it.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        line = line.removesuffix("\r")
        if not line.strip() or line.startswith(_COMMENT):
            continue
        written, _, pages = line.rpartition("\t") if "\t" in line else (line, "", "")
        try:
            key, wanted = _read(written), str(PageSet.read(pages))
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
        joined = f"{found[key]},{wanted}" if found.get(key) and wanted else ""
        found[key] = str(PageSet.read(joined)) if key in found else wanted
    return found


def _written(key: str) -> str:
    is_plain = key.isprintable() and not key.startswith((_COMMENT, _QUOTE)) and key == key.strip()
    return key if is_plain else json.dumps(key)


def _read(written: str) -> str:
    if not written.startswith(_QUOTE):
        return written
    key = json.loads(written)
    if not isinstance(key, str):
        raise ValueError(f"{written} is not a key")
    return key
