"""Finds documents with the same content, so that it is read only once."""

from collections.abc import Callable, Iterable, Sequence

from pdfbatch.errors import PdfbatchError
from pdfbatch.records import SourceDocument
from pdfbatch.runs.in_order import in_order
from pdfbatch.store import S3Store, Store

_THREADS = 8

ContentOf = Callable[[SourceDocument], str]
"""Returns what two documents of one size have in common only if their content is the same; "" if it is unknown."""


def etag_of(document: SourceDocument) -> str:
    """Identifies content in S3, where the same ETag means the same content."""
    return document.etag


def digest_in(source: Store) -> ContentOf:
    """Identifies content in any store; reads a local file."""
    if isinstance(source, S3Store):
        return etag_of

    def content_of(document: SourceDocument) -> str:
        try:
            return source.digest(document.key) or document.etag
        except PdfbatchError:  # reported when it is read
            return ""

    return content_of


def without_copies(
    documents: Iterable[SourceDocument], content_of: ContentOf, may_be_written: Callable[[str], bool] = bool
) -> list[SourceDocument]:
    """Returns the first document of each content, in order, with the others as its `copies`. Only documents of the same
    size are compared, and those that `may_be_written`, by their keys: one that may not stands for no other."""
    found = list(documents)
    sizes: dict[int, int] = {}
    for document in found:
        sizes[document.size] = sizes.get(document.size, 0) + 1
    candidates = [
        document
        for document in found
        if _may_be_copied(document) and sizes[document.size] > 1 and may_be_written(document.key)
    ]
    firsts: dict[tuple[int, str], str] = {}
    copies: dict[str, list[SourceDocument]] = {}
    is_copy = set[str]()
    for document, content in zip(candidates, _contents(candidates, content_of), strict=True):
        first = firsts.setdefault((document.size, content), document.key) if content else document.key
        if first != document.key:
            copies.setdefault(first, []).append(document)
            is_copy.add(document.key)
    return [
        document._replace(copies=tuple(copies[document.key])) if document.key in copies else document
        for document in found
        if document.key not in is_copy
    ]


def _may_be_copied(document: SourceDocument) -> bool:
    return document.size > 0 and not document.twin and not document.is_read


def _contents(documents: Sequence[SourceDocument], content_of: ContentOf) -> list[str]:
    if content_of is etag_of:  # known already, so no work for threads
        return list(map(etag_of, documents))
    return list(in_order(content_of, documents, _THREADS))
