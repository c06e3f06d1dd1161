"""Find lost page content: streams that are missing, truncated or cannot be decoded, and missing form XObjects.

MuPDF skips over all of it and only warns, so a lost page looks like a blank one. Its warnings alone say too much (a
truncated font or a missing checksum does no harm), so they are checked against the streams themselves.
"""

from __future__ import annotations

import re
import zlib

from pdfbatch.documents.pdf.mupdf import pymupdf

MOST_BYTES = 64 * 1024 * 1024
"""Limit for one decoded stream."""
_TAIL = 4096
_SYNC_FLUSH = b"\x00\x00\xff\xff"
"""Some producers flush their deflate streams instead of ending them (RFC 1951, 3.2.4: an empty stored block)."""

_WARNINGS = {
    "stack overflow": "something on the page nests without end",
    "cannot load content stream part": "part of the page's content is lost",
    "cannot find xobject resource": "a form XObject of the page is missing",
    "no xobject subtype specified": "a form XObject of the page is missing",
    "too many syntax errors": "the page's content is damaged and was not read to the end",
}
_UNPACKING = ("zlib error", "premature end of data", "read error", "cannot decode", "error in filter")
_GARBAGE = "the page's content is damaged and cannot be read"
_CUT = "the page's content is truncated"

# PDF 32000-1, table 51, less the inline image's operators.
_OPERATORS = frozenset(
    b"b B b* B* BDC BMC BT BX c cm CS cs d d0 d1 Do DP EI EMC ET EX f F f* G g gs h i j J K k l m M MP n q Q re RG rg "
    b"ri s S SC sc SCN scn sh T* Tc Td TD Tf Tj TJ TL Tm Tr Ts Tw Tz v w W W* y ' \"".split()
)
_LEFT_OVER = re.compile(rb"(?:endstream|endobj|\s|\0)+\Z")
_STRING = re.compile(rb"\((?:\\.|[^()\\])*\)", re.DOTALL)
_TEXT_MARK = re.compile(rb"(?<![^\s>)\]])(BT|ET)(?![^\s<(\[/])")
_STATE_MARK = re.compile(rb"(?<![^\s>)\]])([qQ])(?![^\s<(\[/])")


def take_warnings() -> str:
    """Return MuPDF's warnings since the last call, in lower case."""
    return str(pymupdf.TOOLS.mupdf_warnings(reset=1)).lower()


def damage_of(page: pymupdf.Page, warnings: str, shows_nothing: bool) -> str:
    """Describe in one sentence what is lost of the page's content; "" if nothing is, as far as can be seen.

    `warnings`: MuPDF's warnings from loading the page and running its content. `shows_nothing`: MuPDF found nothing to
    paint.
    """
    if not warnings and not shows_nothing:  # true of nearly every page
        return ""
    document, streams = page.parent, page.get_contents()
    if any(_is_lost(document, xref) for xref in streams) or (
        "content stream is not a stream" in warnings and not streams
    ):
        return "the page's content is missing"
    if shows_nothing and not streams and ("non-page object in page tree" in warnings or _is_torn(page)):
        return "the page object is missing"
    for words, meaning in _WARNINGS.items():
        if words in warnings:
            return meaning
    if any(words in warnings for words in _UNPACKING) and _any_unpacks_badly(page):
        return _CUT
    has_errors = "syntax error" in warnings
    if has_errors and streams and not ends_cleanly(_unpacked(document, streams[-1])):
        return _CUT
    if shows_nothing and any(_is_garbage(_unpacked(document, xref), has_errors) for xref in streams):
        return _GARBAGE
    return ""


def lost_picture(warnings: str) -> str:
    """Do the same for a page on which nothing could be read, from MuPDF's warnings while drawing it."""
    has_lost = "padding truncated image" in warnings or "cannot load image" in warnings
    has_lost = has_lost or "openjpeg error" in warnings
    return "the page's image is damaged" if has_lost else ""


