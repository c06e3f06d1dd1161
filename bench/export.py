"""Measure `export` of very many small documents.

Each export runs in a process of its own: `python -m bench.export FORMAT OUTPUT DEST`. The output of a finished run is
made here: documents of one page with three paragraphs, their Markdown and elements, and a ledger.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pdfbatch.export.export import export
from pdfbatch.export.forms import Places, make_form
from pdfbatch.markdown.document import document_markdown
from pdfbatch.records import (
    CURRENT_RUN_KEY,
    CurrentRun,
    DocumentElements,
    Element,
    ExportOptions,
    Label,
    Manifest,
    Outcome,
    Page,
    RunKeys,
    Span,
    elements_key,
    output_key,
)
from pdfbatch.runs import ledger, manifest
from pdfbatch.runs.slices import Frozen
from pdfbatch.store import LocalStore, open_store
from samples.many import sentences

from .figures import Figure, Section, at_most
from .measure import ROOT, say
from .scale import peak_mib

DOCUMENTS = 100_000
FEW = 10_000
"""Documents of the formats other than the first."""
FORMATS = ("parquet", "dolma", "docling", "chunks", "markdown")
PARAGRAPHS = 3
RUN = "20260101T000000.000Z-0000"
AT = datetime(2026, 1, 1, tzinfo=UTC)
LINES_IN_A_SEGMENT = 2000


class Step(NamedTuple):
    seconds: float
    cpu: float
    mib: float
    bytes: int
    written: int


def run(_corpus: Path, scratch: Path, documents: int = DOCUMENTS, few: int = FEW) -> list[Section]:
    return [measured(scratch / "many", documents, FORMATS[:1]), measured(scratch / "few", few, FORMATS[1:])]


def measured(scratch: Path, documents: int, formats: Sequence[str]) -> Section:
    output = scratch / "output"
    make_output(output, documents)
    figures = [figure for name in formats for figure in _figures(name, output, scratch / name)]
    return Section(f"Export of {documents:,} documents of a page, in folders, one process", figures)


def _figures(name: str, output: Path, dest: Path) -> list[Figure]:
    first, second = _step(name, output, dest), _step(name, output, dest)
    return [
        Figure(f"{name}: CPU time", first.cpu, "s"),
        Figure(f"{name}: wall time", first.seconds, "s"),
        at_most(f"{name}: peak memory", first.mib, 600, "MiB"),
        Figure(f"{name}: size", first.bytes / 1e6, "MB"),
        Figure(f"{name}: a second run, CPU time", second.cpu, "s"),
        at_most(f"{name}: files it writes", second.written, 0),
    ]


def _step(name: str, output: Path, dest: Path) -> Step:
    command = [sys.executable, "-m", __name__, name, str(output), str(dest)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    step = Step(**json.loads(done.stdout))
    say(f"{name}: {step.seconds:.1f} s ({step.cpu:.1f}), {step.mib:.0f} MiB, {step.written} written")
    return step


def make_output(folder: Path, documents: int) -> None:
    """Makes the output of a finished run, in folders of 1,000 documents."""
    folder.mkdir(parents=True)
    store = LocalStore(folder)
    keys = [f"{number // 1000:03}/{number:06}.pdf" for number in range(documents)]
    for place in sorted({key.partition("/")[0] for key in keys}):
        (folder / place).mkdir()
    frozen = Manifest(
        run=RUN, created=AT, input="/papers/", output=store.url, total_workers=1, engine="cpu", slices=[documents]
    )
    manifest.save(store, Frozen(frozen, [[]]))
    store.put(CURRENT_RUN_KEY, CurrentRun(run=RUN).model_dump_json().encode())
    writer = ledger.LedgerWriter(store, RunKeys(RUN), 0, 1)
    for number, key in enumerate(keys):
        _write(folder, number, key)
        writer.add(Outcome(key=key, outcome="ok", pages=1, engine="cpu", etag="e", size=1000, seconds=0.5, at=AT))
        if writer.pending == LINES_IN_A_SEGMENT:
            writer.flush()
    writer.flush()


def _write(folder: Path, number: int, key: str) -> None:
    """Writes a document's files without the store's care for the disk: they are only read here."""
    texts = (" ".join(sentences(number * PARAGRAPHS + each, 4)) for each in range(PARAGRAPHS))
    elements = [
        Element(label=Label.PARAGRAPH, box=(50, 50 * place, 500, 50 * place + 40), spans=[Span(text=text)])
        for place, text in enumerate(texts, start=1)
    ]
    page = Page(number=1, width=595, height=842, read_by="text", elements=elements)
    document = DocumentElements(version=2, key=key, etag="e", engine="cpu", model="", pages=[page])
    (folder / elements_key(key)).write_text(document.model_dump_json(exclude_defaults=True))
    (folder / output_key(key)).write_text(document_markdown(document))


def main() -> None:
    name, output, dest = sys.argv[1:]
    options = ExportOptions.model_validate({"format": name})
    places = Places(open_store(output), open_store(dest, create=True))
    began = time.perf_counter()
    done = export(*places[:2], options, partial(make_form, options, places), AT, lambda _: None)
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    step = Step(
        seconds=time.perf_counter() - began,
        cpu=sum(each.ru_utime + each.ru_stime for each in usage),
        mib=peak_mib(),
        bytes=sum(size for shard in done.record.shards for size in shard.files.values()),
        written=done.written,
    )
    print(json.dumps(step._asdict()))


if __name__ == "__main__":
    main()
