"""Recognises inputs whose version differs from the recorded one although their content is the same.

A local file's version contains its modification time, which `touch`, a copy or a checkout changes. So the content
decides: by its size, and where that is the same by its digest. Files are only read if they have another time than
recorded.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from pdfbatch.errors import PdfbatchError
from pdfbatch.runs.ledger import Final
from pdfbatch.store import Entry, Store

_THREADS = 8


def recognised(source: Store, entries: Iterable[Entry], history: Mapping[str, Final]) -> list[Entry]:
    """Returns the entries; those with the recorded content under another ETag get the recorded ETag."""
    with ThreadPoolExecutor(_THREADS) as threads:
        return list(threads.map(lambda entry: _recognised(source, entry, history.get(entry.key)), entries))


def _recognised(source: Store, entry: Entry, past: Final | None) -> Entry:
    if past is None or past.etag == entry.etag or not past.digest or past.size != entry.size:
        return entry
    try:
        is_same = source.digest(entry.key) == past.digest
    except PdfbatchError:  # reported when it is read
        return entry
    return entry._replace(etag=past.etag) if is_same else entry
