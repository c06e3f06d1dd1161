"""Selects the documents of a run: what is left of an input, or what failed before. Pure."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence, Set
from types import MappingProxyType
from typing import NamedTuple

from pdfbatch.errors import UsageError
from pdfbatch.records import Chosen, ProcessorSpec, Reason, SourceDocument, output_key
from pdfbatch.runs.inputs import nameless, twins_of
from pdfbatch.runs.ledger import Final
from pdfbatch.store import Entry

DRY_RUN = "null"
"""The engine that reads nothing."""
_COMMAND = "command"
"""The engine that leaves no elements for processors."""


class Selection(NamedTuple):
    documents: list[SourceDocument]
    skipped: int
    """Documents that are done."""
    changed: list[str]
    """Skipped keys whose PDF has changed since its Markdown was written."""
    hopeless: Mapping[str, Reason] = MappingProxyType({})
    """Those of `documents` that failed for a reason no retry can fix, and have not changed since."""
    foreign: Sequence[str] = ()
    """Skipped keys whose Markdown was not written by a run."""
    nameless: Sequence[str] = ()
    """PDFs that are left out because they have no name."""
    other_pages: Sequence[str] = ()
    """Skipped keys whose Markdown has other pages than requested now."""
    dry_runs: Sequence[str] = ()
    """Those of `documents` whose Markdown has no text, because the engine `null` wrote it."""


def what_is_left(
    inputs: Iterable[Entry],
    outputs: Mapping[str, str],
    history: Mapping[str, Final],
    *,
    redo_changed: bool,
    chosen: Chosen = Chosen(),  # noqa: B008  # frozen
    pages: str = "",
    engine: str = "",
    also: Sequence[ProcessorSpec] = (),
) -> Selection:
    """Selects every document that has no Markdown, failed the last time, or was only opened by the engine `null`
    (unless `engine` is that again), and with `redo_changed` also every one that changed since or was read with other
    `pages`; and every one that lacks files of `also`, but its pages are not read again.

    A failed document may have Markdown: of an earlier version, if the changed one could not be read.
    """
    entries = sorted(inputs, key=_key)
    documents, changed, skipped, hopeless, foreign = [], [], 0, dict[str, Reason](), []
    other_pages, dry_runs = [], []
    takes = chosen.taker()
    wanted = [entry for entry in entries if takes(entry.key)]
    twins = twins_of([entry.key for entry in wanted], _Owners(history))
    for entry in wanted:
        key, past = entry.key, history.get(entry.key)
        twin = twins.get(key, "")
        etag_now = None if twin else outputs.get(output_key(key))
        has_failed = past is not None and past.outcome == "failed"
        is_changed = etag_now is not None and past is not None and past.etag != entry.etag
        has_others = etag_now is not None and past is not None and past.asked_pages != pages
        is_dry = etag_now is not None and past is not None and past.engine == DRY_RUN != engine
        if is_dry:
            dry_runs.append(key)
        if etag_now is None or has_failed or is_dry or ((is_changed or has_others) and redo_changed):
            attempt, length = _next_attempt(past), _length(entry, past)
            documents.append(SourceDocument(key, entry.size, entry.etag, etag_now, attempt, twin, length))
            if past is not None and (reason := _hopeless(past, entry, twin)):
                hopeless[key] = reason
            continue
        is_same = past is not None and not is_changed and not has_others and past.engine != _COMMAND
        if past is not None and is_same and past.lacks(also):
            documents.append(_only_processed(SourceDocument(key, entry.size, entry.etag, etag_now), entry, past))
            continue
        skipped += 1
        if is_changed:
            changed.append(key)
        elif past is None:
            foreign.append(key)
        elif has_others:
            other_pages.append(key)
    return Selection(
        documents, skipped, changed, hopeless, foreign, nameless(map(_key, entries)), other_pages, dry_runs
    )


def what_failed(
    inputs: Iterable[Entry],
    outputs: Mapping[str, str],
    history: Mapping[str, Final],
    reasons: frozenset[Reason],
    below: float = 0.0,
    chosen: Chosen = Chosen(),  # noqa: B008  # frozen
    only: Set[str] | None = None,
    also: Sequence[ProcessorSpec] = (),
) -> Selection:
    """Selects every document whose final outcome is failed or partial for one of the reasons (none given: for any
    reason), and every one with a page scored lower than `below`. With `only` it selects these, whatever their
    outcome. Of those whose processors failed and nothing else, the pages are not read again; they need `also`.

    Raises:
        UsageError: one of `only` has no outcome.
    """
    documents, hopeless = [], dict[str, Reason]()
    wanted = dict(_wanted(history, reasons, below, only))
    takes, entries, keys = chosen.taker(), dict[str, Entry](), list[str]()
    for entry in inputs:
        if entry.key in wanted:
            entries[entry.key] = entry
        if takes(entry.key) or entry.key in history:
            keys.append(entry.key)
    twins = twins_of(keys, _Owners(history))
    for key, past in sorted(wanted.items()):
        # A deleted input stays in the run, so that its outcome becomes `missing`.
        entry = entries.get(key, Entry(key, 0, past.etag))
        twin = twins.get(key, "")
        etag_now = None if twin else outputs.get(output_key(key))
        attempt, length = _next_attempt(past), _length(entry, past)
        document = SourceDocument(key, entry.size, entry.etag, etag_now, attempt, twin, length)
        is_read = past.reason is Reason.PROCESSOR_FAILED and past.etag == entry.etag and etag_now is not None
        if is_read and only is None and past.lowest >= below:
            if also:
                documents.append(_only_processed(document, entry, past))
            continue
        documents.append(document)
        if reason := _hopeless(past, entry, twin):
            hopeless[key] = reason
    return Selection(documents, 0, [], hopeless)


def _only_processed(document: SourceDocument, entry: Entry, past: Final) -> SourceDocument:
    """Returns a document whose pages are not read again."""
    return document._replace(attempt=_next_attempt(past), pages=_length(entry, past), is_read=True)


def _key(entry: Entry) -> str:
    return entry.key


def _wanted(
    history: Mapping[str, Final], reasons: frozenset[Reason], below: float, only: Set[str] | None
) -> Iterator[tuple[str, Final]]:
    if only is None:
        yield from ((key, past) for key, past in history.items() if _is_wanted(past, reasons, below))
        return
    for key in sorted(only):
        past = history.get(key)
        if past is None:
            raise UsageError(f"No run on this output has read {key!r}.", "Take it out of the list of pages.")
        yield key, past


def _is_wanted(past: Final, reasons: frozenset[Reason], below: float) -> bool:
    has_failed = past.outcome != "ok" and (not reasons or past.reason in reasons)
    return has_failed or past.lowest < below


class _Owners(Container[str]):
    """The inputs whose Markdown was written."""

    def __init__(self, history: Mapping[str, Final]) -> None:
        self._history = history

    def __contains__(self, key: object) -> bool:
        past = self._history.get(str(key))
        return past is not None and past.outcome != "failed"


def _hopeless(past: Final, entry: Entry, twin: str) -> Reason | None:
    """Returns why the same file would fail again; None if a retry may succeed."""
    if past.reason is Reason.NAME_CLASH and not twin:
        return None
    if past.outcome != "failed" or past.etag != entry.etag or past.reason is None:
        return None
    cannot_be_opened = past.reason is Reason.CORRUPT and not past.pages
    return past.reason if past.reason.is_hopeless or cannot_be_opened else None


def _next_attempt(past: Final | None) -> int:
    return past.attempt + 1 if past else 1


def _length(entry: Entry, past: Final | None) -> int:
    """Returns the number of pages that an earlier run found in the same file; 0 if unknown."""
    return past.pages if past is not None and past.etag == entry.etag and not past.asked_pages else 0