def ends_cleanly(content: bytes) -> bool:
    """Check that the content ends after an operator, with no open text object and every saved state restored."""
    content = _LEFT_OVER.sub(b"", content)
    if not content:
        return True
    if content[-_TAIL:].split()[-1].rpartition(b")")[2].rpartition(b"]")[2].rpartition(b">")[2] not in _OPERATORS:
        return False
    plain = _STRING.sub(b"()", content)
    texts = _TEXT_MARK.findall(plain)
    states = _STATE_MARK.findall(plain)
    return (not texts or texts[-1] == b"ET") and states.count(b"q") <= states.count(b"Q")


def is_cut(packed: bytes) -> bool:
    """Check whether zlib data end before their deflate stream does, or cannot be decoded to the end. A wrong or missing
    checksum at the end loses nothing."""
    unpacker = zlib.decompressobj(-15)
    try:
        unpacker.decompress(packed[2:], MOST_BYTES)
    except zlib.error:
        return True
    if unpacker.eof or unpacker.unconsumed_tail:
        return False
    return not packed.rstrip(b"\r\n").endswith(_SYNC_FLUSH)


def _is_lost(document: pymupdf.Document, xref: int) -> bool:
    """Check for a reference to nothing, or to an object that is no stream; `null` counts as empty content."""
    if _is_stream(document, xref):
        return False
    pdf = pymupdf.mupdf.pdf_document_from_fz_document(document)
    exists = bool(pymupdf.mupdf.pdf_object_exists(pdf, xref))
    return not exists or document.xref_object(xref) != "null"


def _is_torn(page: pymupdf.Page) -> bool:
    """Check whether a file was repaired and the page's object lacks required keys, because the file was truncated
    there."""
    document = page.parent
    if not document.is_repaired:
        return False
    kind, parent = document.xref_get_key(page.xref, "Parent")
    if document.xref_get_key(page.xref, "Resources")[0] != "null":
        return False
    return bool(kind != "xref" or document.xref_get_key(int(parent.split()[0]), "Resources")[0] == "null")


def _is_stream(document: pymupdf.Document, xref: int) -> bool:
    return 0 < xref < document.xref_length() and bool(document.xref_is_stream(xref))


def _any_unpacks_badly(page: pymupdf.Page) -> bool:
    document = page.parent
    xrefs = {*page.get_contents(), *(form[0] for form in page.get_xobjects())}
    return any(_unpacks_badly(document, xref) for xref in xrefs if _is_stream(document, xref))


def _unpacks_badly(document: pymupdf.Document, xref: int) -> bool:
    packed = document.xref_stream_raw(xref) or b""
    filters = document.xref_get_key(xref, "Filter")[1]
    content = _unpacked(document, xref)
    if packed.strip() and not content.strip():
        return True
    if filters.strip("[] ") in ("/FlateDecode", "/Fl") and _breaks(packed):
        return True
    if ends_cleanly(content):
        return False
    if filters.strip("[] ") in ("/FlateDecode", "/Fl"):
        return is_cut(packed) or _checksum_differs(packed)
    return filters not in ("null", "")


def _breaks(packed: bytes) -> bool:
    """Check whether decoding meets invalid deflate data."""
    try:
        zlib.decompressobj(-15).decompress(packed[2:], MOST_BYTES)
    except zlib.error:
        return True
    return False


def _checksum_differs(packed: bytes) -> bool:
    try:
        zlib.decompressobj().decompress(packed, MOST_BYTES)
    except zlib.error:
        return True
    return False


def _unpacked(document: pymupdf.Document, xref: int) -> bytes:
    return bytes(document.xref_stream(xref) or b"")[:MOST_BYTES] if _is_stream(document, xref) else b""


def _is_garbage(content: bytes, has_errors: bool) -> bool:
    """Check a page that shows nothing for content that is no PDF code, or only the zeros of a hole in the file."""
    return bool(content.strip(b"\0\t\n\f\r ")) if has_errors else len(content) > 0 and not content.strip(b"\0")
