"""Plots: shapes that stay in their drawing, labels that a person reads at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdfbatch.web.plots import BARS, HEIGHT, WIDTH, bars_of, dollars_plot, kinds_of, lane_plots, pages_plot
from tests.runs.courses import course
from tests.runs.fleets import LAUNCH

counts = st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**6)), min_size=1, max_size=BARS)


@pytest.mark.parametrize(("seconds", "bars"), [(0.2, 1), (1, 1), (18.9, 18), (60, 60), (3600, 60)])
def test_pages_are_counted_in_times_of_a_second_or_more(seconds: float, bars: int) -> None:
    assert bars_of(course()._replace(until=course().began + timedelta(seconds=seconds))) == bars


@given(counts, st.integers(1, 10**7))
def test_bars_lie_in_their_drawing_and_end_at_a_round_number(parts: list[tuple[int, int]], seconds: int) -> None:
    plot = pages_plot(parts, LAUNCH, LAUNCH + timedelta(seconds=seconds))
    most = max(read + failed for read, failed in parts)
    if plot is None:
        assert most == 0
        return
    for bar in plot.bars:
        assert bar.y >= -1e-6 and bar.y + bar.height <= HEIGHT + 1e-6 and bar.x + bar.width <= WIDTH
    top, middle, zero = (int(tick.replace(",", "")) for tick in plot.ticks)
    assert top >= most and top == 2 * middle and zero == 0
    assert f"{sum(read for read, _ in parts):,} pages" in plot.summary


def test_each_bar_says_when_and_how_many() -> None:
    plot = pages_plot([(0, 0), (3, 1)], LAUNCH, LAUNCH + timedelta(hours=2))
    assert plot is not None
    assert [bar.title for bar in plot.bars] == ["13:00: 3 read", "13:00: 1 failed"]
    assert list(plot.times) == ["12:00", "12:30", "13:00", "13:30", "14:00"]


def test_a_run_of_days_has_dates_on_its_axis() -> None:
    plot = pages_plot([(1, 0)], LAUNCH, LAUNCH + timedelta(days=2))
    assert plot is not None
    assert plot.times[0] == "01-01 12:00" and plot.times[-1] == "01-03 12:00"


def test_the_lanes_of_a_fleet_show_boots_work_drains_and_notices() -> None:
    lanes = lane_plots(course())
    assert [kind for kind, _ in kinds_of(lanes)] == ["boot", "work", "drain", "idle", "notice"]
    assert all(0 <= bar.x <= bar.x + bar.width <= WIDTH + 2 for lane in lanes for bar in lane.bars)
    assert "interruption notice at 12:19" in [bar.title for bar in lanes[0].bars]


def test_the_cost_is_a_line_and_the_cap_a_level_above_it() -> None:
    found = course()
    plot = dollars_plot(found._replace(cap=10.0))
    assert plot is not None and plot.level == 0.0 and plot.level_label == "cap $10.00"
    assert plot.ticks == ["$10.00", "$5.00", "$0.00"]
    assert plot.line.startswith(f"M0.0,{HEIGHT}")
    assert dollars_plot(found._replace(dollars=[])) is None
