"""What a run converted and what it cost."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pdfbatch.views.words import (
    asked_pages,
    at,
    duration,
    endpoint_use,
    money,
    outcomes,
    plural,
    readers,
    reasons,
    scores,
    sink,
    skipped,
    some,
    spared,
    state_text,
    to_copy,
)

if TYPE_CHECKING:
    from pdfbatch.runs.report import Report, Retried, Spent, Waste


def report_screen(report: Report) -> RenderableType:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in _facts(report):
        facts.add_row(name, value if isinstance(value, Text) else Text(value))
    if report.runs == 1:
        return Group(Text.assemble(state_text(report.state), f"  run {report.run}"), facts)
    head = Text.assemble(state_text(report.state), f"  {report.runs:,} runs, the latest {report.run}")
    return Group(head, facts, to_copy("one run:", f"pdfbatch report {shlex.quote(report.output)} --run ID"))


def report_facts(report: Report) -> list[tuple[str, str]]:
    """Returns the lines of the screen as names and plain text."""
    return [(name, str(value)) for name, value in _facts(report)]


def _facts(report: Report) -> list[tuple[str, str | Text]]:
    documents, pages = report.documents, report.pages
    facts: list[tuple[str, str | Text]] = [
        ("documents", ", ".join([outcomes(documents), *([skipped(documents.skipped)] if report.runs == 1 else [])])),
        ("pages", f"{pages.read:,} read, {pages.failed:,} failed"),
    ]
    if pages.asked:
        facts.append(("selected", asked_pages(pages)))
    if pages.read_by:
        facts.append(("method", readers(pages.read_by, report.engine, pages.model_use.elements)))
    if pages.read_by and report.engine == "auto":
        facts.append(("auto saved", spared(report.spared)))
    if pages.model_use.endpoint.answers:
        facts.append(("endpoint", endpoint_use(pages.model_use.endpoint)))
    if pages.scores:
        facts.append(("scores", scores(pages.scores)))
    if pages.doubtful:
        facts.append(
            ("worst pages", Text(some([f"{key} p. {page} ({score:.2f})" for key, page, score in pages.doubtful])))
        )
    if report.reasons:
        facts.append(("failures", Text(reasons(report.reasons), style="yellow")))
    facts += [("events" if not number else "", sink(each)) for number, each in enumerate(report.events)]
    if report.stopped:
        facts.append(("stopped", Text(some(report.stopped), style="red")))
    facts.append(("time", _time(report)))
    facts.append(("workers" if report.dollars is None else "instances", _machines(report)))
    if report.dollars is not None:
        facts.append(("cost", _cost(report)))
    if report.saved_dollars is not None:
        facts.append(("Spot saved", f"{money(report.saved_dollars)} compared with on-demand prices"))
    elif report.dollars:
        facts.append(("Spot saved", "unknown: the run recorded no on-demand price"))
    if report.waste is not None and report.machines:
        facts += _waste(report.waste, report.dollars)
    if report.retried is not None:
        facts += _retried(report.retried)
    return facts


def _time(report: Report) -> str:
    if report.began is None:
        return duration(report.seconds)
    end = at(report.ended) if report.ended else "now"
    return f"{duration(report.seconds)}{' in all' if report.runs > 1 else ''}, from {at(report.began)} to {end}"


def _machines(report: Report) -> str:
    hours = f"{report.machine_hours:,.2f} hours"
    pace = report.pages_per_machine_hour
    if pace is not None:
        hours += f", {pace:,.0f} pages per hour"
    if report.dollars is None:
        return f"{plural(report.workers, 'worker')}: {hours}"
    interrupted = f", {report.interrupted:,} interrupted" if report.interrupted else ""
    if not report.machines:
        return "none has reported yet; `pdfbatch ls` lists them"
    return f"{plural(report.machines, 'instance')} for {plural(report.workers, 'worker')}{interrupted}: {hours}"


def _cost(report: Report) -> Text:
    if not report.machines:
        return Text(f"not yet known, at most {money(report.worst_dollars)}")
    cost = Text.assemble((money(report.dollars), "bold"))
    if report.dollars_per_1000_pages is not None:
        cost.append(f", {money(report.dollars_per_1000_pages)} per 1,000 pages")
    if report.worst_dollars is not None:
        cost.append(f" (worst case {money(report.worst_dollars)})")
    return cost


def _waste(waste: Waste, dollars: float | None) -> list[tuple[str, str | Text]]:
    def line(what: str, spent: Spent) -> str:
        share = f", {100 * spent.dollars / dollars:.0f} %" if spent.dollars and dollars else ""
        return f"{what}: {duration(3600 * spent.hours)}, {money(spent.dollars)}{share}"

    return [
        ("overhead", line("booting", waste.boot)),
        ("", line("interruptions", waste.interruptions)),
        ("", line("idle at the end", waste.idle)),
        ("", f"total: {money(waste.dollars)}"),
    ]


def _retried(retried: Retried) -> list[tuple[str, str | Text]]:
    waiting = f", {retried.not_yet:,} not yet tried" if retried.not_yet else ""
    facts: list[tuple[str, str | Text]] = [
        ("retry of", f"{retried.of}: {retried.fixed:,} fixed, {retried.broken:,} still failing{waiting}")
    ]
    if retried.fixed_keys:
        facts.append(("fixed", Text(some(retried.fixed_keys, retried.fixed), style="green")))
    if retried.broken_keys:
        facts.append(("failing", Text(some(retried.broken_keys, retried.broken), style="yellow")))
    if retried.reasons:
        facts.append(("", f"reasons: {reasons(retried.reasons)}"))
    return facts
