"""The format `pages`: a row for each page with its picture and its Markdown, in Parquet files that `datasets` reads
with pictures."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pyarrow as pa

from pdfbatch.documents.sandbox.children import Children
from pdfbatch.documents.tasks import page_png
from pdfbatch.export.content import Content, storable
from pdfbatch.export.files import MOST_DOCUMENTS, Part, Row
from pdfbatch.export.inputs import InputFiles
from pdfbatch.export.parquet import parquet_part, parquet_row
from pdfbatch.export.tokens import TOKENIZER, count_tokens
from pdfbatch.languages import DETECTOR, PAGE_CHARACTERS, language_of
from pdfbatch.markdown.document import PageText
from pdfbatch.records import Page

SECONDS = 120.0
"""For one picture."""
PICTURES_AHEAD = 2
"""So many pictures for each child are drawn before they are needed."""

_VALUES = {
    "id": pa.string(),
    "key": pa.string(),
    "url": pa.string(),
    "page": pa.int32(),
    "total_pages": pa.int32(),
    "width": pa.float64(),
    "height": pa.float64(),
    "markdown": pa.string(),
    "token_count": pa.int64(),
    "language": pa.string(),
    "language_score": pa.float64(),
    "engine": pa.string(),
    "read_by": pa.string(),
    "score": pa.float64(),
    "reason": pa.string(),
    "inference_info": pa.string(),
}
_FEATURES = {"image": {"_type": "Image"}} | {
    name: {"dtype": {"double": "float64"}.get(str(kind), str(kind)), "_type": "Value"} for name, kind in _VALUES.items()
}
SCHEMA = pa.schema(
    [("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])), *_VALUES.items()],
    {
        "huggingface": json.dumps({"info": {"features": _FEATURES}}),
        "tokenizer": TOKENIZER,
        "language_detector": DETECTOR,
    },
)


class PageRows:
    with_elements = True
    most_documents = MOST_DOCUMENTS
    parts: Sequence[Part] = (parquet_part(SCHEMA),)

    def __init__(self, children: Children, inputs: InputFiles, dpi: int) -> None:
        self._children = children
        self._inputs = inputs
        self._dpi = dpi

    def prepare(self, content: Content) -> Content:
        return content

    def rows(self, content: Content) -> Iterator[Sequence[Row]]:
        with self._inputs.file(content) as path:
            lacking = 0
            for page, picture in zip(content.pages, self._pictures(path, content), strict=True):
                lacking += picture is None
                row = _row(content, page, picture)
                yield [parquet_row(row, len(picture or b"") + len(page.text.encode()))]
        if lacking:
            content.lacking.append("some pictures" if path else "the input that was read")

    def _pictures(self, path: Path | None, content: Content) -> Iterator[bytes | None]:
        """Yields the picture of each page, None if it cannot be drawn. They are drawn in children, a few ahead."""
        if path is None:
            yield from (None for _ in content.pages)
            return
        pages = {page.number: page for page in content.elements.pages} if content.elements else {}
        ahead = PICTURES_AHEAD * self._children.processes
        waiting: deque[Future[bytes]] = deque()
        for text in content.pages:
            rotation = pages[text.number].rotation if text.number in pages else 0
            waiting.append(self._children.submit(SECONDS, page_png, str(path), text.number, self._dpi, rotation))
            if len(waiting) > ahead:
                yield _result(waiting.popleft())
        yield from map(_result, waiting)


def _result(drawn: Future[bytes]) -> bytes | None:
    try:
        return drawn.result()
    except Exception:  # it cannot be drawn, or its child died
        return None


def _row(content: Content, text: PageText, picture: bytes | None) -> dict[str, Any]:
    pages = {page.number: page for page in content.elements.pages} if content.elements else {}
    page = pages.get(text.number, Page(number=text.number))
    is_known = text.number in pages
    language = language_of(text.text, PAGE_CHARACTERS)
    model, revision = content.model
    info = {"model": model, "revision": revision, "pdfbatch": content.run.version, "run": storable(content.item.run)}
    return {
        "image": {"bytes": picture, "path": f"page-{text.number:05}.png"} if picture else None,
        "id": f"{content.id}#page={text.number}",
        "key": content.key,
        "url": content.url,
        "page": text.number,
        "total_pages": content.outcome.pages,
        "width": page.width if is_known else None,
        "height": page.height if is_known else None,
        "markdown": text.text,
        "token_count": count_tokens(text.text),
        "language": language.label,
        "language_score": language.score,
        "engine": storable(content.outcome.engine),
        "read_by": storable(page.read_by) if is_known else None,
        "score": page.score if is_known else None,
        "reason": str(text.reason) if text.reason else None,
        "inference_info": json.dumps(info),
    }
