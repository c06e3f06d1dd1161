"""What `status` and `report` say about sinks: delivered, waiting and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pdfbatch.records import Counts, Manifest, Position
from pdfbatch.runs.sinks import SinkStatus, sink_statuses
from samples import odd
from tests.delivery.receiver import KEY, Receiver
from tests.delivery.stores import MANIFEST, NOW
from tests.program import Program

HOOK = "https://example.org/hook"
WITH_HOOK = MANIFEST.model_copy(update={"events": [HOOK], "total_workers": 2})


def position(worker: int, address: str = HOOK, delivered: int = 0, waiting: int = 0, trouble: str = "") -> Position:
    return Position(address=address, worker=worker, delivered=delivered, waiting=waiting, trouble=trouble, at=NOW)


@pytest.mark.parametrize(
    ("manifest", "positions", "counts", "found"),
    [
        (MANIFEST, [], [Counts(ok=3)], []),
        (WITH_HOOK, [], [Counts(ok=3, failed=1, skipped=7), Counts()], [SinkStatus(sink=HOOK, delivered=0, waiting=4)]),
        (
            WITH_HOOK,
            [position(0, delivered=3), position(1, delivered=1, waiting=2, trouble="It is down.")],
            [Counts(ok=3), Counts(ok=3)],
            [SinkStatus(sink=HOOK, delivered=4, waiting=2, trouble="It is down.")],
        ),
        (
            MANIFEST,
            [position(0, "events:others", delivered=1)],
            [Counts(ok=3)],
            [SinkStatus(sink="events:others", delivered=1, waiting=0)],
        ),
    ],
)
def test_a_sink_counts_what_it_has_and_what_waits(
    manifest: Manifest, positions: list[Position], counts: list[Counts], found: list[SinkStatus]
) -> None:
    assert sink_statuses(manifest, positions, counts) == found


def test_status_and_report_show_what_waits_and_later_that_nothing_does(
    tmp_path: Path, receiver: Receiver, pdfbatch: Program
) -> None:
    pdfs, out = tmp_path / "pdfs", tmp_path / "out"
    pdfs.mkdir()
    for name in "abc":
        (pdfs / f"{name}.pdf").write_bytes(odd.text_page() + f"%{name}".encode())
    receiver.answers, receiver.always = [200], 404
    pdfbatch("local-run", pdfs, out, "--engine", "null", "--events", receiver.url, PDFBATCH_EVENTS_KEY=KEY)
    line = f"1 to {receiver.url}, 2 waiting (127.0.0.1"
    shown = pdfbatch("status", out).stdout
    assert f"events: {line}" in shown
    assert f"deliver: pdfbatch events {out}/ --to {receiver.url}" in shown
    assert line in pdfbatch("report", out).stdout
    (sink,) = json.loads(pdfbatch("status", out, "--json").stdout)["events"]
    assert (sink["sink"], sink["delivered"], sink["waiting"]) == (receiver.url, 1, 2)
    assert "404 Not Found" in sink["trouble"]
    receiver.always = 200
    pdfbatch("events", out, "--to", receiver.url, PDFBATCH_EVENTS_KEY=KEY)
    (sink,) = json.loads(pdfbatch("report", out, "--json").stdout)["events"]
    assert (sink["waiting"], sink["trouble"]) == (0, "")
    assert "waiting" not in pdfbatch("status", out).stdout
