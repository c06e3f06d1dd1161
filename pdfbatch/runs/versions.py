"""Recognises inputs whose version differs from the recorded one although their content is the same.

A local file's version contains its modification time, which `touch`, a copy or a checkout changes. So the content
decides: by its size, and where that is the same by its digest. Files are only read if they have another time than
recorded.
"""

from collections.abc import Iterable, Mapping

from pdfbatch.errors import NotFound, PdfbatchError
from pdfbatch.runs.in_order import in_order
from pdfbatch.runs.ledger import Final
from pdfbatch.store import Entry, S3Store, Store

_THREADS = 8


def recognised(source: Store, entries: Iterable[Entry], history: Mapping[str, Final]) -> list[Entry]:
    """Returns the entries; those with the recorded content under another ETag get the recorded ETag."""
    found = list(entries)
    if not history or isinstance(source, S3Store):  # in S3 the ETag depends on the content alone
        return found
    known = ((number, history.get(entry.key)) for number, entry in enumerate(found))
    doubtful = [(number, past) for number, past in known if past is not None and _is_doubtful(found[number], past)]
    same = in_order(lambda each: _is_same(source, found[each[0]], each[1]), doubtful, _THREADS)
    for (number, past), is_same in zip(doubtful, same, strict=True):
        if is_same:
            found[number] = found[number]._replace(etag=past.etag)
    return found


def is_unchanged(source: Store, key: str, etag: str, digest: str) -> bool:
    """Returns whether an input is still the version that was read: its ETag, or its content if a digest is recorded.

    Raises:
        NotFound: it is gone.
    """
    entry = source.head(key)
    if entry is None:
        raise NotFound(f"{source.url}{key} does not exist.", "Restore it.")
    return entry.etag == etag or bool(digest and source.digest(key) == digest)


def _is_doubtful(entry: Entry, past: Final) -> bool:
    """Whether only the content can tell if a file has changed."""
    return past.etag != entry.etag and past.digest != "" and past.size == entry.size


def _is_same(source: Store, entry: Entry, past: Final) -> bool:
    try:
        return source.digest(entry.key) == past.digest
    except PdfbatchError:  # reported when it is read
        return False
