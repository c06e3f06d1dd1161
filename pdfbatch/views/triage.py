"""What a training found out, and what a triage makes of an output."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from pdfbatch.views.words import plural, to_copy

if TYPE_CHECKING:
    from pdfbatch.records import CurvePoint, PolicyReport, TriageReport
    from pdfbatch.triage.registry import Tracked
    from pdfbatch.triage.scoring import Scored

_NAMES = {"auto": "auto: text layers first", "fallback": "fallback: after cpu"}
_RULES = {"auto": "untrusted layers", "fallback": "low scores"}


@contextmanager
def comparing(console: Console) -> Iterator[Callable[[int, int], None]]:
    """Shows progress on a terminal."""
    columns = (TextColumn("COMPARING", style="green"), BarColumn(), MofNCompleteColumn(), TextColumn("documents"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def train_json(report: TriageReport, tracked: Tracked | None, file: str) -> str:
    """Returns the report as JSON, with where the triage was kept."""
    kept = {"file": file or None, "mlflow": tracked._asdict() if tracked else None}
    return json.dumps({**report.model_dump(mode="json"), **kept}, indent=2)


def train_screen(report: TriageReport, tracked: Tracked | None, file: str, named: str) -> RenderableType:
    """Shows triage and rule on the held-out pages, and how to use the triage."""
    facts = _facts()
    facts.add_row("pages", f"{report.pages:,} of {plural(report.documents, 'document')}, read both ways")
    _add_left_out(facts, report)
    facts.add_row("held out", f"{report.held_out_pages:,} of {plural(report.held_out_documents, 'document')}")
    strongest = ", ".join(f"{name} {weight:+.2f}" for name, weight in report.weights[:5])
    facts.add_row("signals", strongest or "none")
    if file:
        facts.add_row("file", file)
    if tracked:
        alias = f", alias {tracked.alias}" if tracked.alias else ""
        facts.add_row("mlflow", f"{tracked.name}{alias}")
        facts.add_row("run", f"{tracked.run} at {tracked.address}")
    use = f"pdfbatch local-run INPUT OUTPUT --engine auto --triage {shlex.quote(named)}"
    step = [to_copy("use it:", use)] if named else []
    return Group(Text("TRAINED", "bold green"), facts, "", *_policies(report), *step)


def score_screen(found: Scored) -> RenderableType:
    """Shows how many pages go to the model, why, and the worst of them."""
    facts = _facts()
    facts.add_row("by", found.by)
    facts.add_row("pages", f"{found.pages:,} of {plural(found.documents, 'document')}")
    facts.add_row(
        "to the model",
        f"{found.to_model:,} ({found.to_model / found.pages:.0%}); by the rule "
        f"{found.by_rule:,} ({found.by_rule / found.pages:.0%}): {_RULES[found.policy]}",
    )
    facts.add_row("expected loss", f"{found.loss_left:.1%}; {found.loss:.1%} without the model")
    if found.why:
        facts.add_row("mostly for", ", ".join(f"{why} {count:,}" for why, count in list(found.why.items())[:5]))
    worst = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name, justify in (("loss", "right"), ("page", "right"), ("document", "left"), ("why", "left")):
        worst.add_column(name, justify="right" if justify == "right" else "left", overflow="fold")
    for page in found.worst:
        worst.add_row(f"{page.verdict.loss:.0%}", f"{page.page:,}", page.key, ", ".join(page.verdict.why) or "stays")
    measured = _policies(found.report) if found.report else []
    return Group(Text("SCORED", "bold green"), facts, "", worst, *(["", *measured] if measured else []))


def _policies(report: TriageReport) -> list[RenderableType]:
    return [part for name, one in report.policies.items() for part in (_operating(name, one), _curve(one.curve), "")]


def _operating(name: str, report: PolicyReport) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(Text(_NAMES[name], "bold"), min_width=28)
    table.add_column("model pages", justify="right")
    table.add_column("quality", justify="right")
    table.add_row(f"rule: {_RULES[name]}", f"{report.rule.share:.1%}", f"{report.rule.quality:.1%}")
    table.add_row("triage", f"{report.chosen.share:.1%}", f"{report.chosen.quality:.1%}")
    table.add_row("triage, as good as the rule", f"{report.share_for_rule_quality:.1%}", f"{report.rule.quality:.1%}")
    table.add_row("no model", "0.0%", f"{report.none:.1%}")
    return table


def _curve(points: list[CurvePoint]) -> RenderableType:
    shown = points[::2]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("model pages")
    for point in shown:
        table.add_column(f"{point.share:.0%}", justify="right")
    table.add_row("triage", *(f"{point.triage * 100:.1f}" for point in shown))
    table.add_row("rule", *(f"{point.rule * 100:.1f}" for point in shown))
    table.add_row("best", *(f"{point.best * 100:.1f}" for point in shown))
    return table


def _facts() -> Table:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    return facts


def _add_left_out(facts: Table, report: TriageReport) -> None:
    if report.left_out:
        facts.add_row("left out", ", ".join(f"{count:,} {why}" for why, count in report.left_out.items()))
