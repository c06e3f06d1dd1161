"""Write one element as one Markdown block, by its label. Pure."""

from __future__ import annotations

import re

from pdfbatch.markdown.addresses import destination
from pdfbatch.markdown.inline import InlinePlace, finished_latex, inline, label
from pdfbatch.markdown.pieces import clean
from pdfbatch.markdown.tables import table_markdown
from pdfbatch.records import Element, Label, Span

_CLOSING = re.compile(r"(^|\s)(#+)$")
_STRUCTURE = re.compile(r"[-+*=#>|:~`<]|\d{1,9}[.)](?:\s|$)|\[")
_ANCHOR = re.compile("^<!-- page ", re.MULTILINE)


def block_markdown(element: Element, figures: str) -> str:
    """The block, without blank lines except in code; "" if there is nothing to show. `figures` is the prefix of links
    to figures. List items are written by `list_markdown`."""
    match element.label:
        case Label.TITLE:
            return _heading(element, 1)
        case Label.HEADING:
            return _heading(element, 2)
        case Label.TABLE if element.cells:
            return table_markdown(element.cells)
        case Label.FORMULA:
            return _formula(element)
        case Label.CODE:
            return _code(element.text)
        case Label.FIGURE:
            return _figure(element, figures)
    return _paragraph(element)


def _heading(element: Element, level: int) -> str:
    text = inline(element.spans, InlinePlace.HEADING)
    return f"{'#' * min(element.level or level, 6)} {_CLOSING.sub(_kept, text)}" if text else ""


def _kept(closing: re.Match[str]) -> str:
    """Escapes hashes at the end that would count as the heading's closing sequence."""
    return f"{closing[1]}\\{closing[2]}"


def _paragraph(element: Element) -> str:
    """The text, after its marker if it has one, as footnotes and references do."""
    marker = element.marker.strip()
    spans = [Span(text=f"{marker} "), *element.spans] if marker else element.spans
    return inline(spans, InlinePlace.BLOCK)


def _formula(element: Element) -> str:
    spans = [span for span in element.spans if span.text.strip()]
    latex = "\n".join(clean(span.text) for span in spans)
    if not all(span.math for span in spans) or "$" in latex.replace(r"\$", ""):
        return _paragraph(element)
    lines = [_latex_line(line.strip()) for line in latex.split("\n") if line.strip()]
    return "\n".join(["$$", *lines[:-1], finished_latex(lines[-1]), "$$"]) if lines else ""


def _latex_line(line: str) -> str:
    """Prefixes a line that would start a Markdown block with `{}`, which LaTeX does not show."""
    return f"{{}}{line}" if _STRUCTURE.match(line) else line


def _code(text: str) -> str:
    """The lines unchanged, in a fence longer than any in them. If one looks like a page anchor, all are indented
    by a space, which renderers remove again."""
    lines = clean(text).split("\n")
    while lines and not lines[0].strip():
        lines.pop(0)
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        return ""
    code = "\n".join(lines)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
    block = f"{fence}\n{code}\n{fence}"
    return re.sub("^", " ", block, flags=re.MULTILINE) if _ANCHOR.search(code) else block


def _figure(element: Element, figures: str) -> str:
    """The image link; "" for a figure without a picture, whose text is that of its caption."""
    if not element.figure:
        return ""
    return f"![{label(element.spans) or 'Figure'}]({destination(figures + element.figure)})"
