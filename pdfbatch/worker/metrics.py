"""CloudWatch metrics without API calls: one JSON line per minute on stdout, sent by the log driver.

CloudWatch bills a metric for each set of dimension values. There are no dimensions here, so that all runs and workers
share four metrics; Logs Insights can separate them by the line's `run` and `worker`.

Source: Amazon CloudWatch User Guide, "Specification: Embedded metric format" and "Using the PutLogEvents API to send
manually-created embedded metric format logs": the format header is no longer needed, so Docker's `awslogs` driver is
enough.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import datetime

from pdfbatch.records import Counts, Heartbeat

NAMESPACE = "pdfbatch"
EVERY_SECONDS = 60.0
_LOOK_SECONDS = 0.1


def metric_line(run: str, worker: int, before: Counts, now_counts: Counts, seconds: float, at: datetime) -> str:
    """Returns the line for the work between two counts, `seconds` apart; only pages tried here count. Pure."""
    pages = now_counts.pages_here - before.pages_here
    values: dict[str, tuple[str, float]] = {
        "Documents": ("Count", now_counts.done - before.done),
        "Pages": ("Count", pages),
        "Failures": ("Count", now_counts.failed + now_counts.partial - before.failed - before.partial),
    }
    if pages > 0:
        values["SecondsPerPage"] = ("Seconds", round(seconds / pages, 4))
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [[]],
        "Metrics": [{"Name": name, "Unit": unit} for name, (unit, _) in values.items()],
    }
    line = {
        "_aws": {"Timestamp": int(at.timestamp() * 1000), "CloudWatchMetrics": [directive]},
        "run": run,
        "worker": worker,
        **{name: value for name, (_, value) in values.items()},
    }
    return json.dumps(line, separators=(",", ":"))


class Metrics:
    """A thread that writes a line every `seconds`, and a last one when the work ends; use as a context manager.

    The work of earlier processes of the slice is not reported again: counting starts once the worker has resumed.
    """

    def __init__(
        self,
        run: str,
        worker: int,
        heartbeat: Callable[[], Heartbeat],
        clock: Callable[[], datetime],
        write: Callable[[str], object],
        seconds: float = EVERY_SECONDS,
    ) -> None:
        self._run = run
        self._worker = worker
        self._heartbeat = heartbeat
        self._clock = clock
        self._write = write
        self._seconds = seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="metrics", daemon=True)

    def __enter__(self) -> Metrics:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        beat = self._heartbeat()
        while beat.state == "starting":
            if self._ended.wait(_LOOK_SECONDS):
                return
            beat = self._heartbeat()
        before, since = beat.counts, time.monotonic()
        ended = False
        while not ended:
            ended = self._ended.wait(self._seconds)
            counts, now = self._heartbeat().counts, time.monotonic()
            self._print(metric_line(self._run, self._worker, before, counts, now - since, self._clock()))
            before, since = counts, now

    def _print(self, line: str) -> None:
        try:
            self._write(line + "\n")
        except (OSError, ValueError):
            return  # stdout is closed
