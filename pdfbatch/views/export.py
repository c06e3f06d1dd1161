"""An export: its progress, and what it wrote."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pdfbatch.views.bar import ProgressLine
from pdfbatch.views.words import plural, to_copy

if TYPE_CHECKING:
    from pdfbatch.export.export import Exported, Progress

_SECONDS = 0.2
_SPECIAL = frozenset('"$`\\!')
"""What a shell does not leave alone between double quotes."""


@contextmanager
def exporting(console: Console) -> Iterator[Callable[[Progress], object]]:
    """Shows progress on a terminal."""
    if not console.is_terminal or console.is_dumb_terminal:
        yield lambda _: None
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        shown = 0.0

        def tell(progress: Progress) -> None:
            nonlocal shown
            if time.monotonic() - shown >= _SECONDS:
                live.update(_line(progress), refresh=True)
                shown = time.monotonic()

        yield tell


def export_screen(exported: Exported, dest: str) -> RenderableType:
    """Shows what the destination holds, what was done now, and how to load it."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in _facts(exported):
        facts.add_row(name, value)
    head = Text.assemble(("EXPORTED", "bold green"), f"  {exported.record.options.format}")
    command = loading_command(exported, dest)
    return Group(head, facts, *([to_copy("load it:", command)] if command else []))


def loading_command(exported: Exported, dest: str) -> str:
    """Returns a command that shows the beginning of the dataset; "" for single files."""
    first = next((key for shard in exported.record.shards for key in reversed(shard.files)), "")
    if not first or first.startswith("."):
        return ""
    folder, _, name = first.rpartition("part-")
    ending = name[name.index(".") :]
    query = f"SELECT * FROM '{dest}{folder}part-*{ending}' LIMIT 5"
    quoted = shlex.quote(query) if _SPECIAL & set(query) else f'"{query}"'
    return f"duckdb -c {quoted}"


def size(number: float) -> str:
    """Formats bytes: "12.3 MB"."""
    for unit in ("bytes", "kB", "MB"):
        if number < 1000:
            return f"{number:,.0f} {unit}" if unit == "bytes" else f"{number:,.1f} {unit}"
        number /= 1000
    return f"{number:,.1f} GB"


def _line(progress: Progress) -> RenderableType:
    figures = f"{plural(progress.shards, 'shard')}  {size(progress.bytes)}"
    return ProgressLine(Text("EXPORTING", "green"), progress.documents, progress.total, "document", figures)


def _facts(exported: Exported) -> list[tuple[str, str]]:
    shards = exported.record.shards
    documents, rows = sum(shard.documents for shard in shards), sum(shard.rows for shard in shards)
    sizes = [each for shard in shards for each in shard.files.values()]
    in_rows = f" in {rows:,} rows" if exported.record.options.format in ("chunks", "pages") else ""
    facts = [("documents", f"{documents:,}{in_rows}")]
    if left_out := exported.record.left_out:
        facts.append(("left out", ", ".join(f"{number:,} {reason}" for reason, number in left_out.items())))
    for shard_lacks, number in _lacking(exported).items():
        facts.append(("lacking", f"{number:,} without {shard_lacks}"))
    if exported.record.options.format == "markdown":
        facts.append(("files", f"{rows:,}, figures included"))
    else:
        facts.append(("files", f"{len(sizes):,}, {size(sum(sizes))} in all, the largest {size(max(sizes, default=0))}"))
    facts.append(("now", _now(exported)))
    return facts


def _now(exported: Exported) -> str:
    kept = len(exported.record.shards) - exported.written
    if not exported.written and not exported.removed:
        return "nothing to do: everything was there"
    parts = [f"{plural(exported.written, 'shard')} written"]
    if kept:
        parts.append(f"{kept:,} kept")
    if exported.removed:
        parts.append(f"{plural(exported.removed, 'old file')} removed")
    return ", ".join(parts)


def _lacking(exported: Exported) -> dict[str, int]:
    found: dict[str, int] = {}
    for shard in exported.record.shards:
        for what, number in shard.lacking.items():
            found[what] = found.get(what, 0) + number
    return found
