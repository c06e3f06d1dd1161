"""`python -m bench [SECTION...] [--corpus DIR] [--json]`; without sections, all but `cold`, `events`,
`export`, `gpu`, `outside`, `scale`, `sharing`, `triage` and `view` (about 15 minutes)."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pymupdf

from . import (
    checks,
    cold,
    dolphin,
    dolphin_gpu,
    events,
    export,
    long,
    loop,
    outside,
    pages,
    scale,
    sharing,
    triage,
    turned,
    view,
    words,
)
from .corpus import own_corpus
from .figures import Section, missed, table
from .measure import ROOT, machine, say

SECTIONS = {
    "pages": pages.run,
    "checks": checks.run,
    "words": words.run,
    "turned": turned.run,
    "loop": loop.run,
    "long": long.run,
    "dolphin": dolphin.run,
}
ALL_SECTIONS = SECTIONS | {
    "cold": cold.run,
    "events": events.run,
    "export": export.run,
    "gpu": dolphin_gpu.run,
    "outside": outside.run,
    "scale": scale.run,
    "sharing": sharing.run,
    "triage": triage.run,
    "view": view.run,
}
CORPUS = ROOT.parent / "shared" / "pdfs"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(ALL_SECTIONS))
    parser.add_argument("--corpus", type=Path, help="folder of PDFs; default ../shared/pdfs, else our own samples")
    parser.add_argument("--keys", type=_numbers, default=scale.KEYS, help="for scale: how many, as 10000,100000")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the JSON document to FILE too")
    asked = parser.parse_args()
    if unknown := set(asked.sections) - set(ALL_SECTIONS):
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    pymupdf.TOOLS.mupdf_display_errors(False)
    pymupdf.TOOLS.mupdf_display_warnings(False)

    facts, found = machine(), []
    if not asked.json:
        print("\n".join(f"{name + ':':<14}{value}" for name, value in facts.items()), flush=True)
    with tempfile.TemporaryDirectory(prefix="pdfbatch-bench-") as scratch:
        corpus = _corpus(asked.corpus, Path(scratch))
        for name in asked.sections or SECTIONS:
            started = time.perf_counter()
            section = partial(scale.run, keys=asked.keys) if name == "scale" else ALL_SECTIONS[name]
            sections: list[Section] = section(corpus, _folder(Path(scratch) / name))
            say(f"{name}: {time.perf_counter() - started:.0f} s in all")
            found += sections
            if not asked.json:
                print("\n" + "\n\n".join(table(section) for section in sections), flush=True)
    document = json.dumps({"machine": facts, "sections": [asdict(section) for section in found]}, indent=2)
    if asked.output:
        asked.output.parent.mkdir(parents=True, exist_ok=True)
        asked.output.write_text(document + "\n")
    if asked.json:
        print(document)
    say(f"{len(missed(found))} targets missed")


def _corpus(asked: Path | None, scratch: Path) -> Path:
    folder = asked or CORPUS
    return folder if folder.is_dir() else own_corpus(scratch / "own")


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


main()
