"""Answers for elements of one page, gathered and put in their places. No I/O."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from pdfbatch.documents.page_read import PageRead
from pdfbatch.engines.endpoint.answer import Answer
from pdfbatch.engines.endpoint.patience import Fail, Give
from pdfbatch.engines.refine import Heard, Kind, Wanted, refined
from pdfbatch.records import Box, Element, EndpointUse

FAILED = "failed"
"""How an element ended whose request failed; its flag is `model_failed`."""


class ElementsWork:
    """The elements that are asked for on a page that was read. Thread-safe while it listens."""

    def __init__(self, read: PageRead, asked: Sequence[Wanted]) -> None:
        self.asked = asked
        self._read = read
        self._lock = threading.Lock()
        self._answers: dict[int, Answer | None] = {}
        self._use = EndpointUse()

    def hear(self, index: int, end: Give | Fail, use: EndpointUse) -> bool:
        """Takes how an element ended; True if it was the last."""
        with self._lock:
            self._answers[index] = end.answer if isinstance(end, Give) else None
            self._use = self._use.plus(use)
            return len(self._answers) == len(self.asked)

    def to_parse(self) -> list[tuple[Kind, str, Box]]:
        """Returns what each element is, the text of its answer, and its box."""
        return [
            (each.kind, answer.text if answer else "", self._read.page.elements[each.place].box)
            for index, each in enumerate(self.asked)
            for answer in [self._answers[index]]
        ]

    def refined(self, parsed: Sequence[list[Element]]) -> PageRead:
        """Returns the page with the elements of the answers, as they were parsed."""
        heard = {
            each.place: Heard(elements, self._ending(index))
            for index, (each, elements) in enumerate(zip(self.asked, parsed, strict=True))
        }
        read = refined(self._read, self.asked, heard)
        page = read.page
        return read._replace(page=page.model_copy(update={"endpoint": page.endpoint.plus(self._use)}))

    def _ending(self, index: int) -> str:
        answer = self._answers[index]
        return answer.ending if answer else FAILED
