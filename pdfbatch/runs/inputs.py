"""What lies in an input, the odd things included: folders that may not be read, PDFs without a name, twins."""

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import NamedTuple

from pdfbatch.records import STATE_PREFIX, output_key
from pdfbatch.store import Entry, Store

LOCKED_ETAG = "locked"
LOCKED_KEY = "*.pdf"
"""Stands in the manifest for the PDFs of a folder that may not be read: to fetch it fails and says why."""


class Listed(NamedTuple):
    """`locked` folders end with "/" and stand among the `entries` as one document each."""

    entries: Sequence[Entry]
    locked: Sequence[str]


def listed(source: Store) -> Listed:
    """Everything in the input; what may not be read is named instead of ending the run."""
    locked: list[str] = []
    entries = list(source.list(locked=locked.append))
    locked.sort()
    return Listed([*entries, *(Entry(folder + LOCKED_KEY, 0, LOCKED_ETAG) for folder in locked)], locked)


def nameless(keys: Iterable[str]) -> list[str]:
    """Files that are called `.pdf` and nothing else: no Markdown could be named after them."""
    return sorted(key for key in keys if key.rpartition("/")[2].lower() == ".pdf" and not key.startswith(STATE_PREFIX))


def twins_of(keys: Iterable[str], owners: Set[str] = frozenset()) -> Mapping[str, str]:
    """Of inputs whose Markdown would have one name (`b.pdf`, `b.PDF`): all but one, each with that one, which is
    converted: an owner (whose Markdown is there already), else the one that ends in `.pdf`, else the first."""
    named: dict[str, list[str]] = {}
    for key in keys:
        named.setdefault(output_key(key), []).append(key)
    return {
        twin: chosen
        for same in named.values()
        if len(same) > 1 and (chosen := min(same, key=lambda key: (key not in owners, not key.endswith(".pdf"), key)))
        for twin in same
        if twin != chosen
    }
