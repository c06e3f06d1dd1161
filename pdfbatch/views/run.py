"""Screens of one slice while it runs and when it has ended, and of `verify`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pdfbatch.records import Heartbeat, Outcome, output_key
from pdfbatch.runs.savings import savings
from pdfbatch.views.bar import ProgressLine
from pdfbatch.views.failures import failure_line, failures_command
from pdfbatch.views.words import (
    SHOWN_FAILURES,
    asked_pages,
    done_at,
    dotted,
    duration,
    endpoint_use,
    plural,
    readers,
    reasons,
    scores,
    skipped,
    some,
    spared,
    state_text,
    to_copy,
)
from pdfbatch.visible import visible

if TYPE_CHECKING:
    from pdfbatch.runs.progress import RunStatus
    from pdfbatch.runs.verify import Verdict

_PLAIN_SECONDS = 5.0


def live(beat: Heartbeat, now: datetime) -> RenderableType:
    """Draws the live screen of `local-run`: a bar, figures, failures by reason, what is being read."""
    counts = beat.counts
    figures = f"{beat.pages_per_second:.1f} pages/s"
    lines: list[RenderableType] = [
        ProgressLine(state_text(beat.state), counts.done, counts.total, "document", figures),
        _one_line(
            dotted(
                f"{duration(beat.seconds)} elapsed", done_at(beat.eta_seconds, now), plural(counts.pages_read, "page")
            )
        ),
    ]
    if beat.state == "draining":
        lines.append(_one_line("Finishing the pages being read; Ctrl-C again to quit at once", "yellow"))
    if counts.reasons:
        lines.append(_one_line("failed   " + reasons(counts.reasons), "yellow"))
    lines += [_one_line(f"reading  {what}", "dim") for what in beat.reading]
    return Group(*lines)


def _one_line(line: str, style: str = "") -> Text:
    return Text(visible(line), style=style, no_wrap=True, overflow="ellipsis")


def plain_line(beat: Heartbeat) -> str:
    """Formats progress as one line for logs and pipes."""
    counts = beat.counts
    state = "" if beat.state in ("starting", "running", "done") else beat.state
    figures = [
        duration(beat.seconds),
        f"{counts.done}/{counts.total} documents",
        plural(counts.pages_read, "page"),
        f"{beat.pages_per_second:.1f} pages/s",
        state,
        f"ETA {duration(beat.eta_seconds)}",
        reasons(counts.reasons),
    ]
    return " | ".join(figure for figure in figures if figure)


class Progress:
    """Shows a slice while it runs: redrawn in place on a terminal, elsewhere as a plain line every few seconds."""

    def __init__(self, beat: Callable[[], Heartbeat], console: Console, now: Callable[[], datetime]) -> None:
        self._beat = beat
        self._console = console
        self._redraws = console.is_terminal and not console.is_dumb_terminal
        self._ended = threading.Event()
        self._live = Live(
            console=console, get_renderable=lambda: live(beat(), now()), transient=True, refresh_per_second=4
        )
        self._thread = threading.Thread(target=self._plain_lines, name="progress", daemon=True)

    def __enter__(self) -> Progress:
        if self._redraws:
            self._live.start()
        else:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._redraws:
            self._live.stop()
        else:
            self._thread.join()

    def _plain_lines(self) -> None:
        while not self._ended.wait(_PLAIN_SECONDS):
            self._console.print(Text(plain_line(self._beat())), soft_wrap=True)


def closing(status: RunStatus, failures: Sequence[Outcome], next_step: str) -> RenderableType:
    """Shows how a run ended: counts, the first failures, where the Markdown is, and the next command."""
    facts = _facts()
    pages = status.pages
    if status.run and (pages.read or pages.failed or status.engine != "command"):
        facts.add_row("pages", Text(_page_figures(status)))
    elif status.run:  # a command's own Markdown need not say where pages begin
        facts.add_row("time", Text(duration(status.seconds)))
    if pages.asked:
        facts.add_row("selected", Text(asked_pages(pages)))
    if pages.read_by:
        facts.add_row("method", Text(readers(pages.read_by, status.engine, pages.model_use.elements)))
    if pages.read_by and status.engine == "auto":
        facts.add_row("saved", Text(spared(savings(pages.read_by, pages.model_use))))
    if pages.model_use.endpoint.answers:
        facts.add_row("endpoint", Text(endpoint_use(pages.model_use.endpoint)))
    if pages.doubtful:
        facts.add_row("scores", Text(scores(pages.scores)))
    if status.model:
        facts.add_row("model", Text(status.model))
    if status.reasons:
        facts.add_row("failed", Text(reasons(status.reasons), style="yellow"))
        facts.add_row("", Group(*map(failure_line, failures[:SHOWN_FAILURES])))
    parts: list[RenderableType] = [_head(status), facts]
    if (more := len(failures) - SHOWN_FAILURES) > 0:
        parts.append(to_copy("", f"{more:,} more: {failures_command(status.output)}"))
    parts.append(to_copy("Markdown", status.output))
    if next_step:
        parts.append(to_copy("next:", next_step, "bold"))
    return Group(*parts)


def _head(status: RunStatus) -> Text:
    """Formats `DONE  8 ok, 3 failed`. A run without an ID was not started, because nothing was left."""
    documents = status.documents
    waiting = documents.total - documents.done
    counts = {"ok": documents.ok, "partial": documents.partial, "failed": documents.failed, "left": waiting}
    parts = [f"{count:,} {name}" for name, count in counts.items() if count]
    figures = ", ".join([*parts, *([skipped(documents.skipped)] if documents.skipped else [])])
    state = state_text(status.state) if status.run else Text("Nothing to do", style="bold")
    if not status.run and not figures:
        return state
    return Text.assemble(state, "  ", figures or "no documents")


def _page_figures(status: RunStatus) -> str:
    pages = status.pages
    unread = f", {pages.failed:,} failed" if pages.failed else ""
    pace = sum(worker.pages_per_second for worker in status.workers)
    return dotted(
        f"{pages.read:,} read{unread}",
        _in_time(status),
        f"{pace:.1f} pages/s" if pace else "",
        f"{pages.resumed:,} from an earlier session" if pages.resumed else "",
    )


def _facts() -> Table:
    facts = Table.grid(padding=(0, 1))
    facts.add_column(min_width=len("Markdown"))
    facts.add_column(overflow="fold")
    return facts


def _in_time(status: RunStatus) -> str:
    """Formats the time of the last process, and how many of the pages it read itself."""
    pages, time = status.pages, duration(status.seconds)
    if status.launched or pages.here is None or pages.here >= pages.read + pages.failed:
        return f"in {time}"
    return f"{pages.here:,} in this session, in {time}"


def verdict_screen(verdict: Verdict) -> RenderableType:
    """Shows the counts of `verify`, then every finding with its first keys."""
    head = Text.assemble(
        (f"{plural(verdict.inputs, 'input')}: ", "bold"),
        f"{verdict.ok:,} ok, {verdict.partial:,} partial, {verdict.failed:,} failed",
    )
    lines: list[RenderableType] = [head]
    foreign = {output_key(key) for key in verdict.foreign}
    findings = (
        ("without an outcome", verdict.no_outcome, "red"),
        ("of them with Markdown that no run has written", verdict.foreign, "red"),
        ("with missing Markdown", verdict.lost, "red"),
        ("whose Markdown lacks pages, or has others", verdict.wrong_pages, "red"),
        ("with missing figures", verdict.lost_figures, "red"),
        ("changed since they were converted", verdict.changed, "yellow"),
        ("whose latest try failed, with Markdown of an earlier one", verdict.stale, "yellow"),
        ("no longer in the input", verdict.missing, "dim"),
        ("Markdown without an input", [key for key in verdict.orphans if key not in foreign], "dim"),
    )
    for what, keys, style in findings:
        if keys:
            lines.append(Text(f"{len(keys):,} {what}: {some(keys)}", style=style))
    lines += [Text(fix, style="bold") for fix in _fixes(verdict)]
    lines.append(Text(_judgement(verdict), style="bold"))
    return Group(*lines)


def _fixes(verdict: Verdict) -> list[str]:
    fixes = []
    if len(verdict.no_outcome) > len(verdict.foreign):
        fixes.append("unfinished: run the same command again to resume")
    if verdict.lost:
        fixes.append("run the same command again to restore the missing Markdown")
    if bad := sorted({*verdict.foreign, *verdict.wrong_pages, *verdict.lost_figures}):
        outputs = some([output_key(key) for key in bad])
        fixes.append(f"delete {outputs} in {verdict.output}, then run the same command again")
    if verdict.changed:
        fixes.append("run the same command with --changed to convert the changed PDFs again")
    return fixes


def _judgement(verdict: Verdict) -> str:
    if verdict.sound:
        return "Verified: every input has an outcome, and every Markdown its pages and figures"
    if verdict.no_outcome:
        return f"Incomplete: {len(verdict.no_outcome):,} of {verdict.inputs:,} not yet tried"
    return "Problems found: see above"
