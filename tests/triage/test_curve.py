"""Quality against the share of pages that go to the model."""

from __future__ import annotations

import pytest

from pdfbatch.triage.curve import (
    Judged,
    at_threshold,
    by_rule,
    curve,
    policy_report,
    threshold_for_quality,
    threshold_for_share,
)
from pdfbatch.triage.pairs import PagePair, SignalledPage
from tests.triage.pages import signals_of


def judged(loss: float, expected: float, score: float = 1.0, scan: bool = False) -> Judged:
    page = SignalledPage("a.pdf", "a", 1, signals_of(scan=scan), score)
    return Judged(PagePair(page, loss), {"auto": expected, "fallback": expected})


PAGES = [
    judged(0.8, 0.9, score=1.0),
    judged(0.4, 0.5, score=0.8),
    judged(0.0, 0.2, score=0.5, scan=True),
    judged(0.0, 0.1, scan=True),
]


def test_a_page_for_the_model_is_right_and_any_other_lacks_its_loss() -> None:
    assert at_threshold(PAGES, "fallback", 0.9).model_dump() == {"share": 0.25, "quality": 0.9}
    assert at_threshold(PAGES, "fallback", 1.0).model_dump() == {"share": 0.0, "quality": 0.7}


def test_the_rules_are_those_of_auto_and_of_a_fallback() -> None:
    assert by_rule(PAGES, "auto", 0.9).model_dump() == {"share": 0.5, "quality": 0.7}
    assert by_rule(PAGES, "fallback", 0.9).model_dump() == {"share": 0.5, "quality": 0.8}


def test_the_threshold_for_a_quality_sends_no_page_too_many() -> None:
    assert threshold_for_quality(PAGES, "fallback", 0.9) == 0.9
    assert threshold_for_quality(PAGES, "fallback", 0.91) == 0.5
    assert at_threshold(PAGES, "fallback", threshold_for_quality(PAGES, "fallback", 0.5)).share == 0.0


@pytest.mark.parametrize("share", [0.0, 0.25, 0.3, 0.5, 0.99, 1.0])
def test_the_threshold_for_a_share_sends_no_more_than_that(share: float) -> None:
    found = at_threshold(PAGES, "auto", threshold_for_share(PAGES, "auto", share)).share
    assert share - 0.25 < found <= share


def test_a_curve_begins_without_the_model_and_ends_with_all_pages_and_none_is_above_the_best() -> None:
    points = curve(PAGES, "fallback")
    assert (points[0].triage, points[0].rule, points[0].best) == (0.7, 0.7, 0.7)
    assert (points[-1].triage, points[-1].rule, points[-1].best) == (1.0, 1.0, 1.0)
    assert all(point.best >= max(point.triage, point.rule) for point in points)


def test_the_report_says_how_few_pages_are_as_good_as_the_rule() -> None:
    report = policy_report(PAGES, "fallback", 0.5, 0.9)
    assert (report.rule.share, report.share_for_rule_quality, report.chosen.quality) == (0.5, 0.25, 1.0)
