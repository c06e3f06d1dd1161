"""The lines of a text element to Markdown paragraphs. Pure.

The model writes plain text with LaTeX in it. Text is escaped only where Markdown would take it for something else;
formulas are not touched.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from pdfbatch.engines.dolphin.formulas import display, is_display, segments, without_blank_lines
from pdfbatch.paragraphs import without_breaks

_NEWLINE = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_UNWRITABLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")

_TAG = re.compile(r"<(?=[A-Za-z/!?])")
EMPHASIS = re.compile(r"(?<!\\)(?:(?<=\S)\*|\*(?=\S))")
_STRUCTURE = re.compile(r"(?:#{1,6}|[-+*])(?=\s|$)|>|(?:[-_] ?){2,}$|=+$|~{3}|`{3}|\[(?=[^\[\]]{1,99}\]:)")
_NUMBERED = re.compile(r"(\d{1,9})([.)])(?=\s|$)")
_ANCHOR = re.compile(r"\\(?=<!-- page \d)")

_SENTENCE_END = re.compile(
    r"[.!?:…。！？：．][\"'”’»)\]」』）$]*(?:\s?(?:\[[\d,\s–-]{1,20}\]|\$\^\{?[\d, *†‡]{1,9}\}?\$|[\\*†‡¹²³⁴-⁹]+))?$"
)
_OPENERS = "\"'“‘«(["
_WRAPPERS = re.compile(r"\\(?:author|title)\{(.*)\}|\\begin\{abstract\}(.*)\\end\{abstract\}", re.DOTALL)


def clean(text: str) -> str:
    """NFC, with one kind of newline and without what no text file should hold."""
    text = _UNWRITABLE.sub("", _NEWLINE.sub("\n", text))
    return unicodedata.normalize("NFC", _SURROGATE.sub("\ufffd", text))


def paragraphs(text: str) -> list[str]:
    """The paragraphs, each on one line, but for those that are nothing but a formula: these are blocks of lines.

    Not yet fit for the beginning of a line, see `escaped_start`.
    """
    return [part for part in _parts(text) if part]


def one_line(text: str) -> str:
    """The text as one line, whatever the blank lines in it."""
    return unwrapped(re.sub(r"\n\s*\n", "\n", _bare(text)))


def unwrapped(text: str) -> str:
    """The lines of one paragraph joined, formulas in Markdown's delimiters, tags and emphasis escaped."""
    text = re.sub(r"[^\S\n]+", " ", text.strip())
    return "".join(
        segment.text if segment.formula else _escaped(without_breaks(segment.text)) for segment in segments(text)
    ).strip()


def escaped_start(line: str) -> str:
    """What Markdown would take for a heading, quotation, list, rule, fence or link target at the start of a line.

    An anchor of a page is left as it is: whoever puts the pages together sees to it.
    """
    line = _ANCHOR.sub("", line, count=1) if line.startswith("\\<!--") else line
    if numbered := _NUMBERED.match(line):
        return rf"{numbered.group(1)}\{line[numbered.end(1) :]}"
    return f"\\{line}" if _STRUCTURE.match(line) else line


def ends_sentence(text: str) -> bool:
    """Whether the text, apart from quotation marks, brackets and a reference behind it, ends in a full stop or such."""
    return _SENTENCE_END.search(text[-60:]) is not None


def begins_lower(text: str) -> bool:
    return text.lstrip(_OPENERS)[:1].islower()


def _parts(text: str) -> Iterator[str]:
    if is_display(text):
        yield from display(text)
        return
    for part in re.split(r"\n\s*\n", without_blank_lines(_bare(text))):
        if is_display(part):
            yield from display(part)
        else:
            yield unwrapped(part)


def _bare(text: str) -> str:
    """Without the LaTeX that 1.0 puts around authors and abstracts."""
    match = _WRAPPERS.fullmatch(text.strip())
    return next(group for group in match.groups() if group is not None) if match else text


def _escaped(text: str) -> str:
    return EMPHASIS.sub(r"\\*", _TAG.sub(r"\\<", text))
