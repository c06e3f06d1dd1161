"""What lies in an input, the odd things included: folders that may not be read, PDFs without a name, twins."""

from collections.abc import Iterable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from typing import NamedTuple

from pdfbatch.records import WILD, Chosen, is_nameless, matcher, output_key
from pdfbatch.store import Entry, Store

LOCKED_ETAG = "locked"
LOCKED_KEY = "*.pdf"
"""Stands in the manifest for the PDFs of a folder that may not be read: to fetch it fails and says why."""
_ASKED_ONE_BY_ONE = 20
"""Of the files named in one folder; for more of them the folder is listed."""
_THREADS = 16


class Listed(NamedTuple):
    """`locked` folders end with "/" and stand among the `entries` as one document each. `absent`: files that were named
    and are not there, and patterns that nothing matches."""

    entries: Sequence[Entry]
    locked: Sequence[str]
    absent: Sequence[str] = ()


def listed(source: Store, chosen: Chosen = Chosen(), known: Iterable[str] = ()) -> Listed:  # noqa: B008  # frozen
    """What is in the input, as far as it was chosen, and of the `known` keys those that are there; what may not be read
    is named instead of ending the run. Looks nowhere else: an input may be a file in a large folder."""
    locked: list[str] = []
    if chosen.is_everything_below:
        found = list(source.list(locked=locked.append))
        absent: list[str] = []
    else:
        by_key = {entry.key: entry for folder in chosen.folders for entry in source.list(folder, locked.append)}
        for pattern in chosen.patterns:
            by_key |= {entry.key: entry for entry in _matching(source, pattern, locked)}
        by_key |= {entry.key: entry for entry in _named(source, {*chosen.files, *known} - by_key.keys())}
        found = list(by_key.values())
        absent = [key for key in chosen.files if key not in by_key] + _matching_nothing(chosen.patterns, by_key)
    places = sorted(set(locked))
    return Listed([*found, *(Entry(folder + LOCKED_KEY, 0, LOCKED_ETAG) for folder in places)], places, absent)


def folder_of(pattern: str) -> str:
    """The folder above a pattern's first part with a wildcard: "" or ending with "/"."""
    return _literal(pattern)[: _literal(pattern).rfind("/") + 1]


def _literal(pattern: str) -> str:
    return pattern[: next((at for at, sign in enumerate(pattern) if sign in WILD), len(pattern))]


def _matching(source: Store, pattern: str, locked: list[str]) -> Iterable[Entry]:
    fits, begin = matcher([pattern]), _literal(pattern)
    is_deep = "/" in pattern[len(begin) :] or "**" in pattern
    return (entry for entry in source.list(begin, locked.append, deep=is_deep) if fits(entry.key))


def _matching_nothing(patterns: Iterable[str], keys: Iterable[str]) -> list[str]:
    return [pattern for pattern in patterns if not any(map(matcher([pattern]), keys))]


def _named(source: Store, keys: Iterable[str]) -> list[Entry]:
    """The entries of files; of those that are there."""
    folders: dict[str, set[str]] = {}
    for key in keys:
        folders.setdefault(key[: key.rfind("/") + 1], set()).add(key)

    def of_folder(folder: str) -> list[Entry]:
        wanted = folders[folder]
        if len(wanted) > _ASKED_ONE_BY_ONE:
            return [entry for entry in source.list(folder, lambda _folder: None, deep=False) if entry.key in wanted]
        return [entry for entry in map(source.head, sorted(wanted)) if entry is not None]

    with ThreadPoolExecutor(_THREADS) as threads:
        return [entry for entries in threads.map(of_folder, sorted(folders)) for entry in entries]


def common_folder(folders: Sequence[str]) -> str:
    """The deepest folder above them all; each is "" or ends with "/", and so does it."""
    levels = zip(*(folder.split("/")[:-1] for folder in folders), strict=False)
    return "".join(f"{names[0]}/" for names in takewhile(lambda names: len(set(names)) == 1, levels))


def nameless(keys: Iterable[str]) -> list[str]:
    """Files that are called `.pdf` and nothing else: no Markdown could be named after them."""
    return sorted(filter(is_nameless, keys))


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
