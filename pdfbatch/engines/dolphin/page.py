"""The state of one page while Dolphin reads it, and its result. No I/O except the page's own file."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import NamedTuple

from pdfbatch.documents.layout.figures import figure_name
from pdfbatch.documents.page_read import PageRead
from pdfbatch.engines.base import PageOrder
from pdfbatch.engines.dolphin.elements import LABELS, RUNNING, elements_of
from pdfbatch.engines.dolphin.jobs import DecodeJob, Ending, Pixels, Read
from pdfbatch.engines.dolphin.layout import FORMULA_PROMPT, TABLE_PROMPT, TEXT_PROMPT
from pdfbatch.engines.dolphin.layout import Box as PixelBox
from pdfbatch.engines.dolphin.tasks import NOT_READ, Crop, Cut, Prepared, Refine
from pdfbatch.engines.refine import Heard, Kind, refined
from pdfbatch.engines.second_reading import is_better, marked
from pdfbatch.records import Box, Element, Label, PageResult, Picture, Reason

READ_BY = "dolphin"
POINTS_PER_INCH = 72
_REASONS = {"nan": Reason.ENGINE_ERROR, "memory": Reason.OUT_OF_MEMORY, "looped": Reason.REPETITION}
_DETAILS = {
    "nan": "the model returned NaN",
    "memory": "the device has too little memory for one of its elements",
    "looped": "the model repeated itself endlessly, twice",
}
_SCORES: dict[Ending, float] = {"truncated": 0.5, "looped": 0.0, "nan": 0.0, "memory": 0.0}
"""The score of an element that did not end normally."""
_PIXELS_PER_TOKEN, _PIXELS_PER_TABLE_TOKEN = 900, 450
"""Pixels of an element's picture at the model's size per token; table markup is dense. A rough guess: it only decides
the order."""


_BY_KIND: dict[Kind, tuple[str, str]] = {
    "formula": (FORMULA_PROMPT, "equ"),
    "table": (TABLE_PROMPT, "tab"),
    "text": (TEXT_PROMPT, "para"),
}
"""The prompt for an element of a text layer, and the model's label for its kind."""


class Asked(NamedTuple):
    """A picture that the model is to read for a page: the element's `number` from 0, the prompt, the region's label,
    what the text layer has there, and whether other pages may show the same picture."""

    number: int
    picture: Pixels
    prompt: str
    label: str
    draft: str = ""
    may_repeat: bool = False


