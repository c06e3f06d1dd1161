"""One slice while it runs, and how it ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pdfbatch.records import Heartbeat, Outcome, RunKeys, output_key
from pdfbatch.runs.progress import RunStatus
from pdfbatch.runs.savings import savings
from pdfbatch.runs.verify import Verdict
from pdfbatch.views.words import SHOWN_KEYS, asked_pages, duration, plural, readers, reasons, scores, some, spared

_PLAIN_SECONDS = 5.0


def live(beat: Heartbeat) -> RenderableType:
    """The live screen of `local-run`: a bar, the figures, what is being read, failures by reason."""
    counts = beat.counts
    bar = Table.grid(padding=(0, 1), expand=True)
    bar.add_column(no_wrap=True)
    bar.add_column(ratio=1)
    bar.add_column(no_wrap=True, justify="right")
    bar.add_row(
        Text(f"{counts.done:,}/{plural(counts.total, 'document')}"),
        ProgressBar(total=max(counts.total, 1), completed=counts.done),
        Text(f"ETA {duration(beat.eta_seconds)}", style="cyan"),
    )
    lines: list[RenderableType] = [bar, Text(_figures(beat), no_wrap=True, overflow="ellipsis")]
    if beat.state == "draining":
        stopping = "stopping: the pages being read are finished first; Ctrl-C again ends at once"
        lines.append(Text(stopping, style="yellow", no_wrap=True, overflow="ellipsis"))
    if counts.reasons:
        lines.append(Text("failures  " + reasons(counts.reasons), style="yellow", no_wrap=True, overflow="ellipsis"))
    lines += [Text(f"  reading  {what}", style="dim", no_wrap=True, overflow="ellipsis") for what in beat.reading]
    return Group(*lines)


def plain_line(beat: Heartbeat) -> str:
    """One line of progress for logs and pipes."""
    counts = beat.counts
    failures = f" | {reasons(counts.reasons)}" if counts.reasons else ""
    return (
        f"{duration(beat.seconds)} | {counts.done}/{counts.total} documents | {_figures(beat)}"
        f" | ETA {duration(beat.eta_seconds)}{failures}"
    )


class Progress:
    """Shows a slice while it runs: redrawn in place on a terminal, a plain line every few seconds elsewhere."""

    def __init__(self, beat: Callable[[], Heartbeat], console: Console) -> None:
        self._beat = beat
        self._console = console
        self._ended = threading.Event()
        self._live = Live(console=console, get_renderable=lambda: live(beat()), transient=True, refresh_per_second=4)
        self._thread = threading.Thread(target=self._plain_lines, name="progress", daemon=True)

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live.start()
        else:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._console.is_terminal:
            self._live.stop()
        else:
            self._thread.join()

    def _plain_lines(self) -> None:
        while not self._ended.wait(_PLAIN_SECONDS):
            self._console.print(plain_line(self._beat()), markup=False, highlight=False, soft_wrap=True)


def _figures(beat: Heartbeat) -> str:
    state = "" if beat.state in ("starting", "running", "done") else f" | {beat.state}"
    return f"{plural(beat.counts.pages_read, 'page')} | {beat.pages_per_second:.1f} pages/s{state}"


def closing(status: RunStatus, failures: Sequence[Outcome], next_steps: Sequence[str]) -> RenderableType:
    """The table at the end of a run, its first failures, where the Markdown lies, and what to type next."""
    documents = status.documents
    table = Table(show_edge=False, pad_edge=False)
    table.add_column("outcome", no_wrap=True)
    table.add_column("documents", justify="right")
    table.add_column("reasons", overflow="fold")
    unread = documents.partial + documents.failed
    table.add_row(Text("ok", style="green"), f"{documents.ok:,}", "")
    if documents.skipped:
        table.add_row("skipped", f"{documents.skipped:,}", "had their Markdown already")
    if documents.partial:
        table.add_row(
            Text("partial", style="yellow"),
            f"{documents.partial:,}",
            "" if documents.failed else reasons(status.reasons),
        )
    if documents.failed:
        table.add_row(Text("failed", style="red"), f"{documents.failed:,}", reasons(status.reasons))
    if waiting := documents.total - documents.done:
        table.add_row("not yet", f"{waiting:,}", "")
    pages = status.pages
    figures = f"{pages.read:,} read, {pages.failed:,} unread, {_in_time(status)}"
    if pace := sum(worker.pages_per_second for worker in status.workers):
        figures += f", {pace:.1f} pages/s"
    if pages.resumed:
        figures += f"; {plural(pages.resumed, 'page')} taken from checkpoints"
    facts = _facts()
    facts.add_row("pages", Text(figures))
    if pages.asked:
        facts.add_row("asked", Text(asked_pages(pages)))
    if pages.read_by:
        facts.add_row("read by", Text(readers(pages.read_by, status.engine, pages.model_use.elements)))
    if pages.read_by and status.engine == "auto":
        facts.add_row("spared", Text(spared(savings(pages.read_by, pages.model_use))))
    if pages.doubtful:
        facts.add_row("scores", Text(scores(pages.scores)))
    if status.model:
        facts.add_row("model", Text(status.model))
    parts: list[RenderableType] = [title(status), table, Text(), facts, _to_copy("Markdown", status.output)]
    if unread:
        told = _facts()
        told.add_row("", Group(*map(failure_line, failures[:SHOWN_KEYS])))
        if (more := len(failures) - SHOWN_KEYS) > 0:
            told.add_row("", f"… {more:,} more")
        parts += [_to_copy("failures", f"{status.output}{RunKeys(status.run).failures}"), told]
    parts += [_to_copy("next", step, "bold") for step in next_steps]
    return Group(*parts)


def _facts() -> Table:
    facts = Table.grid(padding=(0, 1))
    facts.add_column(min_width=len("Markdown"))
    facts.add_column(overflow="fold")
    return facts


def _to_copy(name: str, what: str, style: str = "") -> Text:
    """A path or a command, never broken over lines, so that it can be copied whole."""
    return Text.assemble(f"{name:<8} ", (what, style), no_wrap=True, overflow="ignore")


def _in_time(status: RunStatus) -> str:
    """The time is the last process's; pages of earlier ones are not its work."""
    pages, time = status.pages, duration(status.seconds)
    if status.launched or pages.here is None or pages.here >= pages.read + pages.failed:
        return f"in {time}"
    return f"{pages.here:,} of them now, in {time}"


