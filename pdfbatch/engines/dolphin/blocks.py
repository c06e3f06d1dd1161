"""One element's text to Markdown blocks, by what the element is. Pure; texts are `clean` already."""

from __future__ import annotations

import re
from itertools import pairwise

from pdfbatch.engines.dolphin.formulas import segments
from pdfbatch.engines.dolphin.prose import begins_lower, escaped_start, one_line, paragraphs, unwrapped
from pdfbatch.engines.dolphin.tables import is_html, pipe_table, tables_of

_LEVELS = {"title": 1, "sec": 2, "sub_sec": 3, "sub_sub_sec": 4}
_LEVEL = re.compile(r"sec_(\d)")
_CLOSING_MARKS = re.compile(r"(?<=\s)(#+)$")

_BULLET = re.compile(r"(?:[-*+–—·]\s+|[•‣⁃◦▪▫●○■□◆◇►▶➢➤]\s*)")
_ORDERED = re.compile(r"\d{1,3}[.)]\s")
_LETTERED = re.compile(r"(?:\(\w{1,4}\)|\[\w{1,4}\]|[a-z][.)]|[ivx]{1,5}[.)]|[A-Z]\)|\d{1,2}(?:\.\d{1,2})+\.?|[①-⑳])\s")
_REFERENCE = re.compile(r"(?:\[[\w+-]{1,12}\]|\d{1,3}[.)])\s")

_FENCED = re.compile(r"\s*(`{3,}|~{3,})[^\n`]*(?:\n(?P<code>.*?))??(?:\n[^\S\n]*\1[`~]*\s*)?", re.DOTALL)

_CAPTION_LABEL = re.compile(r"(?:[^\W\d]{1,12}\.?\s?)?[A-Z]?\d[\d.]{0,6}(?:\s?\([a-z]\))?[.:|]?\s")
_SENTENCE = re.compile(
    r"\b(?!(?:Fig|Tab|Eq|Ref|Sec|No|Dr|Mr|Ms|al|vs|cf|etc|approx)s?\.)"
    r"\w{2,40}[)\]\"”]{0,4}[.!?](?=\s+[A-Z(\[])|[。！？]"
)


def heading_level(label: str) -> int | None:
    """1 to 6; None where a label is no heading's. 1.0 says `title` and `sec`, 1.5 `sec_0` for the title and so on."""
    numbered = _LEVEL.fullmatch(label)
    return min(int(numbered.group(1)) + 1, 6) if numbered else _LEVELS.get(label)


def heading(text: str, level: int) -> str:
    line = one_line(text)
    return f"{'#' * level} {_CLOSING_MARKS.sub(_escape, line)}" if line else ""


def text_blocks(text: str) -> list[str]:
    return [escaped_start(paragraph) for paragraph in paragraphs(text)]


def list_lines(text: str) -> list[str]:
    """Items, one a line: `1.` and `1)` are kept as Markdown's own, `•` and its like become `-`, and any other marker is
    kept behind a `-`.

    Where some line has a marker, a line without one goes on with the item above. Where none has, each line is an item,
    but for those that begin in lower case.
    """
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    marked = any(map(_is_marked, lines))
    items = _grouped(lines, [_is_marked(line) if marked else not begins_lower(line) for line in lines])
    return [line for item in items if (line := _item(item))]


def reference_blocks(text: str) -> list[str]:
    """One paragraph for each reference that begins with its number."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return [
        escaped_start(line)
        for part in _grouped(lines, [_REFERENCE.match(line) is not None for line in lines])
        if (line := unwrapped(part))
    ]


def kept_lines(text: str) -> str:
    """The lines as they stand."""
    return "\n".join(escaped_start(line) for row in text.split("\n") if (line := unwrapped(row)))


def code_block(text: str) -> str:
    """In a fence longer than any in the code; the model's own, also one that it never closed, is taken off."""
    fenced = _FENCED.fullmatch(text)
    code = (fenced["code"] or "") if fenced else text
    lines = [line.rstrip() for line in code.split("\n")]
    while lines and not lines[0]:
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        return ""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
    return "\n".join([fence, *lines, fence])


def table_blocks(text: str, pipe_tables: bool) -> list[str]:
    """The tables, and what text the model wrote around them; text that is no HTML keeps its lines."""
    if not is_html(text):
        return [kept_lines(text)]
    blocks: list[str] = []
    for is_table, part in tables_of(text):
        if is_table:
            blocks.append((pipe_table(part) if pipe_tables else None) or part)
        else:
            blocks.extend(text_blocks(part))
    return blocks


def figure(url: str, caption: str) -> str:
    """`caption` gives the text for those who do not see the picture; `Figure` where there is none."""
    line = re.sub(r"(?<!\\)[\[\]]", _escape, _first_sentence(one_line(caption)))
    return f"![{line or 'Figure'}]({url})" if url else ""


def _first_sentence(line: str) -> str:
    label = _CAPTION_LABEL.match(line)
    done = label.end() if label else 0
    for segment in segments(line[done:]):
        if not segment.formula and (end := _SENTENCE.search(segment.text)):
            return line[: done + end.end()]
        done += len(segment.text)
    return line


def _item(text: str) -> str:
    bullet = _BULLET.match(text)
    line = unwrapped(text[bullet.end() :] if bullet else text)
    ordered = None if bullet else _ORDERED.match(line)
    if ordered:
        return ordered.group() + escaped_start(line[ordered.end() :])
    return f"- {escaped_start(line)}" if line else ""


def _is_marked(line: str) -> bool:
    return any(marker.match(line) for marker in (_BULLET, _ORDERED, _LETTERED))


def _grouped(lines: list[str], begins: list[bool]) -> list[str]:
    """Lines put together to parts, each from where one begins up to the next."""
    starts = sorted({0, *(place for place, begun in enumerate(begins) if begun), len(lines)})
    return ["\n".join(lines[start:end]) for start, end in pairwise(starts)]


def _escape(match: re.Match[str]) -> str:
    return f"\\{match.group()}"