class PageWork:
    """`ticket` counts the pages in order of arrival; `file` is where a child may draw this one, `parcel` where it puts
    its results, and `future` is what was promised for it."""

    def __init__(self, ticket: int, order: PageOrder, file: Path) -> None:
        self.ticket = ticket
        self.order = order
        self.file = file
        self.parcel = file.with_suffix(".parcel")
        self.future: Future[PageRead] = Future()
        self.prepared: Prepared | None = None
        self.layout_job: DecodeJob | None = None
        self._layout_ending: Ending = "whole"
        self._layout_tokens = 0
        self._began = time.perf_counter()
        self._flags: list[str] = []
        self._pieces: list[Crop] = []
        self._read: dict[int, tuple[Read, str]] = {}
        self._awaited = 0
        self.is_cut = False
        """Whether all elements are cut out."""
        self._when_read: Callable[[Callable[[], None]], None] | None = None

    @property
    def pieces_cut(self) -> int:
        return len(self._pieces)

    @property
    def tokens(self) -> int:
        """Tokens decoded for the page so far, without those of loops that were cut."""
        return self._layout_tokens + sum(len(read.tokens) for read, _ in self._read.values())

    def layout_failure(self, read: Read) -> PageResult | None:
        """The page's failure, or None if there is a usable layout, even one that was cut short."""
        self._layout_tokens = len(read.tokens)
        if read.ending == "whole":
            return None
        self._layout_ending = read.ending
        self._flags.append(f"layout_{read.ending}")
        if read.ending not in ("nan", "memory"):
            return None
        return self._stamped(
            PageResult(number=self.order.number, reason=_REASONS[read.ending], detail=_DETAILS[read.ending])
        )

    def asked_of(self, cut: Cut) -> list[Asked]:
        """Adds some or all of the page's elements; returns those the model is to read."""
        wanted = [
            Asked(index, piece.image, piece.prompt, piece.region.label, piece.draft, piece.region.label in RUNNING)
            for index, piece in enumerate(cut.pieces, start=self.pieces_cut)
            if piece.image is not None and piece.prompt is not None
        ]
        self._flags += [flag for flag in cut.flags if flag not in self._flags]
        # The decoder owns the pictures from here on, and frees each one when it is read.
        self._pieces += [piece._replace(image=None) for piece in cut.pieces]
        self._awaited += len(wanted)
        self.is_cut = not cut.left
        return wanted

    def asked_of_layer(self, refine: Refine) -> list[Asked]:
        """Returns the elements of the text layer that the model is to read."""
        self._awaited = len(refine.wanted)
        elements = refine.read.page.elements
        return [
            Asked(index, image, *_BY_KIND[each.kind], elements[each.place].text if each.kind == "text" else "")
            for index, (each, image) in enumerate(zip(refine.wanted, refine.images, strict=True))
        ]

    def hear(self, index: int, read: Read, text: str) -> None:
        """Takes the model's answer for an element."""
        self._read[index] = (read, text)
        self._resume_if_read()

    def wait_until_read(self, resume: Callable[[Callable[[], None]], None]) -> None:
        """Calls `resume` when all elements have been read."""
        self._when_read = resume
        self._resume_if_read()

    def _resume_if_read(self) -> None:
        if self._when_read is not None and len(self._read) == self._awaited:
            resume, self._when_read = self._when_read, None
            resume(lambda: None)

    def refined(self, refine: Refine) -> PageRead:
        """The page of the text layer, with the model's answers for some of its elements."""
        elements = refine.read.page.elements
        heard = {
            each.place: Heard(elements_of(_BY_KIND[each.kind][1], text, elements[each.place].box), read.ending)
            for index, each in enumerate(refine.wanted)
            for read, text in [self._read[index]]
        }
        read = refined(refine.read, refine.wanted, heard)
        return read._replace(page=self._stamped(read.page))

    def result(self) -> PageRead:
        """The page's result. If an element could not be read, the rest is kept and `reason` says why."""
        assert self.prepared is not None
        elements = [element for index, piece in enumerate(self._pieces) for element in self._elements(index, piece)]
        endings = [self._layout_ending, *(read.ending for read, _ in self._read.values())]
        worst = next((ending for ending in _REASONS if ending in endings), None)
        prepared = self.prepared
        page = PageResult(
            number=self.order.number,
            width=round(prepared.width * POINTS_PER_INCH / prepared.dpi, 1),
            height=round(prepared.height * POINTS_PER_INCH / prepared.dpi, 1),
            rotation=prepared.rotation,
            reason=_REASONS[worst] if worst else None,
            detail=_DETAILS[worst] if worst else "",
            read_by=READ_BY,
            score=_score(elements, self._layout_ending),
            flags=self._flags + (["truncated"] if "truncated" in endings[1:] else []),
            elements=elements,
            picture=Picture(width=prepared.width, height=prepared.height, dpi=round(prepared.dpi, 2)),
        )
        figures = {name: piece.png for piece in self._pieces if piece.png is not None and (name := self._figure(piece))}
        return PageRead(self._stamped(page), figures)

    def chosen(self, read: PageRead) -> PageRead:
        """The model's reading, with the reason why the page was given to it; the reading without the model if there is
        one, and the model's is of less use."""
        first = self.prepared.first if self.prepared else None
        if first is None:
            return read
        page = read.page.model_copy(update={"signals": first.page.signals, "triage": first.page.triage})
        if first.page.reason is not None or is_better(first.page, page):
            return read._replace(page=page)
        return marked(first, {"tokens": page.tokens, "seconds": page.seconds})

    def forget_file(self) -> None:
        self.file.unlink(missing_ok=True)
        self.parcel.unlink(missing_ok=True)

    def _stamped(self, page: PageResult) -> PageResult:
        update = {"seconds": round(time.perf_counter() - self._began, 3), "tokens": self.tokens}
        return page.model_copy(update=update)

    def _elements(self, index: int, piece: Crop) -> list[Element]:
        """The elements of a region; at least one if there are flags to report."""
        region = piece.region
        read, text = self._read.get(index, (None, piece.draft if piece.flag == NOT_READ else ""))
        flags = [piece.flag] if piece.flag else []
        if read is not None:
            flags += [read.ending] if read.ending != "whole" else []
            flags += ["retried"] if read.retried else []
        box = self._points(region.box)
        elements = elements_of(region.label, text, box, self._figure(piece), region.tags)
        if not elements and flags:
            label = LABELS.get(region.label, Label.PARAGRAPH)
            elements = [Element(label=label, box=box, source="dolphin", model_label=region.label)]
        score = _SCORES.get(read.ending, 1.0) if read is not None else 1.0
        source = "layer" if piece.flag == NOT_READ else "dolphin"
        return [
            element.model_copy(update={"flags": element.flags + flags, "score": score, "source": source})
            for element in elements
        ]

    def _figure(self, piece: Crop) -> str:
        return figure_name(self.order.number, piece.region.order) if piece.png is not None else ""

    def _points(self, box: PixelBox) -> Box:
        assert self.prepared is not None
        x0, y0, x1, y1 = (round(place * POINTS_PER_INCH / self.prepared.dpi, 1) for place in box)
        return (x0, y0, x1, y1)


def _score(elements: Sequence[Element], layout: Ending) -> float:
    """The mean over the elements, weighted by their text, times the layout's score."""
    weights = [max(1, len(element.text)) for element in elements]
    mean = sum(weight * element.score for weight, element in zip(weights, elements, strict=True)) / max(1, sum(weights))
    return round((mean if elements else 1.0) * _SCORES.get(layout, 1.0), 3)


def expected_tokens(picture: Pixels, prompt: str) -> int:
    """A guess from the picture's size at the model's scale, so that the longest jobs start first."""
    height, width = (int(side) for side in picture.shape[:2])
    return 1 + height * width // (_PIXELS_PER_TABLE_TOKEN if prompt == TABLE_PROMPT else _PIXELS_PER_TOKEN)
