"""The end of a whole run: of all its workers one finds that everybody has ended, and tells it once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from functools import partial

from pdfbatch import aws
from pdfbatch.errors import PdfbatchError, PreconditionFailed
from pdfbatch.records import FINAL_ENDINGS, Manifest, RunKeys
from pdfbatch.runs.liveness import is_alive, moment
from pdfbatch.runs.manifest import load_fleet
from pdfbatch.runs.progress import RunStatus, done_marks, heartbeats, read_status
from pdfbatch.store import Store

Publish = Callable[[str, str], None]
"""(subject, message) → to whoever wants to know."""

_ATTEMPTS = 5
_SUBJECT_CHARACTERS = 99
_ENDS_TOLD = 10


def complete(
    output: Store, manifest: Manifest, publish: Publish, clock: Callable[[], datetime], say: Callable[[str], None]
) -> bool:
    """Call when the done mark is written. If no worker will come back to its slice, whoever is first to write
    `completed.json` publishes one message; the others do nothing. Whether it was this one.

    Nothing that goes wrong here fails the worker: `say` is told.
    """
    try:
        keys = RunKeys(manifest.run)
        if not _all_have_ended(output, manifest, clock()) or not _is_first(output, keys, clock()):
            return False
        status = read_status(output, manifest, clock())
        publish(subject(status), message(status))
    except Exception as error:
        told = f"{error.message} {error.hint}" if isinstance(error, PdfbatchError) else f"{error!r}"
        say(f"the end of the run could not be told: {told}")
        return False
    return True


def _all_have_ended(output: Store, manifest: Manifest, now: datetime) -> bool:
    """At the deadline a slice may have no machine that could say so: then silence counts."""
    keys, fleet = RunKeys(manifest.run), load_fleet(output, manifest.run)
    marks = {mark.worker: mark for mark in done_marks(output, keys)}
    open_slices = {
        worker
        for worker in range(manifest.total_workers)
        if worker not in marks or marks[worker].why not in FINAL_ENDINGS
    }
    if open_slices and fleet is not None and now >= moment(fleet.deadline):
        beats = heartbeats(output, keys)
        open_slices &= {beat.worker for beat in beats if is_alive(beat, marks.get(beat.worker), now)}
    return not open_slices


def _is_first(output: Store, keys: RunKeys, now: datetime) -> bool:
    try:
        output.put_new(keys.completed, json.dumps({"run": keys.run, "at": now.isoformat()}).encode())
    except PreconditionFailed:
        return False
    return True


def sns_publisher(topic: str) -> Publish:
    """Publishes to an SNS topic, an ARN; "" is no topic, and nothing is published."""
    if not topic:
        return lambda _subject, _message: None
    return partial(_publish, topic)


def _publish(topic: str, subject: str, message: str) -> None:
    """SNS takes subjects of less than 100 characters, ASCII, in one line. Source: API reference of SNS, Publish."""
    plain = " ".join(subject.encode("ascii", "replace").decode().split())[:_SUBJECT_CHARACTERS]
    with aws.translating(f"publish to {topic}"):
        aws.client("sns", _ATTEMPTS).publish(TopicArn=topic, Subject=plain, Message=message)


def subject(status: RunStatus) -> str:
    counts = status.documents
    return f"pdfbatch {status.run}: {counts.done} of {counts.total} documents done, {counts.failed} failed"


def message(status: RunStatus) -> str:
    """What a mail says: one fact a line, and what to do next."""
    counts, pages = status.documents, status.pages
    reasons = ", ".join(f"{reason} {number}" for reason, number in status.reasons.items())
    lines = [
        f"run: {status.run}",
        f"input: {status.input}",
        f"output: {status.output}",
        f"documents: {counts.total} in all, {counts.ok} ok, {counts.partial} partial, {counts.failed} failed,"
        f" {counts.skipped} done before, {counts.total - counts.done} left",
        *([f"reasons: {reasons}"] if reasons else []),
        f"pages: {pages.read} read, {pages.failed} failed",
        f"seconds: {status.seconds:.0f}",
        *([f"dollars: {status.dollars:.2f}"] if status.dollars is not None else []),
        *_early_ends(status),
        "",
        f"pdfbatch report {status.output}",
    ]
    if counts.failed or counts.partial:
        lines.append(f"pdfbatch retry-failures {status.output}")
    return "\n".join(lines)


def _early_ends(status: RunStatus) -> list[str]:
    told = [f"worker {worker.id} stopped: {worker.detail}" for worker in status.workers if worker.detail]
    more = len(told) - _ENDS_TOLD
    return told[:_ENDS_TOLD] + ([f"and {more} more workers stopped early"] if more > 0 else [])
