"""Measure what each check of a text page costs: one process reads the pages under Python's profiler.

`python -m bench.checks RESULT FILE...` writes {what: seconds} for all pages of the files together.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import sys
from pathlib import Path

from .figures import Figure, Section
from .measure import run_measured

PAGES_OF_FILE = 10
PARTS = {
    "all": ("reading.py", "read_page"),
    "the layout model": ("regions.py", "regions_of"),
    "its picture network": ("model.py", "predict"),
    "check: look for hidden text": ("sight.py", "look_for_hidden"),
    "check: fonts, read from the picture": ("fonts.py", "check"),
    "check: ink without text": ("ink_without_text.py", "lines_without_layer"),
}
"""Part → file and name of the function that does it."""


def run(corpus: Path, scratch: Path) -> list[Section]:
    from .corpus import copied, pages_in, readable

    files = [file for file in readable(corpus) if file.born_digital]
    files = copied(files, scratch / "checks", PAGES_OF_FILE)
    result = scratch / "checks.json"
    usage = run_measured([sys.executable, "-m", __name__, str(result), *(str(file.path) for file in files)])
    seconds, pages = json.loads(result.read_text()), pages_in(files)
    figures = [Figure(f"{what}, a page", 1000 * spent / pages, "ms") for what, spent in seconds.items()]
    return [
        Section(
            f"What a text page costs: {pages} pages of {len(files)} files",
            [*figures, Figure("peak RSS", usage.main_mib, "MiB")],
            ["one process under a profiler, which lengthens what is written in Python"],
        )
    ]


def main(result: Path, paths: list[str]) -> None:
    from pdfbatch.documents.judge import judge
    from pdfbatch.documents.reading import read_page, warm

    warm()
    profile = cProfile.Profile()
    for path in paths:
        for number in range(1, judge(path).pages + 1):
            profile.runcall(read_page, path, number)
    result.write_text(json.dumps(seconds_of(pstats.Stats(profile))))


def seconds_of(stats: pstats.Stats) -> dict[str, float]:
    """Cumulative seconds of each of the parts."""
    spent = dict.fromkeys(PARTS, 0.0)
    for (file, _, function), (_, _, _, cumulative, _) in stats.stats.items():  # type: ignore[attr-defined]
        for what, place in PARTS.items():
            if (Path(file).name, function) == place and "pdfbatch" in file:
                spent[what] += cumulative
    return spent


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
