"""Layers (optional content): which are shown, and a page's text with all of them.

MuPDF handles single layers correctly, but of memberships (several layers and a rule) only the simplest kind: no
expressions, and only the rule /AnyOn. So each membership is evaluated here when a document is opened, and replaced by
one that is always or never shown. Source: PDF 32000-1, 8.11.2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pdfbatch.documents.pdf.mupdf import pymupdf

MOST_DEPTH = 32
"""Nesting depth of expressions; a file can make an expression contain itself."""
_TOKEN = re.compile(r"\[|\]|/[^\s/\[\]<>()]+|(\d+)\s+\d+\s+R")
_RULES: Mapping[str, Callable[[Sequence[bool]], bool]] = {
    "/AllOn": lambda states: all(states),
    "/AnyOn": lambda states: any(states),
    "/AnyOff": lambda states: not all(states),
    "/AllOff": lambda states: not any(states),
}
_EVERYWHERE = 1e6
"""Points; larger than any page."""

Tree = Sequence[Any]
"""A PDF array: names, object numbers, arrays."""


def settle_memberships(document: pymupdf.Document) -> None:
    """Replace every membership of the open document by one that MuPDF evaluates correctly. The file is not changed."""
    if document.xref_get_key(document.pdf_catalog(), "OCProperties")[0] == "null":
        return
    found = [xref for xref in range(1, document.xref_length()) if document.xref_get_key(xref, "Type")[1] == "/OCMD"]
    if not found:
        return
    states = {xref: bool(group["on"]) for xref, group in document.get_ocgs().items()}
    for xref in found:
        always = "<</Type/OCMD>>"
        document.update_object(xref, always if _is_shown(document, xref, states) else _never(states))


def _never(states: Mapping[int, bool]) -> str:
    """Build a membership whose rule never holds."""
    off = next((group for group, is_on in states.items() if not is_on), 0)
    on = next((group for group, is_on in states.items() if is_on), 0)
    return f"<</Type/OCMD/OCGs {off} 0 R>>" if off else f"<</Type/OCMD/OCGs[{on} 0 R]/P/AllOff>>"


def text_of_all_layers(page: pymupdf.Page, flags: int) -> pymupdf.TextPage:
    """Return the page's text in its unrotated space, from all layers and also from outside the page."""
    mupdf = pymupdf.mupdf
    far = _EVERYWHERE
    found = mupdf.FzStextPage(mupdf.FzRect(-far, -far, far, far))
    device = mupdf.fz_new_stext_device(found, mupdf.FzStextOptions(flags & ~pymupdf.TEXT_MEDIABOX_CLIP))
    turned = page.derotation_matrix
    matrix = mupdf.FzMatrix(turned.a, turned.b, turned.c, turned.d, turned.e, turned.f)
    pdf_page = mupdf.pdf_page_from_fz_page(mupdf.FzPage(page.this))
    mupdf.pdf_run_page_with_usage(pdf_page, device, matrix, None, mupdf.FzCookie())  # no usage: all is shown
    mupdf.fz_close_device(device)
    return pymupdf.TextPage(found)


def _is_shown(document: pymupdf.Document, xref: int, states: Mapping[int, bool]) -> bool:
    expression = _tree(document, xref, "VE")
    if expression:
        return _holds(document, expression, states, MOST_DEPTH)
    groups = [states[part] for part in _tree(document, xref, "OCGs") if part in states]
    rule = _RULES.get(document.xref_get_key(xref, "P")[1], any)
    return rule(groups) if groups else True


def _holds(document: pymupdf.Document, part: Any, states: Mapping[int, bool], depth: int) -> bool:
    """Evaluate an expression; a malformed part counts as shown."""
    if isinstance(part, int):
        if part in states:
            return states[part]
        part = _parsed(document.xref_object(part)) if 0 < part < document.xref_length() else ()
    if not part or depth == 0:
        return True
    operator, *rest = part
    values = [_holds(document, each, states, depth - 1) for each in rest]
    if operator == "/Not":
        return not all(values)
    return any(values) if operator == "/Or" else all(values)


def _tree(document: pymupdf.Document, xref: int, key: str) -> Tree:
    """Return the array under a key, direct or indirect; a single group counts as an array of it."""
    kind, value = document.xref_get_key(xref, key)
    if kind != "xref":
        return _parsed(value) if kind == "array" else ()
    number = int(value.split()[0])
    target = document.xref_object(number) if 0 < number < document.xref_length() else ""
    return _parsed(target) if target.lstrip().startswith("[") else (number,)


def _parsed(text: str) -> Tree:
    """Parse the first array in a text written by MuPDF."""
    open_arrays: list[list[Any]] = [[]]
    for token in _TOKEN.finditer(text):
        if token[0] == "[":
            open_arrays.append([])
        elif token[0] != "]":
            open_arrays[-1].append(int(token[1]) if token[1] else token[0])
        elif len(open_arrays) > 1:
            whole = open_arrays.pop()
            open_arrays[-1].append(whole)
    first = open_arrays[0][0] if open_arrays[0] else ()
    return first if isinstance(first, list) else ()
