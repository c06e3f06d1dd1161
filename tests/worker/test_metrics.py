"""Metrics in the embedded format."""

import json
import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from pdfbatch.records import Counts, Heartbeat
from pdfbatch.worker.metrics import Metrics, metric_line
from tests.worker.begun import now
from tests.worker.waiting import wait_until

AT = datetime(2026, 11, 25, 19, 45, tzinfo=UTC)
EARLIER = Counts(total=9, ok=2, partial=1, failed=1, pages_read=30, pages_here=20)
LATER = Counts(total=9, ok=5, partial=2, failed=3, pages_read=70, pages_here=50)


def test_a_line_reports_the_work_since_the_last_one_as_specified() -> None:
    line = metric_line("r", 3, EARLIER, LATER, 60.0, AT)
    assert "\n" not in line
    assert json.loads(line) == {
        "_aws": {
            "Timestamp": 1795635900000,
            "CloudWatchMetrics": [
                {
                    "Namespace": "pdfbatch",
                    "Dimensions": [[]],
                    "Metrics": [
                        {"Name": "Documents", "Unit": "Count"},
                        {"Name": "Pages", "Unit": "Count"},
                        {"Name": "Failures", "Unit": "Count"},
                        {"Name": "SecondsPerPage", "Unit": "Seconds"},
                    ],
                }
            ],
        },
        "run": "r",
        "worker": 3,
        "Documents": 6,
        "Pages": 30,
        "Failures": 3,
        "SecondsPerPage": 2.0,
    }


def test_a_minute_without_a_page_reports_zeros_and_no_pace() -> None:
    told = json.loads(metric_line("r", 0, LATER, LATER, 60.0, AT))
    assert (told["Documents"], told["Pages"], told["Failures"]) == (0, 0, 0)
    [directive] = told["_aws"]["CloudWatchMetrics"]
    assert "SecondsPerPage" not in told
    assert [metric["Name"] for metric in directive["Metrics"]] == ["Documents", "Pages", "Failures"]


class Worker:
    """Beats as its test says."""

    def __init__(self) -> None:
        self.state: Any = "starting"
        self.counts = Counts()
        self.asked = 0

    def heartbeat(self) -> Heartbeat:
        self.asked += 1
        stamp = "2026-11-25T19:45:00Z"
        return Heartbeat(worker=0, state=self.state, counts=self.counts, started=stamp, at=stamp)


def test_exactly_the_work_of_this_process_is_reported() -> None:
    worker, lines = Worker(), list[str]()
    with Metrics("r", 0, worker.heartbeat, now, lines.append, 0.01):
        worker.counts, worker.state = EARLIER, "running"  # taken over from an earlier process
        wait_until(lambda: len(lines) > 1)
        worker.counts = LATER
    told = [json.loads(line) for line in lines]
    assert all(line.endswith("\n") for line in lines)
    assert sum(line["Documents"] for line in told) == LATER.done - EARLIER.done
    assert sum(line["Pages"] for line in told) == LATER.pages_here - EARLIER.pages_here


def test_a_worker_that_never_started_to_work_reports_nothing() -> None:
    worker, lines = Worker(), list[str]()
    with Metrics("r", 0, worker.heartbeat, now, lines.append, 0.01):
        wait_until(lambda: worker.asked > 1)
    assert lines == []


@pytest.mark.parametrize("error", [BrokenPipeError(), ValueError("closed")])
def test_a_stdout_that_is_gone_ends_nothing(error: Exception) -> None:
    worker, tries = Worker(), list[str]()
    worker.state = "running"

    def write(line: str) -> None:
        tries.append(line)
        raise error

    with Metrics("r", 0, worker.heartbeat, now, write, 0.01):
        wait_until(lambda: len(tries) > 2)
    assert "metrics" not in {thread.name for thread in threading.enumerate()}
