"""The parts of the run page that change, by id: each is replaced alone, so that the others stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from pdfbatch import views
from pdfbatch.runs.progress import RunStatus
from pdfbatch.runs.timeline import Timeline
from pdfbatch.visible import visible
from pdfbatch.web import plots

_STEPS = ("1.0", "0.9", "0.8", "0.7", "0.6", "0.5", "0.4", "0.3", "0.2", "0.1", "0.0")


class Course(NamedTuple):
    """A run over time. `counts`: the pages read and failed in equal times from its begin to its end."""

    timeline: Timeline
    counts: Sequence[tuple[int, int]]


def run_fragments(status: RunStatus, course: Course, links: bool = True) -> dict[str, Markup]:
    """Returns the fragments of a run's page, made safe. `links`: to the other pages."""
    parts = _parts()
    reasons = [
        (name.replace("_", " "), count, _documents(status.run, reason=name) if links else "")
        for name, count in status.reasons.items()
    ]
    lowest = min(status.pages.scores, default="2")
    scores = [(_step(step), status.pages.scores.get(step, 0), "") for step in _STEPS if step >= lowest]
    facts = {
        "progress": parts.progress(status, _facts(status)),
        **_plots(course),
        "workers": parts.workers(status.workers),
        "reasons": parts.bars("Failures by reason", "", reasons, _most(reasons)),
        "scores": parts.bars("Pages by score", "How reliable their text is, from 0 to 1.", scores, _most(scores)),
        "worst": parts.worst(status.pages.doubtful, status.run) if links else "",
    }
    return {name: Markup(text) for name, text in facts.items()}


def _plots(course: Course) -> dict[str, str]:
    drawings, (line, counts) = _drawings(), course
    lanes = plots.lane_plots(line)
    return {
        "pages": drawings.over_time("Pages over time", plots.pages_plot(counts, line.began, line.until)),
        "lanes": drawings.lanes(lanes, plots.kinds_of(lanes), plots.lane_times(line)),
        "dollars": drawings.over_time("Dollars over time", plots.dollars_plot(line)),
    }


def environment() -> Environment:
    """Returns the templates: everything that they show is made visible, then escaped."""
    found = Environment(
        loader=PackageLoader("pdfbatch.web"), autoescape=True, finalize=_shown, trim_blocks=True, lstrip_blocks=True
    )
    found.globals.update(address=address, plural=views.plural, money=views.money, duration=views.duration)
    return found


def address(path: str, **query: object) -> str:
    """Returns an address on this site; parameters that are "" are left out."""
    given = {name: value for name, value in query.items() if value != ""}
    return f"{path}?{urlencode(given)}" if given else path


@cache
def _parts() -> Any:
    return environment().get_template("fragments.html").module


@cache
def _drawings() -> Any:
    return environment().get_template("plots.html").module


def _shown(value: object) -> object:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _facts(status: RunStatus) -> str:
    read_by = views.readers(status.pages.read_by, status.engine, status.pages.model_use.elements)
    return " · ".join(part for part in (views.duration(status.seconds), read_by) if part)


def _documents(run: str, **filters: str) -> str:
    return address("/documents", run=run, **filters)


def _step(step: str) -> str:
    return "1" if step == "1.0" else f"{step} to {float(step) + 0.1:.1f}"


def _most(rows: list[tuple[str, int, str]]) -> int:
    return max((count for _, count, _ in rows), default=1)
