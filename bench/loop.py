"""Measure the loop itself: documents that are opened, checked and published, but not read (engine `null`)."""

from __future__ import annotations

from pathlib import Path

from samples.many import many_pdfs

from .figures import Figure, Section, at_most
from .measure import say
from .ours import Run, local_run

FEW, MANY = 1_000, 10_000


def run(corpus: Path, scratch: Path) -> list[Section]:
    few, many = (_loop(count, scratch) for count in (FEW, MANY))
    each = {count: 1000 * done.usage.seconds / count for count, done in ((FEW, few), (MANY, many))}
    further = 1000 * (many.usage.seconds - few.usage.seconds) / (MANY - FEW)
    growth = many.usage.tree_mib / few.usage.tree_mib
    return [
        Section(
            f"The loop alone: {MANY:,} documents of one page, engine null, two children",
            [
                Figure("seconds in all", many.usage.seconds, "s"),
                Figure(f"a document, of {FEW:,}", each[FEW], "ms"),
                Figure(f"a document, of {MANY:,}", each[MANY], "ms"),
                Figure("each further document", further, "ms"),
                at_most("time of a document, many against few", each[MANY] / each[FEW], 1.2, "x"),
                Figure(f"peak RSS of all processes, {FEW:,}", few.usage.tree_mib, "MiB"),
                Figure(f"peak RSS of all processes, {MANY:,}", many.usage.tree_mib, "MiB"),
                Figure("peak RSS of the parent", many.usage.main_mib, "MiB"),
                at_most("memory, many against few", growth, 1.2, "x"),
            ],
        )
    ]


def _loop(count: int, scratch: Path) -> Run:
    source = scratch / f"many-{count}"
    many_pdfs(source, count)
    done = local_run(source, scratch / f"many-{count}-out", engine="null", processes=2)
    say(f"loop: {count:,} documents in {done.usage.seconds:.1f} s")
    if done.documents != count:
        raise ValueError(f"{done.documents} documents done, not {count}")
    return done
