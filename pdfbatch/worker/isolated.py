"""A host without network: its share of the input is mounted, and what it writes is uploaded by SageMaker.

SageMaker decides which host gets which documents, so each host finds out, and records its slice anew. Nothing is shared
between hosts: each sees only its own folders.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pdfbatch.errors import AccessDenied, NotReady
from pdfbatch.records import FleetRecord, Manifest, SourceDocument
from pdfbatch.records.processing_job import INPUT_FOLDER, OUTPUT_FOLDER, STATE_FOLDER
from pdfbatch.runs import manifest, slices
from pdfbatch.store import Entry, LocalStore
from pdfbatch.store.contract import TEMPORARY_PREFIX


class MountedInput(LocalStore):
    """Objects of S3 that were copied into a folder, with the ETags that they have there."""

    def __init__(self, root: Path, etags: Mapping[str, str]) -> None:
        super().__init__(root)
        self._etags = etags

    def head(self, key: str) -> Entry | None:
        entry = super().head(key)
        return entry._replace(etag=self._etags.get(key, entry.etag)) if entry else None

    def digest(self, key: str) -> str:
        """Returns "": as in S3, the ETag depends on the content alone."""
        return "" if key in self._etags else super().digest(key)


class IsolatedShare(NamedTuple):
    """What a host without network works on."""

    source: MountedInput
    output: LocalStore
    frozen: Manifest
    documents: list[SourceDocument]
    fleet: FleetRecord | None


def share_of(tree: Path, run: str, worker: int) -> IsolatedShare:
    """Finds the documents of the run that are mounted below `tree`, and records them as the slice of this host.

    Raises:
        NotReady: the image's user may not write what is to be uploaded.
        PdfbatchError: the frozen run is missing or damaged.
    """
    state, output = LocalStore(tree / STATE_FOLDER), LocalStore(tree / OUTPUT_FOLDER)
    frozen = manifest.load(state, run)
    mounted = LocalStore(tree / INPUT_FOLDER)
    documents = [
        document
        for slice_ in range(frozen.total_workers)
        for document in slices.documents_of(state, frozen, slice_)
        if mounted.head(document.key) is not None
    ]
    documents.sort(key=lambda document: document.key.encode())
    etags = {document.key: document.etag for document in documents}
    _check_writable(output)
    slices.save_slice(output, run, worker, documents)
    alone = frozen.model_copy(update={"entries": []})  # no blocks: other hosts' documents are not here
    return IsolatedShare(
        MountedInput(tree / INPUT_FOLDER, etags), output, alone, documents, manifest.load_fleet(state, run)
    )


def _check_writable(output: LocalStore) -> None:
    try:
        output.check_writable()
    except AccessDenied as error:
        raise NotReady(
            f"The container's user may not write to {output.url}.",
            "SageMaker needs an image that runs as root: `make image RUN_AS=0` (docs/sagemaker.md).",
        ) from error


def clear_temporary(tree: Path) -> None:
    """Removes what is not worth an upload."""
    shutil.rmtree(tree / OUTPUT_FOLDER / TEMPORARY_PREFIX, ignore_errors=True)
