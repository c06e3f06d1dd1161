"""The screen of `runs`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pdfbatch.views.words import STATE_STYLE, money

if TYPE_CHECKING:
    from pdfbatch.runs.past import PastRun, PastRuns


def runs_screen(found: PastRuns) -> RenderableType:
    """Shows a line per run, oldest first; it must fit 80 columns with the whole ID."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("run", "state"):
        table.add_column(name, no_wrap=True)
    for name in ("docs", "ok", "partial", "failed", "cost"):
        table.add_column(name, justify="right", no_wrap=True)
    for run in found.runs:
        table.add_row(*_row(run))
    hint = "A run ID starts with the run's time, in UTC. Details of a run:"
    command = f"pdfbatch report {shlex.quote(found.output)} --run RUN"
    return Group(table, Text(hint, style="dim"), Text(command, style="dim", no_wrap=True, overflow="ignore"))


def _row(run: PastRun) -> list[RenderableType]:
    documents = run.documents
    return [
        run.run,
        Text(run.state, style=STATE_STYLE.get(run.state, "")),
        f"{documents.total - documents.skipped:,}",
        f"{documents.ok:,}",
        f"{documents.partial:,}",
        f"{documents.failed:,}",
        money(run.dollars),
    ]
