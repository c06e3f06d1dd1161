"""A run over time: what each instance did, and the dollars it had cost by then."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pdfbatch.records import DoneMark, Heartbeat
from pdfbatch.runs.progress import Records
from pdfbatch.runs.report import make_report
from pdfbatch.runs.timeline import timeline
from tests.frozen import manifest_of
from tests.runs.courses import INTERRUPTED, MANIFEST, NEVER_SPOKE, STEADY, course, records
from tests.runs.fleets import LAUNCH, fleet, minute


def test_an_instance_boots_works_and_drains_after_its_notice_and_its_replacement_boots_again() -> None:
    lane = course().lanes[0]
    assert [(span.kind, span.begin, span.end) for span in lane.spans] == [
        ("boot", minute(2), minute(6)),
        ("work", minute(6), minute(19)),
        ("drain", minute(19), minute(21)),
        ("boot", minute(29), minute(33)),
        ("work", minute(33), minute(60)),
        ("idle", minute(60), minute(61)),
    ]
    assert lane.notices == [minute(19)]
    assert [span.where for span in lane.spans[:1]] == ["i-0 g4dn.xlarge us-east-1a"]


def test_an_instance_that_never_spoke_only_boots() -> None:
    assert {span.kind for span in course().lanes[2].spans} == {"boot"}


@pytest.mark.parametrize("now", [1, 5, 20, 45, 61, 100, 200])
def test_the_dollars_grow_to_what_the_report_says(now: float) -> None:
    found, stories = course(now), records([INTERRUPTED, STEADY, NEVER_SPOKE])
    assert list(found.dollars) == sorted(found.dollars) and found.dollars[0] == 0
    reported = make_report(MANIFEST, stories, None, minute(now)).dollars
    assert found.dollars[-1] == pytest.approx(reported or 0.0, abs=0.01)


def test_spans_lie_within_the_run_and_follow_one_another() -> None:
    found = course()
    for lane in found.lanes:
        edges = [edge for span in lane.spans for edge in (span.begin, span.end)]
        assert edges == sorted(edges)
        assert all(found.began <= edge <= found.until for edge in edges)


def test_a_run_before_its_first_sign_has_a_time_line_without_spans() -> None:
    found = timeline(MANIFEST, Records((), (), fleet()), LAUNCH)
    assert [lane.spans for lane in found.lanes] == [[]] * 3
    assert found.until - found.began >= timedelta(seconds=1)


def test_on_your_own_machine_a_worker_works_from_its_start_to_its_end() -> None:
    at = "2026-01-01T12:10:00Z"
    beat = Heartbeat(worker=0, state="done", counts=INTERRUPTED.beat.counts, started=minute(1), at=at, host="here")  # type: ignore[union-attr]
    mark = DoneMark(worker=0, why="done", at=minute(10))
    found = timeline(manifest_of(4, 1, created=LAUNCH), Records([beat], [mark]), minute(99))
    assert [tuple(span) for span in found.lanes[0].spans] == [("work", minute(1), minute(10), "here")]
    assert not found.dollars and found.cap is None
