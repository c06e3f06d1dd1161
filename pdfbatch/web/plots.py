"""Plots as values for the templates: shapes in a drawing that is stretched to its place, and labels beside it.

Own SVG rather than a plotting library: the smallest of those weighs more than all other packages of these pages
together, scales its labels with the drawing, which nobody can read on a phone, and has no dark theme.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from pdfbatch import views
from pdfbatch.runs.timeline import SpanKind, Timeline

WIDTH, HEIGHT, LANE = 1000, 100, 10
"""The drawing's own units; it has no size of its own."""
BARS = 60
_QUARTERS = 4
_WORDS: dict[str, str] = {
    "boot": "booting",
    "work": "working",
    "drain": "draining",
    "idle": "idle",
}


class Bar(NamedTuple):
    """A rectangle of a drawing, and what it says when it is pointed at."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    title: str


class Plot(NamedTuple):
    """A drawing. `line` is a path; `level` a height that is marked with `level_label`. `ticks` go from top to bottom,
    `times` from left to right, at even distances. `summary` says in words what is drawn."""

    bars: Sequence[Bar]
    line: str
    level: float | None
    level_label: str
    ticks: Sequence[str]
    times: Sequence[str]
    summary: str


class LanePlot(NamedTuple):
    """A worker's time line: its spans, then its interruption notices."""

    worker: int
    bars: Sequence[Bar]


def bars_of(course: Timeline) -> int:
    """Returns in how many equal times pages are counted: up to `BARS`, of a second at least."""
    return max(1, min(BARS, int((course.until - course.began).total_seconds())))


def pages_plot(counts: Sequence[tuple[int, int]], began: datetime, until: datetime) -> Plot | None:
    """Draws the pages read and failed in each of some equal times; None if there are none."""
    most = max((read + failed for read, failed in counts), default=0)
    if not most:
        return None
    top, width = _round_up(most), WIDTH / len(counts)
    step = (until - began) / len(counts)
    bars = []
    for number, (read, failed) in enumerate(counts):
        when = _time(began + step * number, until - began)
        for kind, below, count in (("read", 0, read), ("failed", read, failed)):
            if count:
                y, height = HEIGHT * (1 - (below + count) / top), HEIGHT * count / top
                bars.append(Bar(kind, number * width, y, width * 0.86, height, f"{when}: {count:,} {kind}"))
    total = sum(read for read, _ in counts)
    pace = total / max((until - began).total_seconds(), 1) * 60
    summary = f"{total:,} pages, {pace:,.1f} a minute; at most {most:,} in {views.duration(step.total_seconds())}"
    return Plot(bars, "", None, "", _ticks(top), _times(began, until), summary)


def dollars_plot(course: Timeline) -> Plot | None:
    """Draws the cost over time, and the cap; None on your own machine."""
    if not course.dollars:
        return None
    top = _round_up(max(course.dollars[-1], course.cap or 0.0, 0.01), whole=False)
    step = WIDTH / (len(course.dollars) - 1)
    points = [f"{number * step:.1f},{HEIGHT * (1 - cost / top):.2f}" for number, cost in enumerate(course.dollars)]
    level = HEIGHT * (1 - course.cap / top) if course.cap else None
    cap = f"cap {views.money(course.cap)}" if course.cap else ""
    summary = f"{views.money(course.dollars[-1])} so far" + (f", {cap}" if cap else "")
    ticks = [views.money(top * part / 2) for part in (2, 1, 0)]
    return Plot((), "M" + " L".join(points), level, cap, ticks, _times(course.began, course.until), summary)


def lane_plots(course: Timeline) -> list[LanePlot]:
    """Draws what each worker's instances did."""
    length = course.until - course.began

    def place(at: datetime) -> float:
        return WIDTH * min(1.0, max(0.0, (at - course.began) / length))

    def bar(kind: SpanKind, begin: datetime, end: datetime, where: str) -> Bar:
        x = place(begin)
        title = f"{_WORDS[kind]} {views.duration((end - begin).total_seconds())} from {_time(begin, length)}: {where}"
        return Bar(kind, x, 0, max(1.5, place(end) - x), LANE, title)

    def mark(at: datetime) -> Bar:
        return Bar("notice", place(at) - 1, -1, 3, LANE + 2, f"interruption notice at {_time(at, length)}")

    return [
        LanePlot(lane.worker, [*(bar(*span) for span in lane.spans), *map(mark, lane.notices)]) for lane in course.lanes
    ]


def lane_times(course: Timeline) -> list[str]:
    return _times(course.began, course.until)


def kinds_of(lanes: Iterable[LanePlot]) -> list[tuple[str, str]]:
    """Returns the kinds of spans that occur, with their words, for a legend."""
    known = {bar.kind for lane in lanes for bar in lane.bars}
    words = _WORDS | {"notice": "interruption notice"}
    return [(kind, word) for kind, word in words.items() if kind in known]


def _round_up(value: float, whole: bool = True) -> float:
    """Returns the next round number whose half is round as well."""
    power = 10.0 ** math.floor(math.log10(value))
    found = next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= value * (1 - 1e-9))
    return max(2.0, found) if whole else found


def _ticks(top: float) -> list[str]:
    return [f"{top * part / 2:,.0f}" for part in (2, 1, 0)]


def _times(began: datetime, until: datetime) -> list[str]:
    length = until - began
    return [_time(began + length * number / _QUARTERS, length) for number in range(_QUARTERS + 1)]


def _time(at: datetime, length: timedelta) -> str:
    """Returns a time in UTC, as exact as a plot of this length needs."""
    form = "%m-%d %H:%M" if length > timedelta(hours=24) else "%H:%M" if length > timedelta(minutes=5) else "%H:%M:%S"
    return at.astimezone(UTC).strftime(form)
