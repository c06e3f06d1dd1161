"""One very long PDF in flat memory."""

from __future__ import annotations

from pathlib import Path

from samples.many import long_pdf

from .figures import Figure, Section, at_most
from .measure import say
from .ours import Run, local_run

SHORT, LONG = 300, 3_000
TEXT_EVERY = 5
"""The other pages are blank, so that it takes minutes; blank pages pass through the same windows."""


def run(corpus: Path, scratch: Path) -> list[Section]:
    short, long = (_read(pages, scratch) for pages in (SHORT, LONG))
    return [
        Section(
            f"One PDF of {LONG:,} pages, two children",
            [
                Figure(f"{SHORT:,} pages", SHORT / short.usage.seconds, "pages/s"),
                Figure(f"{LONG:,} pages", LONG / long.usage.seconds, "pages/s"),
                Figure(f"peak RSS of all processes, {SHORT:,} pages", short.usage.tree_mib, "MiB"),
                Figure(f"peak RSS of all processes, {LONG:,} pages", long.usage.tree_mib, "MiB"),
                at_most("memory, long against short", long.usage.tree_mib / short.usage.tree_mib, 1.2, "x"),
            ],
            [f"one page in {TEXT_EVERY} has text, the others are blank"],
        )
    ]


def _read(pages: int, scratch: Path) -> Run:
    source = scratch / f"long-{pages}"
    source.mkdir()
    long_pdf(source / "long.pdf", pages, text_every=TEXT_EVERY)
    done = local_run(source, scratch / f"long-{pages}-out", processes=2)
    say(f"long: {pages:,} pages in {done.usage.seconds:.1f} s")
    if done.pages != pages:
        raise ValueError(f"{done.pages} pages read, not {pages}")
    return done
