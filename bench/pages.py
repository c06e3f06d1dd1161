"""Pages a second and memory against the bare loop: text layers alone, and everything with OCR."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from .baseline import bare_loop
from .corpus import CorpusFile, copied, pages_in, readable
from .figures import Figure, Section, at_least, at_most
from .measure import Usage, say
from .ours import local_run

TEXT_PAGES, OCR_PAGES = 24, 4
"""Pages of one file at most, so that no file outweighs the others and the whole takes minutes."""
GIB = 1024


def run(corpus: Path, scratch: Path) -> list[Section]:
    files = [file for file in readable(corpus) if not any(page.strip for page in file.pages)]
    digital = [file for file in files if file.born_digital]
    return [
        _compare("Text layers only", copied(digital, scratch / "digital", TEXT_PAGES), scratch, 0.8, ocr=False),
        _compare("Everything, with OCR", copied(files, scratch / "all", OCR_PAGES), scratch, 1.4, ocr=True),
    ]


def _compare(title: str, files: Sequence[CorpusFile], scratch: Path, child_gib: float, *, ocr: bool) -> Section:
    source, pages = files[0].path.parent, pages_in(files)

    read_by = ""

    def ours(processes: int, turn: int) -> Usage:
        nonlocal read_by
        done = local_run(source, scratch / f"out-{source.name}-{processes}-{turn}", processes=processes)
        if done.pages != pages:
            raise ValueError(f"{done.pages} pages read, not {pages}: the two sides did not do the same work")
        read_by = done.read_by
        return done.usage

    sides: dict[str, Callable[[int], Usage]] = {
        "bare": lambda turn: bare_loop(files, scratch / f"bare-{source.name}.json", ocr=ocr)[0],
        "one": lambda turn: ours(1, turn),
        "two": lambda turn: ours(2, turn),
    }
    bare, one, two = _interleaved(sides, title, 1 if ocr else 2)
    rate = {name: pages / usage.seconds for name, usage in (("bare", bare), ("one", one), ("two", two))}
    return Section(
        f"{title}: {pages} pages of {len(files)} files",
        [
            Figure("bare loop, one process", rate["bare"], "pages/s"),
            Figure("ours, one child", rate["one"], "pages/s"),
            Figure("ours, two children", rate["two"], "pages/s"),
            at_least("ratio with one child", rate["one"] / rate["bare"], 0.9, "x"),
            at_least("ratio with two children", rate["two"] / rate["bare"], 1.8, "x"),
            Figure("our pages were read by", read_by),
            Figure("peak RSS, bare loop", bare.main_mib, "MiB"),
            at_most("peak RSS, largest child", max(one.worker_mib, two.worker_mib) / GIB, child_gib, "GiB"),
            Figure("peak RSS, parent", max(one.main_mib, two.main_mib), "MiB"),
            at_most("peak RSS, all processes (two children)", two.tree_mib / GIB, 3.5, "GiB"),
            Figure("the same, shared pages counted once", two.tree_fair_mib / GIB, "GiB"),
        ],
        [
            "the bare loop has OCR " + ("on (RapidOCR, called by the library)" if ocr else "off"),
            "without files that hold a very long strip, whose one page outlasts all the others",
            "whole commands from start to exit, models loaded anew each time; " + ("once" if ocr else "best of two"),
        ],
    )


def _interleaved(sides: dict[str, Callable[[int], Usage]], title: str, turns: int) -> list[Usage]:
    """Each side in turn, `turns` times over, so that a busy moment hits all; the fastest of each."""
    seen: dict[str, list[Usage]] = {name: [] for name in sides}
    for turn in range(turns):
        for name, side in sides.items():
            usage = side(turn)
            say(f"{title}: {name} {usage.seconds:.1f} s")
            seen[name].append(usage)
    return [min(usages, key=lambda usage: usage.seconds) for usages in seen.values()]
