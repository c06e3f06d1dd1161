"""One page on its way through Dolphin, and the result it comes to. No I/O but the page's own file."""

from __future__ import annotations

import time
from concurrent.futures import Future
from pathlib import Path

from pdfbatch.engines.base import PageOrder, PageRead
from pdfbatch.engines.dolphin.decode import Ending, Job, Pixels, Read
from pdfbatch.engines.dolphin.layout import TABLE_PROMPT
from pdfbatch.engines.dolphin.markdown import ReadElement, page_markdown
from pdfbatch.engines.dolphin.tasks import Cut, Piece, Prepared
from pdfbatch.records import Element, PageResult, Picture, ReadOptions, Reason

READ_BY = "dolphin"
_REASONS = {"nan": Reason.ENGINE_ERROR, "memory": Reason.OUT_OF_MEMORY, "looped": Reason.REPETITION}
_DETAILS = {
    "nan": "the model gave no number (NaN)",
    "memory": "the device has too little memory for one element",
    "looped": "the model repeated itself without end, twice",
}
_PIXELS_PER_TOKEN, _PIXELS_PER_TABLE_TOKEN = 900, 450
"""Of an element's picture at the model's size; tables' marks are many tokens on little room. Rough: it only decides
the order."""


class PageWork:
    """`number` counts the pages as they came; `future` is what was promised for this one."""

    def __init__(self, number: int, order: PageOrder) -> None:
        self.number = number
        self.order = order
        self.future: Future[PageRead] = Future()
        self.prepared: Prepared | None = None
        self.layout_job: Job | None = None
        self.layout = ""
        self._layout_ending: Ending = "whole"
        self._began = time.perf_counter()
        self._flags: list[str] = []
        self._pieces: list[Piece] = []
        self._read: dict[int, tuple[Read, str]] = {}
        self._awaited = 0
        self._is_cut = False

    @property
    def pieces_cut(self) -> int:
        return len(self._pieces)

    @property
    def is_read(self) -> bool:
        return self._is_cut and len(self._read) == self._awaited

    def layout_failure(self, read: Read) -> PageResult | None:
        """None where there is a layout to go by, be it cut short."""
        if read.ending == "whole":
            return None
        self._layout_ending = read.ending
        self._flags.append(f"layout_{read.ending}")
        if read.ending not in ("nan", "memory"):
            return None
        return self._stamped(
            PageResult(number=self.order.number, reason=_REASONS[read.ending], detail=_DETAILS[read.ending])
        )

    def take_up(self, cut: Cut) -> list[tuple[int, Pixels, str]]:
        """A part of the page's elements, or all: index, picture and prompt of each that the model is to read."""
        wanted = [
            (index, piece.image, piece.prompt)
            for index, piece in enumerate(cut.pieces, start=self.pieces_cut)
            if piece.image is not None and piece.prompt is not None
        ]
        self._flags += [flag for flag in cut.flags if flag not in self._flags]
        # The pictures are the decoder's now, and are let go of one by one as they are read.
        self._pieces += [piece._replace(image=None) for piece in cut.pieces]
        self._awaited += len(wanted)
        self._is_cut = not cut.left
        return wanted

    def hear(self, index: int, read: Read, text: str) -> None:
        self._read[index] = (read, text)

    def result(self, options: ReadOptions) -> PageRead:
        """The page, though an element of it could not be read: what was read stays, and the reason is said."""
        assert self.prepared is not None
        elements = [self._element(index, piece) for index, piece in enumerate(self._pieces)]
        text = page_markdown(
            [
                ReadElement(
                    element.label,
                    element.text,
                    piece.region.box,
                    self.order.figures + element.figure if element.figure else "",
                    piece.region.tags,
                )
                for element, piece in zip(elements, self._pieces, strict=True)
            ],
            options.keep_headers,
            options.pipe_tables,
        )
        endings = [self._layout_ending, *(read.ending for read, _ in self._read.values())]
        worst = next((ending for ending in _REASONS if ending in endings), None)
        page = PageResult(
            number=self.order.number,
            markdown=text.body,
            head=text.head,
            tail=text.tail,
            is_open=text.is_open,
            reason=_REASONS[worst] if worst else None,
            detail=_DETAILS[worst] if worst else "",
            read_by=READ_BY,
            flags=self._flags + (["truncated"] if "truncated" in endings[1:] else []),
            elements=elements,
            picture=Picture(width=self.prepared.width, height=self.prepared.height, dpi=round(self.prepared.dpi, 2)),
        )
        figures = {
            element.figure: piece.png
            for element, piece in zip(elements, self._pieces, strict=True)
            if element.figure is not None and piece.png is not None
        }
        return PageRead(self._stamped(page), figures)

    def forget_file(self) -> None:
        if self.prepared is not None:
            Path(self.prepared.file).unlink(missing_ok=True)

    def _stamped(self, page: PageResult) -> PageResult:
        return page.model_copy(update={"seconds": round(time.perf_counter() - self._began, 3)})

    def _element(self, index: int, piece: Piece) -> Element:
        region = piece.region
        read, text = self._read.get(index, (None, ""))
        flags = [piece.flag] if piece.flag else []
        if read is not None:
            flags += [read.ending] if read.ending != "whole" else []
            flags += ["retried"] if read.retried else []
        return Element(
            label=region.label,
            box=region.box,
            order=region.order,
            text=text,
            tags=list(region.tags),
            flags=flags,
            figure=f"page-{self.order.number:04}-{region.order:03}.png" if piece.png is not None else None,
        )


def expected_tokens(picture: Pixels, prompt: str) -> int:
    """A guess from the element's size at the model's scale, so that the longest begin first."""
    height, width = (int(side) for side in picture.shape[:2])
    return 1 + height * width // (_PIXELS_PER_TABLE_TOKEN if prompt == TABLE_PROMPT else _PIXELS_PER_TOKEN)
