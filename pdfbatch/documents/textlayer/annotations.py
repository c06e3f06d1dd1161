"""Read what lies over a page's text: links and form fields."""

from __future__ import annotations

from typing import NamedTuple

from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.textlayer.lines import Box
from pdfbatch.documents.textlayer.spans import Link

_DAMAGED = (RuntimeError, ValueError, TypeError, KeyError, AttributeError, pymupdf.mupdf.FzErrorBase)
"""What pymupdf raises on malformed annotations."""
_HIDDEN = 1
"""pymupdf's `field_display` of a hidden field."""
_BOXES = (pymupdf.PDF_WIDGET_TYPE_CHECKBOX, pymupdf.PDF_WIDGET_TYPE_RADIOBUTTON)


class CheckBox(NamedTuple):
    """A check box or radio button. `name`: the field's tooltip, or "". `drawn`: a square drawn on the page, which is a
    box only if a label stands beside it."""

    box: Box
    checked: bool
    name: str = ""
    drawn: bool = False


def links_of(page: pymupdf.Page, matrix: pymupdf.Matrix) -> list[Link]:
    """Return the page's links to URIs. `matrix`: from the page's unrotated space to the space of the returned boxes.
    Empty if the annotations are damaged; the text is read anyway."""
    try:
        found = page.get_links()
    except _DAMAGED:
        return []
    return [
        Link(_moved(link["from"], page.derotation_matrix * matrix), link["uri"])
        for link in found
        if link["kind"] == pymupdf.LINK_URI and link.get("uri")
    ]


def check_boxes_of(page: pymupdf.Page, matrix: pymupdf.Matrix) -> list[CheckBox]:
    """Return the check boxes and radio buttons of a page's form, placed as in `links_of`. pymupdf gives links in the
    page's rotated space, but fields in its unrotated space."""
    try:
        return [
            CheckBox(_moved(widget.rect, matrix), _is_checked(widget), widget.field_label or "")
            for widget in page.widgets()
            if widget.field_type in _BOXES and not _is_invisible(widget)
        ]
    except _DAMAGED:
        return []


def _is_checked(widget: pymupdf.Widget) -> bool:
    """Check the displayed state, because radio buttons of one field all share its value."""
    kind, state = widget._annot.parent.parent.xref_get_key(widget.xref, "AS")
    if kind == "name":
        return bool(state != "/Off")
    return widget.field_value not in (None, "", False, "Off")


def _is_invisible(widget: pymupdf.Widget) -> bool:
    return bool(widget.field_display == _HIDDEN)


def _moved(rect: pymupdf.Rect, matrix: pymupdf.Matrix) -> Box:
    box = pymupdf.Rect(rect) * matrix
    return (box.x0, box.y0, box.x1, box.y1)
