"""Lists the files of an input, with the special cases: unreadable folders, PDFs without a name, twins."""

from collections.abc import Container, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from typing import NamedTuple

from pdfbatch.errors import NotFound
from pdfbatch.records import (
    WILD,
    Chosen,
    elements_key,
    figures_prefix,
    is_nameless,
    is_picture_key,
    matcher,
    output_key,
)
from pdfbatch.store import Entry, Store

LOCKED_ETAG = "locked"
LOCKED_KEY = "*.pdf"
"""Stands in the manifest for the PDFs of an unreadable folder: fetching it fails with the reason."""
_ASKED_ONE_BY_ONE = 20
"""Up to this many files named in one folder are looked up one by one; for more, the folder is listed."""
_THREADS = 16
_LONGEST_FIGURE = "page-00001-0001.png"


class Listed(NamedTuple):
    """`locked`: unreadable folders, ending with "/"; each is also one document in `entries`. `absent`: named files that
    do not exist, and patterns that match nothing."""

    entries: Sequence[Entry]
    locked: Sequence[str]
    absent: Sequence[str] = ()


def listed(source: Store, chosen: Chosen = Chosen(), known: Iterable[str] = ()) -> Listed:  # noqa: B008  # frozen
    """Lists the chosen part of the input, and those of the `known` keys that exist. Unreadable folders are reported
    instead of ending the run. Nothing else is listed: an input may be one file in a large folder."""
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
    """Returns the folder above a pattern's first part with a wildcard: "" or ending with "/"."""
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
    """Returns the entries of those files that exist."""
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
    """Returns the deepest folder above them all. All folders, and the result, are "" or end with "/"."""
    levels = zip(*(folder.split("/")[:-1] for folder in folders), strict=False)
    return "".join(f"{names[0]}/" for names in takewhile(lambda names: len(set(names)) == 1, levels))


def nameless(keys: Iterable[str]) -> list[str]:
    """Returns the files whose name is only `.pdf`: no Markdown could be named after them."""
    return sorted(filter(is_nameless, keys))


def bad_name(output: Store, key: str) -> str:
    """Returns why the output cannot hold the files of a document, in one sentence; "" if it can."""
    for made in (output_key(key), elements_key(key), figures_prefix(key) + _LONGEST_FIGURE):
        if fault := output.cannot_hold(made):
            return f"the output cannot hold {made}: {fault}"
    return ""


def twins_of(keys: Sequence[str], owners: Container[str] = frozenset()) -> Mapping[str, str]:
    """Finds inputs whose Markdown would have the same name (`b.pdf`, `b.PDF`). One of them is converted: an owner
    (whose Markdown exists already), else the one that ends in `.pdf`, else the first. Maps each other one to it."""
    # Two keys with one stem end differently, so at most one of them ends in `.pdf`: most inputs have no other ending.
    shared = {output_key(key) for key in keys if not key.endswith(".pdf")}
    named: dict[str, list[str]] = {}
    for key in keys if shared else ():
        if (made := output_key(key)) in shared:
            named.setdefault(made, []).append(key)
    return {
        twin: chosen
        for same in named.values()
        if len(same) > 1 and (chosen := min(same, key=lambda key: (key not in owners, not key.endswith(".pdf"), key)))
        for twin in same
        if twin != chosen
    }


def nothing_at(source: Store, absent: Sequence[str]) -> NotFound:
    """Returns the error for named files and patterns that match nothing."""
    place = source.url + absent[0]
    more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
    what = f"Nothing matches {place}" if WILD & set(place) else f"There is no {place}"
    return NotFound(f"{what}{more}.", "Correct or remove the missing inputs.")


def no_documents(source: Store, chosen: Chosen, keys: Sequence[str]) -> NotFound:
    """Returns an error that says why none of the existing files is a document."""
    if chosen.include or chosen.exclude:
        return NotFound(
            f"--include and --exclude leave no document under {source.url}.",
            f"The patterns are matched against keys such as {min(keys)!r}." if keys else "There are no files at all.",
        )
    if pictures := sum(map(is_picture_key, keys)):
        return NotFound(
            f"No PDFs found under {source.url}, but {pictures:,} picture{'s' * (pictures > 1)}.",
            "To convert pictures, select them with --include '*.png', or name them.",
        )
    return NotFound(
        f"No PDFs found under {source.url}.", "Check the path. Files must end in .pdf (any case), in any subfolder."
    )
