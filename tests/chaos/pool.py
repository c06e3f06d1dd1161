"""The documents of the stories, and what an undisturbed run makes of each."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pdfbatch.runs.partition import LONG_BYTES
from samples import odd
from samples.many import long_pdf

PAGES_OF_A_CHECKPOINT = 32
FEW = 7
"""So many odd documents come first; a story has about half of them."""


class Pool(NamedTuple):
    pdfs: Mapping[str, bytes]
    """By key, in the order in which stories take them."""
    published: Mapping[str, Mapping[str, bytes]]
    """For each document, its published files by key; none for one that fails."""


def make_pool(folder: Path, environment: Mapping[str, str]) -> Pool:
    """Makes the documents, and converts them with one worker on a local folder."""
    pdfs = {
        "long/three checkpoints.pdf": _pdf(folder, 3 * PAGES_OF_A_CHECKPOINT + 5),
        "giant.pdf": _pdf(folder, 2 * PAGES_OF_A_CHECKPOINT + 9, padding=2 * LONG_BYTES),
        "é/giant again.pdf": b"",
        "broken.pdf": b"%PDF-1.7\nnothing",
        "no.pdf": b"no PDF at all",
        "twice.pdf": _pdf(folder, 3),
        "é/twice again.PDF": _pdf(folder, 3),
    }
    pdfs["é/giant again.pdf"] = pdfs["giant.pdf"]
    pdfs |= {f"short/{number:02}.pdf": _pdf(folder, 1 + number % 4, padding=number) for number in range(16)}
    pdfs["one.pdf"] = odd.text_page()
    source, output = folder / "in", folder / "out"
    for key, data in pdfs.items():
        (source / key).parent.mkdir(parents=True, exist_ok=True)
        (source / key).write_bytes(data)
    command = [sys.executable, "-m", "pdfbatch.cli", "local-run", str(source), str(output), "--engine", "null"]
    subprocess.run(command, check=False, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return Pool(pdfs, {key: _published(output, source, key, data) for key, data in pdfs.items()})


def _pdf(folder: Path, pages: int, padding: int = 0) -> bytes:
    data = long_pdf(folder / "any.pdf", pages, lines=2).read_bytes()
    return data + b"%" + b"." * padding + b"\n"


def _published(output: Path, source: Path, key: str, data: bytes) -> dict[str, bytes]:
    """Returns the files of a document as they are in S3, where its ETag is another."""
    status = (source / key).stat()
    local = f'"etag":"{status.st_size:x}-{status.st_mtime_ns:x}"'.encode()
    in_s3 = f'"etag":"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'.encode()
    stem = output / Path(key).with_suffix("")
    files = {suffix: stem.with_suffix(suffix) for suffix in (".md", ".json")}
    name = str(Path(key).with_suffix(""))
    return {name + suffix: path.read_bytes().replace(local, in_s3) for suffix, path in files.items() if path.exists()}
