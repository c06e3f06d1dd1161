"""Pictures of pages, drawn from the input by a confined child that can be killed. A few are kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future
from pathlib import Path
from typing import NamedTuple

from pdfbatch.documents.judgement import PagePicture
from pdfbatch.documents.sandbox.children import Children, failure_of
from pdfbatch.documents.sandbox.confinement import Bounds
from pdfbatch.documents.sandbox.server import OPENING
from pdfbatch.documents.tasks import picture_page
from pdfbatch.errors import NotFound, PdfbatchError
from pdfbatch.runs.versions import is_unchanged
from pdfbatch.store import open_store
from pdfbatch.store.scratch import copied

SIDE = 1600
"""Pixels of a picture's longer side: sharp on a laptop, and about 150 kB."""
_SECONDS = 30.0
_MEMORY_MIB = 1024
_KEPT_PICTURES = 32
_KEPT_FILES = 4


class Wanted(NamedTuple):
    """A page to draw. `etag` and `digest` are of the document as it was read; both "" if that is unknown."""

    source: str
    key: str
    etag: str
    number: int
    rotation: int
    digest: str = ""


class Pictures:
    """Draws pages; several threads may use it. Use it as a context manager."""

    def __init__(self, scratch: Path, side: int = SIDE, seconds: float = _SECONDS) -> None:
        """`scratch`: the folder for copies of documents. `side`: pixels of a picture's longer side. `seconds`: the time
        limit for one page."""
        self._scratch = scratch
        self._side = side
        self._seconds = seconds
        self._lock = threading.Lock()
        self._children: Children | None = None
        self._pictures: OrderedDict[Wanted, PagePicture] = OrderedDict()
        self._files: OrderedDict[tuple[str, str, str], Path] = OrderedDict()
        self._fetched = 0

    def __enter__(self) -> Pictures:
        return self

    def __exit__(self, *_: object) -> None:
        if self._children is not None:
            self._children.kill()

    def picture(self, wanted: Wanted) -> PagePicture:
        """Returns the page's picture, or why there is none."""
        with self._lock:
            if wanted in self._pictures:
                self._pictures.move_to_end(wanted)
                return self._pictures[wanted]
            try:
                path = self._file(wanted)
            except NotFound:
                return PagePicture(b"", "The document is no longer in the input.")
            except PdfbatchError as error:
                return PagePicture(b"", error.message)
            if path is None:
                return PagePicture(b"", "The document has changed since it was read.")
            drawing = self._drawing(path, wanted)
        found = _result(drawing)
        if found.data:
            with self._lock:
                self._pictures[wanted] = found
                while len(self._pictures) > _KEPT_PICTURES:
                    self._pictures.popitem(last=False)
        return found

    def _drawing(self, path: Path, wanted: Wanted) -> Future[PagePicture]:
        if self._children is None:
            self._children = Children(1, _MEMORY_MIB, preload=OPENING, bounds=Bounds((), (self._scratch,)))
        return self._children.submit(self._seconds, picture_page, str(path), wanted.number, wanted.rotation, self._side)

    def _file(self, wanted: Wanted) -> Path | None:
        """Returns a copy of the document in the scratch folder, because a child sees no other file; None if it is not
        the version that was read."""
        place = wanted.source, wanted.key, wanted.etag
        if place not in self._files:
            source = open_store(wanted.source)
            if (wanted.etag or wanted.digest) and not is_unchanged(source, wanted.key, wanted.etag, wanted.digest):
                return None
            self._fetched += 1
            target = self._scratch / f"{self._fetched}.pdf"
            found = source.fetch(wanted.key, target)
            self._files[place] = target if found == target else copied(found, target)
            while len(self._files) > _KEPT_FILES:
                self._files.popitem(last=False)[1].unlink(missing_ok=True)
        self._files.move_to_end(place)
        return self._files[place]


def _result(drawing: Future[PagePicture]) -> PagePicture:
    try:
        return drawing.result()
    except Exception as error:  # the child died, or was killed
        return PagePicture(b"", failure_of(error).detail)
