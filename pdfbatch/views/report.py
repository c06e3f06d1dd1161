"""What a run brought and what it cost."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pdfbatch.runs.report import Report, Retried, Spent, Waste
from pdfbatch.views.words import (
    asked_pages,
    at,
    duration,
    money,
    plural,
    readers,
    reasons,
    scores,
    skipped,
    some,
    spared,
    state_text,
)


def report_screen(report: Report) -> RenderableType:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for name, told in _facts(report):
        facts.add_row(name, told if isinstance(told, Text) else Text(told))
    return Group(Text.assemble(state_text(report.state), f"  run {report.run}"), facts)


def _facts(report: Report) -> list[tuple[str, str | Text]]:
    documents, pages = report.documents, report.pages
    facts: list[tuple[str, str | Text]] = [
        (
            "documents",
            f"{documents.done:,} of {documents.total:,}: {documents.ok:,} ok, {documents.partial:,} partial, "
            f"{documents.failed:,} failed, {skipped(documents.skipped)}",
        ),
        ("pages", f"{pages.read:,} read, {pages.failed:,} unread"),
    ]
    if pages.asked:
        facts.append(("asked", asked_pages(pages)))
    if pages.read_by:
        facts.append(("read by", readers(pages.read_by, report.engine, pages.model_use.elements)))
    if pages.read_by and report.engine == "auto":
        facts.append(("spared", spared(report.spared)))
    if pages.scores:
        facts.append(("scores", scores(pages.scores)))
    if pages.doubtful:
        facts.append(
            ("worst pages", Text(some([f"{key} p. {page} ({score:.2f})" for key, page, score in pages.doubtful])))
        )
    if report.reasons:
        facts.append(("failures", Text(reasons(report.reasons), style="yellow")))
    if report.stopped:
        facts.append(("stopped", Text(some(report.stopped), style="red")))
    facts.append(("time", _time(report)))
    facts.append(("workers" if report.dollars is None else "instances", _machines(report)))
    if report.dollars is not None:
        facts.append(("cost", _cost(report)))
    if report.saved_dollars is not None:
        facts.append(("saved", f"{money(report.saved_dollars)} against on-demand prices"))
    elif report.dollars:
        facts.append(("saved", "not known: the record has no on-demand price"))
    if report.waste is not None:
        facts += _waste(report.waste, report.dollars)
    if report.retried is not None:
        facts += _retried(report.retried)
    return facts


def _time(report: Report) -> str:
    if report.began is None:
        return duration(report.seconds)
    end = at(report.ended) if report.ended else "now"
    return f"{duration(report.seconds)}, from {at(report.began)} to {end}"


def _machines(report: Report) -> str:
    hours = f"{report.machine_hours:,.2f} hours"
    pace = report.pages_per_machine_hour
    if pace is not None:
        hours += f", {pace:,.0f} pages an hour"
    if report.dollars is None:
        return f"{plural(report.workers, 'worker')}: {hours}"
    lost = f", {report.interrupted:,} interrupted" if report.interrupted else ""
    if not report.machines:
        return "none has told of itself yet; what AWS bills, `pdfbatch ls` shows"
    return f"{plural(report.machines, 'instance')} for {plural(report.workers, 'worker')}{lost}: {hours}"


def _cost(report: Report) -> Text:
    told = Text.assemble((money(report.dollars), "bold"))
    if report.dollars_per_1000_pages is not None:
        told.append(f", {money(report.dollars_per_1000_pages)} per 1,000 pages")
    if report.worst_dollars is not None:
        told.append(f" (worst case {money(report.worst_dollars)})")
    return told


def _waste(waste: Waste, dollars: float | None) -> list[tuple[str, str | Text]]:
    def told(what: str, spent: Spent) -> str:
        share = f", {100 * spent.dollars / dollars:.0f} %" if spent.dollars and dollars else ""
        return f"{what}: {duration(3600 * spent.hours)}, {money(spent.dollars)}{share}"

    return [
        ("lost to", told("booting", waste.boot)),
        ("", told("interruptions", waste.interruptions)),
        ("", told("idle at the end", waste.idle)),
        ("", f"all three: {money(waste.dollars)}"),
    ]


def _retried(retried: Retried) -> list[tuple[str, str | Text]]:
    waiting = f", {retried.not_yet:,} not yet tried" if retried.not_yet else ""
    facts: list[tuple[str, str | Text]] = [
        ("retry of", f"{retried.of}: {retried.fixed:,} fixed, {retried.broken:,} still broken{waiting}")
    ]
    if retried.fixed_keys:
        facts.append(("fixed", Text(some(retried.fixed_keys, retried.fixed), style="green")))
    if retried.broken_keys:
        facts.append(("broken", Text(some(retried.broken_keys, retried.broken), style="yellow")))
    if retried.reasons:
        facts.append(("", f"because of {reasons(retried.reasons)}"))
    return facts
