"""Finds where to resume a slice, from the ledger and one listing of the outputs."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pdfbatch.markdown.document import anchors
from pdfbatch.records import Manifest, Outcome, RunKeys, SourceDocument, main_reason, output_key
from pdfbatch.runs import ledger
from pdfbatch.runs.begin import AD_HOC_RUN
from pdfbatch.runs.partition import is_left
from pdfbatch.store import DANGLING, Store


class ResumePoint(NamedTuple):
    left: list[SourceDocument]
    """Documents still to be converted."""
    recalled: list[Outcome]
    """Outcomes that an earlier process of the slice wrote to this run's ledger."""
    unrecorded: list[SourceDocument]
    """Documents published by a process that died before it wrote their ledger lines."""
    skipped: int
    """Number of documents that had Markdown before a worker was started by hand."""
    next_segment: int


def standing(manifest: Manifest, documents: Sequence[SourceDocument], worker: int, output: Store) -> ResumePoint:
    """Reads where a slice stands: one LIST of the outputs, one of the ledger, and a GET for each of its segments."""
    wanted = {output_key(document.key) for document in documents}
    published = (entry for entry in output.list() if entry.key in wanted and entry.etag != DANGLING)
    outputs = {entry.key: entry.etag for entry in published}
    segments = ledger.segments(output, RunKeys(manifest.run).ledger_of(worker))
    recorded = {line.key: line for _, line in ledger.outcomes(output, segments)}
    return sort_out(documents, outputs, recorded, manifest.run == AD_HOC_RUN)._replace(
        next_segment=segments[-1].number + 1 if segments else 1
    )


def sort_out(
    documents: Sequence[SourceDocument], outputs: Mapping[str, str], recorded: Mapping[str, Outcome], ad_hoc: bool
) -> ResumePoint:
    """Sorts documents into done and left. One recorded as published whose Markdown is missing is left. Pure."""
    found = ResumePoint([], [], [], 0, 1)
    skipped = 0
    for document in documents:
        line = recorded.get(document.key)
        was_made = line is not None and line.outcome != "failed"
        is_gone = was_made and output_key(document.key) not in outputs
        if is_gone or (line is None and is_left(document, outputs)):
            found.left.append(document)
        elif line is not None:
            found.recalled.append(line)
        elif ad_hoc:
            skipped += 1
        else:
            found.unrecorded.append(document)
    return found._replace(skipped=skipped)


def outcome_from_output(
    document: SourceDocument, output: Store, engine: str, worker: int, at: str, asked_pages: str = ""
) -> Outcome:
    """Returns the ledger line that a dead process did not write, from the page anchors of its published Markdown."""
    key = output_key(document.key)
    found = anchors(output.get(key).decode("utf-8", "replace"))
    bad = [(anchor.number, anchor.reason) for anchor in found if anchor.reason is not None]
    return Outcome(
        key=document.key,
        outcome="partial" if bad else "ok",
        reason=main_reason([reason for _, reason in bad]) if bad else None,
        pages=len(found),
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
    )
