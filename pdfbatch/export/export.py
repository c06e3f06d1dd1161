"""An export from beginning to end: what the destination has is kept, the rest is written shard by shard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Protocol

from pdfbatch.errors import PreconditionFailed, UsageError
from pdfbatch.export.catalogue import Catalogue, Item, RunBook, dollars_per_page
from pdfbatch.export.content import Content, read_content
from pdfbatch.export.files import Part, Row, ShardFiles, Written
from pdfbatch.export.inputs import InputFiles, sha256_of
from pdfbatch.export.shards import Journal, ShardDigest, open_journal, remove_left_over, shard_name, standing
from pdfbatch.records import ExportOptions, ExportRecord, Shard
from pdfbatch.runs.in_order import in_order
from pdfbatch.store import Store, inside
from pdfbatch.store.scratch import scratch_folder

READERS = 8
"""So many documents are read at once, and wait in memory."""
_MB = 1_000_000


class Form(Protocol):
    """A format: its files, and the rows of a document."""

    parts: Sequence[Part]
    with_elements: bool
    """Whether it needs the elements."""
    most_documents: int
    """Of a shard."""

    def prepare(self, content: Content) -> Content:
        """Does what may take long, in one of many threads."""

    def rows(self, content: Content) -> Iterator[Sequence[Row]]:
        """Yields the rows of a document: each has one value for each part."""


class Progress(NamedTuple):
    documents: int
    """Done, of `total`."""
    total: int
    shards: int
    bytes: int


class Exported(NamedTuple):
    """How an export ended."""

    record: ExportRecord
    written: int
    """Number of shards that this process wrote."""
    removed: int
    """Number of files of earlier records that it removed."""


Tell = Callable[[Progress], object]


def export(
    output: Store,
    dest: Store,
    options: ExportOptions,
    make_form: Callable[[InputFiles], AbstractContextManager[Form]],
    now: datetime,
    tell: Tell,
) -> Exported:
    """Exports the documents of an output, or what is left of them.

    Raises:
        UsageError: the destination holds something else.
        PdfbatchError: the ledger is damaged, or a store cannot be read or written.
    """
    if inside(dest, output):
        raise UsageError(
            f"{dest.url} is inside OUTPUT: `verify` would take the export for results.",
            "Choose a folder or prefix beside it.",
        )
    dest.check_writable()
    known = ExportRecord(output=output.url, options=options, dollars_per_page=dollars_per_page(output, now))
    journal = open_journal(dest, known)
    catalogue = Catalogue(output, options)
    kept, documents = standing(dest, journal.record.shards, catalogue.items())
    begun = sum(shard.documents for shard in kept)
    with scratch_folder() as scratch:
        inputs = InputFiles(scratch)
        with make_form(inputs) as form:
            book = RunBook(output, journal.record.dollars_per_page)
            reader = _Reader(output, book, form, inputs, sha256=options.sha256)
            writer = _Writer(dest, journal, form, scratch, int(options.shard_mb * _MB))
            written = writer.write(reader.read(islice(catalogue.items(), begun, None)), kept, documents, tell)
    removed = remove_left_over(dest, journal.record)
    left_out = dict(sorted(catalogue.left_out.items()))
    final = journal.record.model_copy(update={"is_complete": True, "left_out": left_out})
    if final != journal.record:
        journal.save(final)
    return Exported(final, written, removed)


class _Reader:
    """Reads documents, many at once, in order."""

    def __init__(self, output: Store, book: RunBook, form: Form, inputs: InputFiles, *, sha256: bool) -> None:
        self._output = output
        self._book = book
        self._form = form
        self._inputs = inputs
        self._sha256 = sha256

    def read(self, items: Iterable[Item]) -> Iterator[tuple[Item, Content | None]]:
        return in_order(lambda item: (item, self._one(item)), items, READERS)

    def _one(self, item: Item) -> Content | None:
        content = read_content(self._output, item, self._book, with_elements=self._form.with_elements)
        if content is None:
            return None
        if self._sha256:
            with self._inputs.file(content) as path:
                content.sha256 = sha256_of(path) if path else None
            if content.sha256 is None:
                content.lacking.append("the input that was read")
        return self._form.prepare(content)


class _Writer:
    """Writes shards, and names each in the record as soon as its files are there."""

    def __init__(self, dest: Store, journal: Journal, form: Form, scratch: Path, limit: int) -> None:
        self._dest = dest
        self._journal = journal
        self._form = form
        self._scratch = scratch
        self._limit = limit

    def write(
        self, contents: Iterable[tuple[Item, Content | None]], kept: Sequence[Shard], documents: int, tell: Tell
    ) -> int:
        """Returns the number of shards written."""
        shards = list(kept)
        if len(shards) < len(self._journal.record.shards):
            self._save(shards)
        done, size = sum(shard.documents for shard in shards), sum(_bytes(shard) for shard in shards)
        tell(Progress(done, documents, len(shards), size))
        open_shard: _OpenShard | None = None
        try:
            for item, content in contents:
                open_shard = open_shard or _OpenShard(ShardFiles(self._form.parts, self._scratch, self._limit))
                open_shard.add(item, content, self._form)
                done += 1
                if open_shard.is_full(self._form.most_documents):
                    shards.append(self._published(open_shard, len(shards), is_full=True))
                    self._save(shards)
                    size, open_shard = size + _bytes(shards[-1]), None
                tell(Progress(done, documents, len(shards), size))
            if open_shard:
                shards.append(self._published(open_shard, len(shards), is_full=False))
                self._save(shards)
        finally:
            if open_shard:
                open_shard.files.abandon()
        return len(shards) - len(kept)

    def _published(self, shard: _OpenShard, number: int, *, is_full: bool) -> Shard:
        digest = shard.digest.text()
        files = dict(self._put(file, shard_name(number, digest)) for file in shard.files.close())
        return Shard(
            digest=digest,
            documents=shard.digest.documents,
            rows=shard.files.rows,
            is_full=is_full,
            files=files,
            lacking=dict(sorted(shard.lacking.items())),
        )

    def _put(self, file: Written, name: str) -> tuple[str, int]:
        key = file.key.replace("{}", name)
        size = file.path.stat().st_size
        try:
            self._dest.put_new_file(key, file.path)
        except PreconditionFailed:
            # Written before its process was killed: its name says that it holds the same.
            entry = self._dest.head(key)
            size = entry.size if entry else size
        file.path.unlink()
        return key, size

    def _save(self, shards: Sequence[Shard]) -> None:
        self._journal.save(
            self._journal.record.model_copy(update={"shards": list(shards), "is_complete": False, "left_out": {}})
        )


class _OpenShard:
    """A shard that is being written."""

    def __init__(self, files: ShardFiles) -> None:
        self.files = files
        self.digest = ShardDigest()
        self.lacking = Counter[str]()

    def add(self, item: Item, content: Content | None, form: Form) -> None:
        self.digest.add(item)
        if content is None:
            self.lacking["Markdown, which was just deleted"] += 1
            return
        for rows in form.rows(content):
            self.files.write(rows)
        self.lacking.update(content.lacking)

    def is_full(self, most_documents: int) -> bool:
        return self.files.is_full or self.digest.documents >= most_documents


def _bytes(shard: Shard) -> int:
    return sum(shard.files.values())
