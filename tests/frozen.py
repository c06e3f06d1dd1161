"""A frozen run for tests: its manifest and the documents of its slices."""

from collections.abc import Sequence
from typing import Any

from pdfbatch.records import Manifest, SourceDocument
from pdfbatch.runs.partition import divided, documents_in
from pdfbatch.runs.slices import Frozen


def frozen(documents: Sequence[SourceDocument], workers: int = 1, **fields: Any) -> Frozen:
    slices = divided(documents, workers)
    known = {"run": "r", "created": "2026-11-25T19:00:00Z", "input": "in/", "output": "out/", "engine": "cpu"} | fields
    return Frozen(
        Manifest(total_workers=workers, slices=documents_in(slices), entries=list(map(len, slices)), **known), slices
    )


def manifest_of(documents: int, workers: int = 1, **fields: Any) -> Manifest:
    """Returns the manifest of a run of so many documents."""
    return frozen([SourceDocument(f"{number}.pdf", 1, "e") for number in range(documents)], workers, **fields).manifest
