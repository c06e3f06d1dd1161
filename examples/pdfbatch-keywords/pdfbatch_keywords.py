"""The most frequent words of each document, as a CSV file with the first page of each."""

from __future__ import annotations

import csv
import re
from collections import Counter

from pydantic import Field

from pdfbatch.processors import NoOptions, Processor, ReadDocument, UnfitDocument


class KeywordOptions(NoOptions):
    """`most`: so many words. `letters`: words with fewer letters are left out."""

    most: int = Field(default=20, ge=1, le=1000)
    letters: int = Field(default=4, ge=1)


class Keywords(Processor):
    """Writes `keywords.csv`."""

    version = "1.0"
    Options = KeywordOptions

    options: KeywordOptions

    def validate(self, document: ReadDocument) -> None:
        """Checks that there are words to count."""
        if not any(page.text.strip() for page in document.pages()):
            raise UnfitDocument("the document has no text")

    def process(self, document: ReadDocument) -> None:
        """Counts page by page, so that a long document takes no more memory than a short one."""
        counts, first = Counter[str](), dict[str, int]()
        for page in document.pages():
            shown = " ".join(element.text for element in page.elements if not element.dropped)
            for word in re.findall(r"[^\W\d_]+", shown.lower()):
                if len(word) >= self.options.letters:
                    counts[word] += 1
                    first.setdefault(word, page.number)
        rows = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[: self.options.most]
        with (document.folder / "keywords.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("word", "count", "page"), *((word, n, first[word]) for word, n in rows)])
