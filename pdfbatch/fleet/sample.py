"""Estimates the number of pages by opening a random sample of the documents."""

from __future__ import annotations

import random
import statistics
import tempfile
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from pdfbatch.documents.judgement import Judgement
from pdfbatch.documents.sandbox.children import Children
from pdfbatch.documents.sandbox.confinement import Bounds
from pdfbatch.documents.sandbox.server import OPENING
from pdfbatch.documents.tasks import judge_file, sample_layers
from pdfbatch.errors import PdfbatchError
from pdfbatch.fleet.values import Work
from pdfbatch.records import PageSet, SourceDocument
from pdfbatch.store import Store

DOCUMENTS = 24
"""Sample size: gives the average within about 20 % for lengths that vary like those of papers."""
MOST_BYTES = 50 * 2**20
"""Larger documents are not fetched for an estimate."""
SECONDS = 20.0
"""Timeout for opening one document."""
_THREADS = 8
_MEMORY_MIB = 1024


def count_pages(
    source: Store, documents: Sequence[SourceDocument], in_input: int, processes: int, pages: str = ""
) -> Work:
    """Counts the requested pages of a random sample; the same sample each time, so that a plan is reproducible."""
    few = [document for document in documents if document.size <= MOST_BYTES]
    few = random.Random(len(few)).sample(few, min(DOCUMENTS, len(few)))
    looked = _look_at(source, few, processes)
    asked = PageSet.read(pages)
    counted = [len(asked.of(count)) for count, _ in looked]
    spread = statistics.stdev(counted) / len(counted) ** 0.5 if len(counted) > 1 else 0.0
    return Work(
        documents=in_input,
        left=len(documents),
        bytes_left=sum(document.size for document in documents),
        sampled=len(counted),
        pages_each=statistics.fmean(counted) if counted else None,
        layers_looked_at=sum(layers for _, (_, layers) in looked),
        layers_healthy=sum(healthy for _, (healthy, _) in looked),
        pages_each_error=spread * (1 - len(counted) / len(documents)) ** 0.5 if documents else 0.0,
    )


_Looked = tuple[int, tuple[int, int]]
"""A document's page count, and of its sampled pages how many have a healthy text layer, of how many."""


def _look_at(source: Store, few: Sequence[SourceDocument], processes: int) -> list[_Looked]:
    """Inspects the documents that could be fetched. One that cannot be opened counts 0 pages: it will fail at once."""
    if not few:
        return []
    with tempfile.TemporaryDirectory(prefix="pdfbatch-plan-") as folder, ThreadPoolExecutor(_THREADS) as threads:
        targets = [Path(folder) / f"{number}.pdf" for number in range(len(few))]
        fetched = [
            path
            for path in threads.map(lambda each: _fetched(source, *each), zip(few, targets, strict=True))
            if path is not None
        ]
        with Children(processes, _MEMORY_MIB, preload=OPENING, bounds=Bounds(_folders(fetched))) as children:
            judged = [children.submit(SECONDS, judge_file, str(path)) for path in fetched]
            layers = [children.submit(SECONDS, sample_layers, str(path)) for path in fetched]
            return [(_count(each), _layers(layer)) for each, layer in zip(judged, layers, strict=True)]


def _folders(fetched: Sequence[Path]) -> tuple[Path, ...]:
    """Returns the files themselves, wherever links lead to: they are few."""
    return tuple(path.resolve() for path in fetched)


def _fetched(source: Store, document: SourceDocument, target: Path) -> Path | None:
    try:
        return source.fetch(document.key, target)
    except PdfbatchError:
        return None


def _count(judged: Future[Judgement]) -> int:
    try:
        verdict = judged.result()
    except Exception:  # the child died or timed out: nothing is known about this document
        return 0
    return verdict.pages if verdict.reason is None else 0


def _layers(looked: Future[tuple[int, int]]) -> tuple[int, int]:
    try:
        return looked.result()
    except Exception:  # as above
        return 0, 0
