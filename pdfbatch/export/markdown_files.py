"""The format `markdown`: the Markdown files under their own names, with their figures; front matter if requested."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from pdfbatch.errors import NotFound
from pdfbatch.export.content import Content, storable
from pdfbatch.export.files import Part, Row
from pdfbatch.export.lines import LinesFile
from pdfbatch.export.shards import LISTS
from pdfbatch.records import figures_prefix, output_key
from pdfbatch.runs.contents import contents_of
from pdfbatch.store import Store

_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_ESCAPE = re.compile(r"\\([!-/:-@[-`{-~])")


class MarkdownFiles:
    with_elements = True
    most_documents = 1000
    parts: Sequence[Part] = (Part(f"{LISTS}part-{{}}.txt", lambda path: LinesFile(path, "none")),)

    def __init__(self, output: Store, dest: Store, *, front_matter: bool) -> None:
        self._output = output
        self._dest = dest
        self._has_front_matter = front_matter

    def prepare(self, content: Content) -> Content:
        """Writes the figures, then the Markdown. Runs in one of many threads."""
        key = output_key(content.item.key)
        names = [figures_prefix(content.item.key) + name for name in contents_of(content.markdown, key).figures]
        if any(map(self._dest.cannot_hold, [key, *names])):
            content.lacking.append("a name that DEST can hold")
            return content
        for name in sorted(names):
            with suppress(NotFound):
                self._dest.put(name, self._output.get(name))
                content.written.append(name)
        text = front_matter(content) + content.markdown if self._has_front_matter else content.markdown
        self._dest.put(key, text.encode())
        content.written.append(key)
        return content

    def rows(self, content: Content) -> Iterator[Sequence[Row]]:
        for key in content.written:
            line = json.dumps(key).encode() + b"\n"
            yield [Row(line, len(line))]


def front_matter(content: Content) -> str:
    """Returns YAML whose values are written as JSON, which is YAML too."""
    from pdfbatch.languages import language_of

    outcome = content.outcome
    model, revision = content.model
    fields: dict[str, Any] = {
        "title": _title(content),
        "source": content.url,
        "id": content.id,
        "etag": storable(outcome.etag),
        "sha256": content.sha256,
        "pages": outcome.pages,
        "unread_pages": content.unread,
        "status": str(outcome.outcome),
        "language": language_of(content.joined.text).label,
        "engine": storable(outcome.engine),
        "model": model,
        "model_revision": revision,
        "run": storable(content.item.run),
        "read": content.at,
        "pdfbatch": storable(content.run.version),
    }
    lines = [f"{name}: {_scalar(value)}\n" for name, value in fields.items() if value not in ("", None)]
    return f"---\n{''.join(lines)}---\n\n"


def _title(content: Content) -> str:
    """Returns the first heading, without Markdown's escapes."""
    found = _HEADING.search(content.markdown)
    return _ESCAPE.sub(r"\1", found[1]) if found else ""


def _scalar(value: Any) -> str:
    """Returns a value as JSON in which everything that YAML does not allow, or reads as a break, is escaped."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else "".join(_escaped(char) for char in text)


def _escaped(char: str) -> str:
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"
