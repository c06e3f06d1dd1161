"""The files of processors: the pages that they get on disk, and what they made, published beside the Markdown."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pdfbatch.errors import StoreError
from pdfbatch.processors.base import ReadDocument
from pdfbatch.processors.registry import ReadyProcessor
from pdfbatch.records import SourceDocument, stem_of
from pdfbatch.store import Store
from pdfbatch.store.local import name_to_key
from pdfbatch.worker.command_files import files_below
from pdfbatch.worker.patience import patiently
from pdfbatch.worker.publish import Publisher
from pdfbatch.worker.put_file import put_file
from pdfbatch.worker.work import SliceWork

_PAGES, _MARKDOWN = "pages.jsonl", "document.md"


class PagesOnDisk(NamedTuple):
    """The pages of a document as JSON lines, and its Markdown, in a folder."""

    place: Path
    begins: Sequence[int]
    """Where the line of each page begins, in bytes."""

    def parts(self, processor: ReadyProcessor, work: SliceWork, document: SourceDocument) -> Iterator[ReadDocument]:
        """Yields what each task of a processor gets: all pages, or as many at a time as it wants."""
        assert work.path is not None
        count = len(self.begins)
        step = processor.pages_per_task or count
        for number, first in enumerate(range(0, count, step)):
            yield ReadDocument(
                key=document.key,
                etag=document.etag,
                engine=work.engine,
                length=count,
                pdf=work.path,
                folder=self.place / processor.spec.folder / f"{number:06d}",
                pages_file=self.place / _PAGES,
                first_byte=self.begins[first],
                page_count=min(step, count - first),
                markdown_file=self.place / _MARKDOWN,
            )


class ProcessorFiles:
    """Several threads may use it, each for another document or task."""

    def __init__(self, output: Store, publisher: Publisher, scratch: Path, retries: int) -> None:
        self.scratch = scratch
        self._output = output
        self._publisher = publisher
        self._retries = retries

    def prepare(self, work: SliceWork, document: SourceDocument, place: Path) -> PagesOnDisk:
        """Writes the pages and the Markdown of a document that is read, with all decisions, to a new folder."""
        pages, markdown = self._publisher.written(work, document)
        place.mkdir()
        begins = list[int]()
        with (place / _PAGES).open("wb") as file:
            for page in pages:
                begins.append(file.tell())
                file.write(page.model_dump_json(exclude_defaults=True).encode("utf-8", "replace") + b"\n")
        (place / _MARKDOWN).write_text(markdown, "utf-8", errors="replace")
        return PagesOnDisk(place, begins)

    def publish(self, work: SliceWork, document: SourceDocument, name: str, folder: Path) -> None:
        """Publishes the files that a processor wrote to a folder, and removes them here.

        Raises:
            StoreError: one of them could not be written, even after retries.
        """
        prefix = f"{stem_of(document.key)}/{name}/"
        is_known = name in work.before.processed or name in work.before.unprocessed
        may_replace = is_known if document.is_read else document.attempt > 1 or document.output_etag is not None
        for file in sorted(files_below(folder)):
            key = prefix + name_to_key(file)
            if fault := self._output.cannot_hold(key):
                raise StoreError(f"the output cannot hold {key!r}: {fault}", "Name the file otherwise.")
            patiently(partial(put_file, self._output, key, folder / file, may_replace=may_replace), self._retries)
        shutil.rmtree(folder, ignore_errors=True)
