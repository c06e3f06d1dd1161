"""Guard against pages with huge numbers of lines and curves: maps, drawings, plots of raw data.

The layout model's feature extraction takes about 0.3 ms per path, so a map takes minutes. Drawing its bitmap takes
MuPDF a time that grows with the square of the segments in one path: 0.6 s for 60,000 of them, a minute for 1.2 million,
which compress to a few kilobytes of instructions.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator

from pdfbatch.documents.pdf.failures import TooLarge
from pdfbatch.documents.pdf.mupdf import pymupdf

MOST_PATHS = 20_000
MOST_SEGMENTS = 100_000
"""Of one path."""
MOST_IN_ALL = 1_000_000
SUSPECT_BYTES = 200_000
"""Shorter drawing instructions cannot hold that many paths."""
MOST_BYTES = 256 * 1024 * 1024
"""Longer instructions are refused without counting."""
MOST_RATIO = 1032
"""Deflate packs no better."""
_CHUNK = 1024 * 1024

_SEGMENT = re.compile(rb"(?<=[\d.\s])(?:l|c|v|y|re)(?=[\s\d.+-])")
_FLATE = re.compile(r"/(?:FlateDecode|Fl)\b")
_PAINT = re.compile(rb"(?<=[\s\dhlcvyeW*])(?:[sSfFbBn]\*?)(?=\s)")


def refuse_endless(page: pymupdf.Page, known: dict[int, bool]) -> None:
    """Check that the page's drawing instructions do not unpack to more than `MOST_BYTES`; unpacks only what might.

    `known` keeps, for the document, whether a stream that had to be unpacked is endless: many pages may share one.

    Raises:
        TooLarge: they do.
    """
    document = page.parent
    try:
        xrefs = {*page.get_contents(), *(form[0] for form in page.get_xobjects())}
    except Exception:  # damaged: reading the page says how
        return
    for xref in xrefs:
        if 0 < xref < document.xref_length() and document.xref_is_stream(xref) and _is_endless(document, xref, known):
            raise TooLarge(f"too large: drawing instructions of more than {MOST_BYTES >> 20} MiB")


def _is_endless(document: pymupdf.Document, xref: int, known: dict[int, bool]) -> bool:
    if xref in known:
        return known[xref]
    filters = _FLATE.findall(document.xref_get_key(xref, "Filter")[1])
    packed = document.xref_stream_raw(xref) or b""
    if not filters or len(packed) * MOST_RATIO ** len(filters) <= MOST_BYTES:
        return False
    known[xref] = _unpacks_to_too_much(packed, len(filters))
    return known[xref]


def _unpacks_to_too_much(packed: bytes, times: int) -> bool:
    pieces: Iterator[bytes] = iter([packed])
    for _ in range(times):
        pieces = _inflated(pieces)
    left = MOST_BYTES
    for piece in pieces:
        left -= len(piece)
        if left < 0:
            return True
    return False


def _inflated(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Unpack a stream piece by piece; damaged data end it."""
    unpacker = zlib.decompressobj()
    for piece in pieces:
        while piece:
            try:
                yield unpacker.decompress(piece, _CHUNK)
            except zlib.error:
                return
            piece = unpacker.unconsumed_tail


def has_too_many_paths(page: pymupdf.Page) -> bool:
    """Check for too many paths; counts only if the page's drawing instructions are long enough."""
    document = page.parent
    xrefs = {*page.get_contents(), *(form[0] for form in page.get_xobjects())}
    length = document.xref_length()
    contents = [document.xref_stream(xref) or b"" for xref in xrefs if 0 < xref < length]
    size = sum(map(len, contents))
    if size < SUSPECT_BYTES:
        return False
    if size > MOST_BYTES or has_too_many_segments(contents):
        return True
    return sum("path" in kind for kind, _ in page.get_bboxlog()) > MOST_PATHS


def has_too_many_segments(contents: Iterable[bytes]) -> bool:
    """Check whether one path of the drawing instructions, or all together, have more lines and curves than can be drawn
    in a few seconds."""
    counts = [len(_SEGMENT.findall(path)) for content in contents for path in _PAINT.split(content)]
    return max(counts, default=0) > MOST_SEGMENTS or sum(counts) > MOST_IN_ALL
