"""The format `parquet`: a row for each document, with the columns of FinePDFs in their order and types, and provenance
after them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from pdfbatch.export.content import Content, storable
from pdfbatch.export.files import MOST_DOCUMENTS, Part, Row
from pdfbatch.export.parquet import parquet_part, parquet_row
from pdfbatch.export.provenance import provenance
from pdfbatch.export.tokens import TOKENIZER, count_tokens
from pdfbatch.languages import DETECTOR, PAGE_CHARACTERS, Language, average, language_of

FINEPDFS = pa.schema(
    [
        ("text", pa.string()),
        ("id", pa.string()),
        ("dump", pa.string()),
        ("url", pa.string()),
        ("date", pa.string()),
        ("file_path", pa.string()),
        ("offset", pa.int64()),
        ("token_count", pa.int64()),
        ("language", pa.string()),
        ("page_average_lid", pa.string()),
        ("page_average_lid_score", pa.float64()),
        ("full_doc_lid", pa.string()),
        ("full_doc_lid_score", pa.float64()),
        ("per_page_languages", pa.list_(pa.string())),
        ("is_truncated", pa.bool_()),
        ("extractor", pa.string()),
        ("page_ends", pa.list_(pa.int64())),
    ]
)
PROVENANCE = pa.schema(
    [
        ("key", pa.string()),
        ("outcome", pa.string()),
        ("reason", pa.string()),
        ("sha256", pa.string()),
        ("etag", pa.string()),
        ("digest", pa.string()),
        ("size", pa.int64()),
        ("attempt", pa.int32()),
        ("same_as", pa.string()),
        ("pages", pa.int32()),
        ("page_numbers", pa.list_(pa.int32())),
        ("unread_pages", pa.list_(pa.int32())),
        ("page_engines", pa.list_(pa.string())),
        ("page_reasons", pa.list_(pa.string())),
        ("page_scores", pa.list_(pa.float64())),
        ("model", pa.string()),
        ("model_revision", pa.string()),
        ("pdfbatch_version", pa.string()),
        ("seconds", pa.float64()),
        ("dollars", pa.float64()),
    ]
)
SCHEMA = pa.schema([*FINEPDFS, *PROVENANCE], {"tokenizer": TOKENIZER, "language_detector": DETECTOR})


class Languages(NamedTuple):
    document: Language
    average: Language
    """Of the pages."""
    pages: Sequence[Language]


def languages_of(content: Content) -> Languages:
    pages = [language_of(page.text, PAGE_CHARACTERS) for page in content.pages]
    return Languages(language_of(content.joined.text), average(pages), pages)


class DocumentRows:
    with_elements = True
    most_documents = MOST_DOCUMENTS
    parts: Sequence[Part] = (parquet_part(SCHEMA),)

    def prepare(self, content: Content) -> Content:
        return content

    def rows(self, content: Content) -> Iterator[Sequence[Row]]:
        text, ends = content.joined
        languages = languages_of(content)
        row: dict[str, Any] = {
            "text": text,
            "id": content.id,
            "dump": storable(content.item.run),
            "url": content.url,
            "date": content.at or None,
            "file_path": content.url,
            "offset": None,
            "token_count": count_tokens(text),
            "language": languages.average.label,
            "page_average_lid": languages.average.label,
            "page_average_lid_score": languages.average.score,
            "full_doc_lid": languages.document.label,
            "full_doc_lid_score": languages.document.score,
            "per_page_languages": [page.label for page in languages.pages],
            "is_truncated": content.is_truncated,
            "extractor": storable(content.outcome.engine),
            "page_ends": ends,
            **provenance(content),
        }
        yield [parquet_row(row, len(text.encode()) + 64 * len(ends))]
