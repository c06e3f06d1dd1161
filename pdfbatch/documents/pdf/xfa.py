"""Read XFA forms: a dynamic form keeps its values in XML packets, and its one page asks the reader to wait for Acrobat.

Sources: XFA 3.3 (packets template and datasets); PDF 32000-1, 12.7.8, for /XFA and /NeedsRendering.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import NamedTuple

from pdfbatch.documents.pdf.mupdf import pymupdf

MOST_BYTES = 32 * 1024 * 1024
_TYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY)")
_WAIT = re.compile(
    r"please wait|if this message is not eventually replaced|bitte warten|veuillez patienter|espere por favor"
    r"|attendere|aguarde|een ogenblik|请稍候|请等待|お待ち",
    re.IGNORECASE,
)
_BLOCKS = ("p", "br", "li", "div", "text")
_DATASETS = re.compile(r"^\{http://www\.xfa\.org/schema/xfa-data/[^}]*\}data$")


class Pair(NamedTuple):
    """A field's caption (its name if it has none) and its value."""

    label: str
    value: str


def is_shell(document: pymupdf.Document) -> bool:
    """Check whether the document's pages are only a placeholder for an XFA form that a viewer must lay out."""
    kind, form = _form_key(document, "XFA")
    if kind not in ("xref", "array") or not form:
        return False
    if document.xref_get_key(document.pdf_catalog(), "NeedsRendering")[1] == "true":
        return True
    fields = _form_key(document, "Fields")[1].replace(" ", "")
    return fields in ("null", "", "[]") and says_wait(document[0].get_text())


def says_wait(text: str) -> bool:
    """Check whether a page's text is the usual request to wait for the form."""
    return len(text) < 3000 and _WAIT.search(text) is not None


def pairs(document: pymupdf.Document) -> list[Pair]:
    """Return the filled-in fields in the order of the data; empty if there are none, or nothing can be read."""
    captions: dict[str, str] = {}
    found: list[tuple[str, str]] = []
    for root in _packets(document):
        captions |= dict(_captions(root))
        for node in root.iter():
            if _DATASETS.match(str(node.tag)):
                found += _values(node)
    return [Pair(captions.get(name, name), value) for name, value in found]


def _form_key(document: pymupdf.Document, key: str) -> tuple[str, str]:
    """Return the AcroForm's entry under a key; the AcroForm may be direct or indirect."""
    kind, form = document.xref_get_key(document.pdf_catalog(), "AcroForm")
    if kind == "xref":
        found = document.xref_get_key(int(form.split()[0]), key)
    else:
        found = document.xref_get_key(document.pdf_catalog(), f"AcroForm/{key}")
    return str(found[0]), str(found[1])


def _packets(document: pymupdf.Document) -> Iterator[ET.Element]:
    """Parse each packet. They may be one stream, several, or parts of one text."""
    kind, form = _form_key(document, "XFA")
    numbers = [int(number) for number in re.findall(r"(\d+) \d+ R", form)]
    if kind == "xref" and not document.xref_is_stream(numbers[0]):  # an indirect array
        numbers = [int(number) for number in re.findall(r"(\d+) \d+ R", document.xref_object(numbers[0]))]
    there = [number for number in numbers if 0 < number < document.xref_length() and document.xref_is_stream(number)]
    streams = [bytes(document.xref_stream(number) or b"") for number in there]
    if sum(map(len, streams)) > MOST_BYTES:
        return
    whole = _parsed(b"".join(streams))
    for root in [whole] if whole is not None else map(_parsed, streams):
        if root is not None:
            yield root


def _parsed(data: bytes) -> ET.Element | None:
    if not data or _TYPE.search(data):  # entities can expand without limit
        return None
    try:
        return ET.fromstring(data)
    except (ET.ParseError, ValueError, LookupError):
        return None


def _captions(root: ET.Element) -> Iterator[tuple[str, str]]:
    for field in root.iter():
        name = field.get("name")
        if name and _local(field) in ("field", "exclGroup"):
            caption = next((child for child in field if _local(child) == "caption"), None)
            if caption is not None and (text := _text(caption)):
                yield name, text.rstrip(":").rstrip()


def _values(data: ET.Element) -> Iterator[tuple[str, str]]:
    """Yield leaves with text, by name. Styled text is XHTML inside a leaf."""
    for child in data:
        if len(child) == 0 or all("xhtml" in str(part.tag) for part in child):
            if text := _text(child):
                yield _local(child), text
        else:
            yield from _values(child)


def _text(node: ET.Element) -> str:
    """Return the text with blanks between blocks and none added within one."""
    return " ".join("".join(_pieces(node)).split())


def _pieces(node: ET.Element) -> Iterator[str]:
    yield node.text or ""
    for child in node:
        yield from _pieces(child)
        yield " " * (_local(child) in _BLOCKS) + (child.tail or "")


def _local(node: ET.Element) -> str:
    return str(node.tag).rpartition("}")[2]
