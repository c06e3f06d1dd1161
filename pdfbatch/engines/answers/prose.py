"""Convert the lines of a text element to paragraphs of spans. Pure.

The model writes plain text with LaTeX in it; formulas become separate spans and are otherwise unchanged.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from pdfbatch.engines.answers.formulas import FormulaSegment, display, is_display, segments, without_blank_lines
from pdfbatch.paragraphs import without_breaks
from pdfbatch.records import Span

_NEWLINE = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_UNWRITABLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")

_WRAPPERS = re.compile(r"\\(?:author|title)\{(.*)\}|\\begin\{abstract\}(.*)\\end\{abstract\}", re.DOTALL)


def clean(text: str) -> str:
    """The text in NFC, with `\\n` newlines and without control characters."""
    text = _UNWRITABLE.sub("", _NEWLINE.sub("\n", text))
    return unicodedata.normalize("NFC", _SURROGATE.sub("\ufffd", text))


def paragraphs(text: str) -> list[list[Span]]:
    """The paragraphs; a paragraph that is only a formula is a single math span."""
    return [part for part in _parts(text) if part]


def one_line(text: str) -> list[Span]:
    """The text as one line, ignoring blank lines."""
    return unwrapped(re.sub(r"\n\s*\n", "\n", _bare(text)))


def unwrapped(text: str) -> list[Span]:
    """The joined lines of one paragraph, with formulas as separate spans."""
    text = re.sub(r"[^\S\n]+", " ", text.strip())
    parts = [span_of(segment, without_breaks(segment.text)) for segment in segments(text)]
    return [part for part in parts if part.text]


def math(body: str) -> Span:
    return Span(text=body, math=True)


def displayed(text: str) -> list[list[Span]]:
    """The parts of a formula's text: one math span each, or the spans of the words around it."""
    return [[math(part[3:-3])] if part.startswith("$$\n") else unwrapped(part) for part in display(text)]


def _parts(text: str) -> Iterator[list[Span]]:
    if is_display(text):
        yield from displayed(text)
        return
    for part in re.split(r"\n\s*\n", without_blank_lines(_bare(text))):
        if is_display(part):
            yield from displayed(part)
        else:
            yield unwrapped(part)


def span_of(segment: FormulaSegment, text: str) -> Span:
    """A math span without its delimiters, or a span of `text` for any other segment."""
    if not segment.formula:
        return Span(text=text)
    width = 2 if segment.text.startswith("$$") else 1
    return math(segment.text[width:-width])


def _bare(text: str) -> str:
    """The text without the LaTeX that 1.0 puts around authors and abstracts."""
    match = _WRAPPERS.fullmatch(text.strip())
    return next(group for group in match.groups() if group is not None) if match else text
