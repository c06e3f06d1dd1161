"""The end of a whole run: exactly one of its workers sees that all have ended, and sends one notification."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from datetime import datetime
from functools import partial

from pdfbatch import aws
from pdfbatch.errors import PdfbatchError, PreconditionFailed
from pdfbatch.records import Manifest, RunKeys, text_of
from pdfbatch.runs.end import marks_of_ended
from pdfbatch.runs.progress import RunStatus, read_status
from pdfbatch.store import Store
from pdfbatch.visible import visible

Publish = Callable[[str, str], None]
"""Sends (subject, message) to the subscribers."""
Page = Callable[[], str]
"""Returns the run as an HTML page."""

_ATTEMPTS = 5
_SUBJECT_CHARACTERS = 99
_EARLY_ENDS_SHOWN = 10


def complete(
    output: Store,
    manifest: Manifest,
    publish: Publish,
    clock: Callable[[], datetime],
    say: Callable[[str], None],
    page: Page | None = None,
) -> bool:
    """Publishes the end of the run if no worker will resume its slice; call it after its done mark. `page`: makes
    the run's HTML page, which is saved before; None: there is none.

    Only the first worker that writes `completed.json` publishes; returns whether it was this one. An error never fails
    the worker: it is passed to `say`.
    """
    try:
        keys = RunKeys(manifest.run)
        if marks_of_ended(output, manifest, clock()) is None or not _is_first(output, keys, clock()):
            return False
        status = read_status(output, manifest, clock())
        address = _save_page(output, keys, page, say) if page else ""
        publish(subject(status), message(status, address))
    except Exception as error:
        why = f"{error.message} {error.hint}" if isinstance(error, PdfbatchError) else f"{error!r}"
        say(f"cannot send the notification that the run has ended: {why}")
        return False
    return True


def _save_page(output: Store, keys: RunKeys, page: Page, say: Callable[[str], None]) -> str:
    """Returns the page's address; "" if it could not be made: the notification matters more."""
    try:
        output.put(keys.page, page().encode())
    except Exception as error:
        say(f"cannot save the run's page: {error!r}")
        return ""
    return f"{output.url}{keys.page}"


def _is_first(output: Store, keys: RunKeys, now: datetime) -> bool:
    try:
        output.put_new(keys.completed, json.dumps({"run": keys.run, "at": text_of(now)}).encode())
    except PreconditionFailed:
        return False
    return True


def sns_publisher(topic: str) -> Publish:
    """Returns a publisher for an SNS topic, given as ARN; for "" it does nothing."""
    if not topic:
        return lambda _subject, _message: None
    return partial(_publish, topic)


def _publish(topic: str, subject: str, message: str) -> None:
    """Publishes a message. SNS subjects must be ASCII, on one line, and shorter than 100 characters.

    Source: API reference of SNS, Publish.
    """
    plain = " ".join(subject.encode("ascii", "replace").decode().split())[:_SUBJECT_CHARACTERS]
    with aws.translating(f"publish to {topic}"):
        aws.client("sns", _ATTEMPTS).publish(TopicArn=topic, Subject=plain, Message=message)


def subject(status: RunStatus) -> str:
    counts = status.documents
    return f"pdfbatch {visible(status.run)}: {counts.done} of {counts.total} documents done, {counts.failed} failed"


def message(status: RunStatus, page: str = "") -> str:
    """Returns the text of the notification: one fact per line, and what to do next. `page`: the address of the run's
    HTML page, if there is one.
    """
    counts, pages = status.documents, status.pages
    reasons = ", ".join(f"{visible(reason)} {number}" for reason, number in status.reasons.items())
    lines = [
        f"run: {visible(status.run)}",
        f"input: {visible(status.input)}",
        f"output: {visible(status.output)}",
        f"documents: {counts.total} in all, {counts.ok} ok, {counts.partial} partial, {counts.failed} failed,"
        f" {counts.skipped} skipped, {counts.total - counts.done} left",
        *([f"reasons: {reasons}"] if reasons else []),
        f"pages: {pages.read} read, {pages.failed} failed",
        f"seconds: {status.seconds:.0f}",
        *([f"dollars: {status.dollars:.2f}"] if status.dollars is not None else []),
        *_early_ends(status),
        *(f"events: {sink.waiting} wait for {visible(sink.sink)}" for sink in status.events if sink.waiting),
        *([f"page: {visible(page)}"] if page else []),
        "",
        f"pdfbatch report {visible(shlex.quote(status.output))}",
    ]
    if counts.failed or counts.partial:
        lines.append(f"pdfbatch retry-failures {visible(shlex.quote(status.output))}")
    return "\n".join(lines)


def _early_ends(status: RunStatus) -> list[str]:
    stopped = [f"worker {worker.id} stopped: {visible(worker.detail)}" for worker in status.workers if worker.detail]
    more = len(stopped) - _EARLY_ENDS_SHOWN
    return stopped[:_EARLY_ENDS_SHOWN] + ([f"and {more} more workers stopped early"] if more > 0 else [])
