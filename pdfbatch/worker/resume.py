"""Finds where to resume: the documents that an earlier process of this worker finished, recorded or not."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import NamedTuple

from pydantic import ValidationError

from pdfbatch.errors import NotFound
from pdfbatch.markdown.document import anchors
from pdfbatch.records import (
    DocumentElements,
    Outcome,
    ProcessorResults,
    RunKeys,
    SourceDocument,
    elements_key,
    main_reason,
    output_key,
)
from pdfbatch.runs import ledger
from pdfbatch.runs.partition import is_left
from pdfbatch.runs.scores import by_tenth, doubtful
from pdfbatch.store import Store
from pdfbatch.worker.read_before import with_results

CHECKED = 1000
"""How many of the newest recorded documents, and how many after them, are checked for their Markdown. A process that
died had fewer of them under way; `verify` and the next run check all."""
_THREADS = 16


class ResumePoint(NamedTuple):
    done: set[str]
    """Keys of documents with an outcome."""
    unrecorded: list[Unrecorded]
    """Documents published by a process that died before it wrote their ledger lines."""
    failures: list[Outcome]
    """The outcomes of documents that failed, at least in part."""
    next_segment: int


class Unrecorded(NamedTuple):
    document: SourceDocument
    same_as: str = ""
    """As in `Outcome`."""


def standing(
    keys: RunKeys, worker: int, entries: Iterable[SourceDocument], output: Store, recall: Callable[[Outcome], None]
) -> ResumePoint:
    """Reads where a worker stands: its ledger, and the Markdown of the documents that it had last. `recall` is called
    with every outcome that still holds: one recorded as published whose Markdown is missing does not."""
    segments = ledger.segments(output, keys.ledger_of(worker))
    attempts, failures, newest = dict[str, int](), list[Outcome](), deque[Outcome]()

    def settle(line: Outcome) -> None:
        recall(line)
        if line.outcome != "ok":
            failures.append(line)

    for _, line in ledger.outcomes(output, segments):
        if attempts.get(line.key, 0) >= line.attempt:  # twice, while segments are joined
            continue
        attempts[line.key] = line.attempt
        newest.append(line)
        if len(newest) > CHECKED:
            settle(newest.popleft())
    done = set(attempts)
    last = _checked(entries, done)
    markdown = etags_of(output, [output_key(line.key) for line in newest] + [output_key(e.document.key) for e in last])
    for line in newest:
        if line.outcome != "failed" and output_key(line.key) not in markdown:
            done.discard(line.key)
        else:
            settle(line)
    unrecorded = [each for each in last if not is_left(each.document, markdown)]
    done.update(each.document.key for each in unrecorded)
    return ResumePoint(done, unrecorded, failures, segments[-1].number + 1 if segments else 1)


def _checked(entries: Iterable[SourceDocument], done: set[str]) -> list[Unrecorded]:
    """Returns the documents without an outcome up to the last one with an outcome, and some after it. A part is not
    published by itself."""
    found, after = list[Unrecorded](), list[Unrecorded]()
    for entry in entries:
        if entry.is_part:
            continue
        for each in (Unrecorded(entry), *(Unrecorded(copy, entry.key) for copy in entry.copies)):
            if each.document.key in done:
                found.extend(after)
                after.clear()
            elif len(after) < CHECKED:
                after.append(each)
    return [*found, *after]


def etags_of(output: Store, keys: Sequence[str]) -> Mapping[str, str]:
    """Returns the current ETags of those keys that exist."""
    with ThreadPoolExecutor(_THREADS) as threads:
        return {entry.key: entry.etag for entry in threads.map(output.head, keys) if entry is not None}


def left_of(entry: SourceDocument, done: Set[str]) -> SourceDocument | None:
    """Returns what is left of an entry: of a document with copies, the first without an outcome stands for the others.
    None if nothing is left. Pure."""
    if entry.is_part:
        return entry
    left = [each for each in (entry, *entry.copies) if each.key not in done]
    return left[0]._replace(copies=tuple(left[1:])) if left else None


def outcome_from_output(
    found: Unrecorded, output: Store, engine: str, worker: int, at: datetime, asked_pages: str = ""
) -> Outcome:
    """Returns the ledger line that a dead process did not write, from the page anchors of its published Markdown, and
    from the elements beside it what read its pages and how well, and what processors did."""
    return with_results(*outcome_and_results(found, output, engine, worker, at, asked_pages))


def outcome_and_results(
    found: Unrecorded, output: Store, engine: str, worker: int, at: datetime, asked_pages: str = ""
) -> tuple[Outcome, ProcessorResults]:
    """Returns the outcome of a published document, as above but without what processors did, and that."""
    document, key = found.document, output_key(found.document.key)
    pages = anchors(output.get(key).decode("utf-8", "replace"))
    bad = [(anchor.number, anchor.reason) for anchor in pages if anchor.reason is not None]
    elements = _elements(output, document)
    read = elements.pages if elements else []
    outcome = Outcome(
        key=document.key,
        read_by=dict(Counter(page.read_by for page in read if page.read_by)),
        flagged_pages=[(page.number, flag) for page in read for flag in page.flags],
        scores=by_tenth(read),
        doubtful=doubtful(document.key, read),
        outcome="partial" if bad else "ok",
        reason=main_reason([reason for _, reason in bad]) if bad else None,
        pages=len(pages),
        asked_pages=asked_pages,
        failed_pages=bad,
        engine=engine,
        output=key,
        etag=document.etag,
        size=document.size,
        attempt=document.attempt,
        worker=worker,
        at=at,
        detail="published by a process that ended before it could write this line",
        same_as=found.same_as,
        parts=document.parts,
    )
    return outcome, elements.processors if elements else ProcessorResults()


def _elements(output: Store, document: SourceDocument) -> DocumentElements | None:
    """Returns the elements of a document; None if they are gone or of another document."""
    try:
        elements = DocumentElements.model_validate_json(output.get(elements_key(document.key)))
    except (NotFound, ValidationError):
        return None
    return elements if elements.key == document.key else None
