"""What a host of a SageMaker Processing job leaves in `/opt/ml/output/message`: numbers, or why it failed. Pure.

SageMaker joins the messages of all hosts and keeps the first 1,024 bytes as the job's `ExitMessage`; a message that is
not UTF-8 fails the job. So each host has an equal share, and the last one to end has room for the whole run's numbers.
Source: SageMaker guide, "Save and Access Metadata Information About Your Processing Job".
"""

from __future__ import annotations

from pdfbatch.errors import ExitCode, PdfbatchError
from pdfbatch.records import Counts, DoneMark
from pdfbatch.records.processing_job import MESSAGE_BYTES
from pdfbatch.runs.progress import RunStatus
from pdfbatch.visible import visible
from pdfbatch.worker.processing_host import ProcessingHost

SUMMARY_BYTES = 224
"""Kept for the numbers of the whole run, which one host writes."""


def job_exit_code(code: int) -> int:
    """Returns the exit code of a host for the worker's own. A job is `Completed` only if every host exits with 0, and
    documents that failed are a result like others, named in the message and by `status`."""
    return ExitCode.DONE if code == ExitCode.SOME_DOCUMENTS_FAILED else code


def of_host(host: ProcessingHost, mark: DoneMark) -> bytes:
    """Returns the numbers of a slice, and why it is not done if it is not."""
    counts = mark.counts
    ended = "" if mark.why == "done" else mark.why.replace("_", " ")
    why = f"{ended}: {mark.detail}" if mark.detail else ended
    full = f"{host.name}: {_numbers(counts)}" + (f"; {why}" if why else "")
    short = f"{host.number}:{counts.done}/{counts.total}" + (" " + ended if ended else "")
    return _longest_that_fits([full, short, short.partition(" ")[0]], _share(host))


def of_error(host: ProcessingHost, error: PdfbatchError) -> bytes:
    """Returns why a host could not work, cut to its share."""
    return _cut(f"{host.name}: {visible(error.message)} {visible(error.hint)}", _share(host))


def nothing_to_do() -> bytes:
    return _line("nothing is left to do")


def of_run(status: RunStatus) -> bytes:
    """Returns the numbers of the whole run."""
    documents, pages = status.documents, status.pages
    counts = Counts(
        total=documents.total,
        ok=documents.ok,
        partial=documents.partial,
        failed=documents.failed,
        skipped=documents.skipped,
        pages_read=pages.read,
        pages_failed=pages.failed,
    )
    return _cut(f"run {status.run}: {_numbers(counts)}", SUMMARY_BYTES)


def _numbers(counts: Counts) -> str:
    failed = [f"{counts.failed} failed"] if counts.failed else []
    partial = [f"{counts.partial} partial"] if counts.partial else []
    pages = f"{counts.pages_read} pages" + (f", {counts.pages_failed} failed" if counts.pages_failed else "")
    return f"{', '.join([f'{counts.done} of {counts.total} documents', *failed, *partial])}; {pages}"


def _share(host: ProcessingHost) -> int:
    return (MESSAGE_BYTES - SUMMARY_BYTES) // host.hosts


def _longest_that_fits(texts: list[str], limit: int) -> bytes:
    return next((line for text in texts if len(line := _line(text)) <= limit), b"")


def _line(text: str) -> bytes:
    return f"{text}\n".encode(errors="replace")


def _cut(text: str, limit: int) -> bytes:
    """Cuts a line to so many bytes, between characters."""
    return _line(_line(text)[: limit - 1].decode(errors="ignore").rstrip("\n")) if limit > 1 else b""
