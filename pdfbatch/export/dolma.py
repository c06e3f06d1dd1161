"""The format `dolma`: documents as JSON lines, and the pages as spans of their texts in attributes files with the same
rows in the same order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pdfbatch.export.content import Content, storable
from pdfbatch.export.files import MOST_DOCUMENTS, Part, Row
from pdfbatch.export.lines import json_row, lines_part
from pdfbatch.export.provenance import provenance
from pdfbatch.export.tokens import TOKENIZER, count_tokens
from pdfbatch.languages import PAGE_CHARACTERS, language_of
from pdfbatch.records import Compression

SOURCE = "pdfbatch"
ATTRIBUTES = "pdf_pages"


class DolmaDocuments:
    with_elements = True
    most_documents = MOST_DOCUMENTS

    def __init__(self, compression: Compression) -> None:
        self.parts: Sequence[Part] = (
            lines_part("documents/part-{}", compression),
            lines_part(f"attributes/{ATTRIBUTES}/part-{{}}", compression),
        )

    def prepare(self, content: Content) -> Content:
        return content

    def rows(self, content: Content) -> Iterator[Sequence[Row]]:
        text = content.joined.text
        language = language_of(text)
        document = {
            "id": content.id,
            "text": text,
            "source": SOURCE,
            **({"added": content.at, "created": content.at[:10]} if content.at else {}),
            "metadata": {
                "Source-File": content.url,
                "run": storable(content.item.run),
                "language": language.label,
                "language_score": language.score,
                "token_count": count_tokens(text),
                "tokenizer": TOKENIZER,
                **provenance(content),
            },
        }
        yield [json_row(document), json_row({"id": content.id, "source": SOURCE, "attributes": _attributes(content)})]


def _attributes(content: Content) -> dict[str, list[list[object]]]:
    """Returns spans of the text, one for each page: its number, language and score. A page without text has an empty
    span."""
    ends = content.joined.ends
    spans = list(zip([0, *ends[:-1]], ends, strict=True)) if ends else []
    facts = content.facts
    scores = {page.number: page.score for page in facts.pages} if facts else {}
    languages = [language_of(page.text, PAGE_CHARACTERS).label for page in content.pages]
    pages = list(zip(spans, content.pages, languages, strict=True))
    return {
        "pdf_page_numbers": [[start, end, page.number] for (start, end), page, _ in pages],
        "primary_language": [[start, end, language] for (start, end), _, language in pages],
        "page_score": [[start, end, scores[page.number]] for (start, end), page, _ in pages if page.number in scores],
    }
