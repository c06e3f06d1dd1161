"""The brake: stops a worker that cannot read anything before it fails its whole slice. Pure."""

from pdfbatch.records import Outcome, Reason


class Brake:
    """Counts consecutive failures since the worker's start; with `limit` 0 it never stops.

    The first document with a read page releases the brake for good: the machine and the engine work. So a worker that
    has read for hours does not stop at a folder of documents that are too large for it.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._reason: Reason | None = None
        self._count = 0

    def after(self, outcome: Outcome) -> str:
        """Returns why the worker must stop now, in one sentence; "" to continue.

        A document that failed for a reason of its own says nothing about the machine and is not counted.
        """
        if not self._limit:
            return ""
        if _was_read(outcome):
            self._limit = 0
            return ""
        reason = outcome.reason
        if reason is None or not reason.is_environmental:
            return ""
        self._count = self._count + 1 if reason is self._reason else 1
        self._reason = reason
        return _sentence(reason, self._count, outcome.detail) if self._count >= self._limit else ""


def _was_read(outcome: Outcome) -> bool:
    return outcome.outcome == "ok" or (outcome.outcome == "partial" and len(outcome.failed_pages) < outcome.pages)


def _sentence(reason: Reason, count: int, detail: str) -> str:
    last = f"; the last error: {' '.join(detail.split()).rstrip('.')}" if detail else ""
    return f"The first {count} documents failed, all with {reason}{last}."