def title(status: RunStatus) -> Text:
    """A run without a name was never begun: nothing was left."""
    return Text(f"Run {status.run}: {status.state}" if status.run else "Nothing to do", style="italic")


def failure_line(outcome: Outcome) -> Text:
    """A document that is failed or partial, and why."""
    why = f"{outcome.reason}: {outcome.detail}" if outcome.detail else str(outcome.reason)
    pages = f", {len(outcome.failed_pages)} of {plural(outcome.pages, 'page')}" if outcome.outcome == "partial" else ""
    return Text.assemble((outcome.key, "yellow"), f"  {why}{pages}")


def verdict_screen(verdict: Verdict) -> RenderableType:
    """What `verify` says: the counts, then every finding with its first keys."""
    head = Text.assemble(
        (f"{plural(verdict.inputs, 'input')}: ", "bold"),
        f"{verdict.ok:,} ok, {verdict.partial:,} partial, {verdict.failed:,} failed",
    )
    lines: list[RenderableType] = [head]
    foreign = {output_key(key) for key in verdict.foreign}
    findings = (
        ("without an outcome", verdict.no_outcome, "red"),
        ("of these with Markdown that no run here made", verdict.foreign, "red"),
        ("whose Markdown is gone", verdict.lost, "red"),
        ("whose page anchors do not match", verdict.wrong_pages, "red"),
        ("whose figures are gone", verdict.lost_figures, "red"),
        ("changed since converted", verdict.changed, "yellow"),
        ("whose Markdown is older than the last, failed try", verdict.stale, "yellow"),
        ("gone from the input", verdict.missing, "dim"),
        ("Markdown without an input", [key for key in verdict.orphans if key not in foreign], "dim"),
    )
    for what, keys, style in findings:
        if keys:
            lines.append(Text(f"{len(keys):,} {what}: {some(keys)}", style=style))
    lines += [Text(cure, style="bold") for cure in _cures(verdict)]
    lines.append(Text(_judgement(verdict), style="bold"))
    return Group(*lines)


def _cures(verdict: Verdict) -> list[str]:
    cures = []
    if len(verdict.no_outcome) > len(verdict.foreign):
        cures.append("unfinished: run the same command again to take up what is left")
    if verdict.lost:
        cures.append("run the same command again to make the Markdown that is gone")
    if bad := sorted({*verdict.foreign, *verdict.wrong_pages, *verdict.lost_figures}):
        outputs = some([output_key(key) for key in bad])
        cures.append(f"delete {outputs} in {verdict.output}, then run the same command again")
    if verdict.changed:
        cures.append("run the same command with --changed to convert the changed PDFs again")
    return cures


def _judgement(verdict: Verdict) -> str:
    if verdict.sound:
        told = f"{verdict.ok:,} ok, {verdict.partial:,} partial, {verdict.failed:,} failed"
        return f"Verified: {verdict.inputs:,} accounted for ({told})"
    if verdict.no_outcome:
        return f"Incomplete: {len(verdict.no_outcome):,} of {verdict.inputs:,} unprocessed"
    return "Not verified: see above"
