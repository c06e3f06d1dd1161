"""The baseline we are compared with: pymupdf's own Markdown, page by page, one process, one onnxruntime thread.

`python -m bench.baseline RESULT [--ocr] [--drop-headers] FILE...` writes {file name: [Markdown or null, …]}.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from .measure import Usage, run_measured

if TYPE_CHECKING:  # it imports pymupdf, which makes its sessions at once: in the loop's own process that must wait
    from .corpus import CorpusFile

Pages = list[str | None]


def bare_loop(
    files: Sequence[CorpusFile], result: Path, *, ocr: bool = False, drop_headers: bool = False
) -> tuple[Usage, dict[str, Pages]]:
    """Run the loop in a separate process. A page it fails on is None."""
    options = ["--ocr"] * ocr + ["--drop-headers"] * drop_headers
    paths = [str(file.path) for file in files]
    usage = run_measured([sys.executable, "-m", __name__, str(result), *options, *paths])
    return usage, json.loads(result.read_text())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("result", type=Path)
    parser.add_argument("--ocr", action="store_true")
    parser.add_argument("--drop-headers", action="store_true")
    parser.add_argument("files", nargs="+", type=Path)
    asked = parser.parse_args()

    from pdfbatch.documents.pdf.one_thread import use_one_thread

    use_one_thread()
    threads = psutil.Process().num_threads()  # onnxruntime starts one of its own, which sleeps
    import pymupdf
    import pymupdf4llm

    def read(document: pymupdf.Document, number: int) -> str | None:
        try:
            keep = not asked.drop_headers
            return str(pymupdf4llm.to_markdown(document, pages=[number], use_ocr=asked.ocr, header=keep, footer=keep))
        except Exception as error:  # whatever a page throws, the loop goes on
            print(f"page {number + 1}: {error}", file=sys.stderr)
            return None

    found: dict[str, Pages] = {}
    for path in asked.files:
        with pymupdf.open(path) as document:
            found[path.name] = [read(document, number) for number in range(document.page_count)]
    if not asked.ocr and psutil.Process().num_threads() > threads:
        raise RuntimeError("the bare loop computed in more than one thread: its figures would not compare")
    asked.result.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
