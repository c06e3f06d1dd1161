"""Our decoder, driven as the reader drives it, and watched: where its time goes, and how full its rows are."""

from __future__ import annotations

import queue
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from multiprocessing import get_context
from typing import Any, NamedTuple

from pdfbatch.engines.dolphin import memory
from pdfbatch.engines.dolphin.decode import Decoder, Decoding, SpecialTokens
from pdfbatch.engines.dolphin.images import crop, fit, two_pass
from pdfbatch.engines.dolphin.jobs import DecodeJob, DecodeMeter, Read
from pdfbatch.engines.dolphin.layout import TABLE_PROMPT, TEXT_PROMPT
from pdfbatch.engines.dolphin.model import IMAGENET_MEAN, IMAGENET_STD, ImageProcessor
from pdfbatch.engines.dolphin.network import Network
from pdfbatch.engines.dolphin.page import expected_tokens
from pdfbatch.engines.dolphin.reader import PAGE_GROUP
from pdfbatch.engines.dolphin.slots import Heard
from pdfbatch.engines.dolphin.step_shape import StepShape

from .dolphin_work import EOS, PAGE_200_DPI, Element, Geometry, Page, Pixels, box_on, page_picture, prompt

MISTAKE_EVERY = 7
"""Of a draft's tokens, one in so many is wrong: then a step says about 6 to 7 tokens, as published answers do to the
text under their paragraphs."""
Drafts = Callable[[int, int], Sequence[int]]
_NO_LOOPS = 1 << 30
_LAYOUT_FIRST = 1 << 20


class Setting(NamedTuple):
    """How the decoder runs. `synchronise` waits for the device, so that the parts' seconds are theirs; it costs."""

    plan: memory.BatchPlan
    how: Decoding = Decoding()
    synchronise: Callable[[], object] | None = None


class Look(NamedTuple):
    """`count` steps of `shape`, as wanted: over `live` rows in use, with `places` tokens in them together when the
    steps began. `room` is (rows, length) of the cache."""

    shape: StepShape
    count: int
    live: int
    places: int
    room: tuple[int, int]


class Ours(NamedTuple):
    pages: int
    seconds: float
    first: float
    """Seconds until the first page was read."""
    cpu: float
    """CPU seconds that this process used, without its children."""
    tokens: int
    pictures: int
    steps: int
    computing: float
    parts: Counter[str]
    """Seconds by part: encoder, filling, steps."""
    looks: list[Look]
    fills: list[int]
    """Rows filled at once, each time."""
    encoded: list[int]
    """Pictures encoded at once, each time."""
    said: list[list[list[int]]]
    """The tokens of each page's layout and elements."""

    @property
    def lengths(self) -> list[list[int]]:
        return [[len(tokens) for tokens in page] for page in self.said]

    @property
    def occupancy(self) -> float:
        """Tokens that were wanted, as a share of those that all the cache's rows could have said in these steps."""
        return sum(look.live * look.count for look in self.looks) / max(
            1, sum(look.room[0] * look.count for look in self.looks)
        )

    @property
    def least_steps(self) -> float:
        """With all rows full from the first step to the last."""
        return self.tokens / max((look.room[0] for look in self.looks), default=1)


class Watched(Decoder):
    """Says of itself what it did."""

    def __init__(self, *given: Any, synchronise: Callable[[], object] | None) -> None:
        super().__init__(*given)
        self._synchronise = synchronise
        self.pages_ahead = max(PAGE_GROUP, self.plan.rows)
        self.forget()

    def forget(self) -> None:
        """Begins to count anew."""
        self.meter = DecodeMeter()
        self.parts: Counter[str] = Counter()
        self.looks: list[Look] = []
        self.fills: list[int] = []
        self.encoded: list[int] = []

    def _encode(self) -> None:
        before = self.meter.pictures
        with self._timed("encoder"):
            super()._encode()
        self.encoded.append(self.meter.pictures - before)

    def _fill(self) -> None:
        before = self._pool.encoded
        with self._timed("filling"):
            super()._fill()
        self.fills.append(before - self._pool.encoded)

    def _advance(self) -> None:
        with self._timed("steps"):
            super()._advance()

    def _steps(self, shape: StepShape, count: int) -> Heard:
        live = self._rows.live
        places = sum(row.job.length for row in live)
        self.looks.append(Look(shape, count, len(live), places, self._rows.size))
        return super()._steps(shape, count)

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        if self._synchronise is not None:
            self._synchronise()
        self.parts[part] += time.perf_counter() - began


def ready(model: Any) -> tuple[Network, ImageProcessor]:
    network = Network(model)
    return network, ImageProcessor(network, IMAGENET_MEAN, IMAGENET_STD)


def shape_of(geometry: Geometry, item_bytes: int) -> memory.Shape:
    return memory.shape_of(
        geometry.layers, geometry.width, geometry.picture_tokens, geometry.side, geometry.embed, item_bytes
    )


def children(processes: int) -> Executor:
    """Child processes that prepare pictures, already started."""
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    for started in [pool.submit(_picture) for _ in range(processes)]:
        started.result()
    return pool


def watched(network: Any, prepare: Callable[[Sequence[Pixels]], Any], setting: Setting) -> Watched:
    return Watched(network, setting.plan, prepare, SpecialTokens(EOS), setting.how, synchronise=setting.synchronise)


def with_mistakes(tokens: Sequence[int], every: int = MISTAKE_EVERY) -> list[int]:
    """Makes a draft of what will be said, with each `every`-th token wrong."""
    return [-2 if place % every == every - 1 else token for place, token in enumerate(tokens)]


def read_pages(
    decoder: Watched, geometry: Geometry, pages: Sequence[Page], pool: Executor, drafts: Drafts | None = None
) -> Ours:
    """Reads pages and reports what was done. `drafts` gives the draft of an element by its page's number and its place
    on the page, both from 0.

    Raises:
        ValueError: an element did not end at its own length.
    """
    import torch

    decoder.forget()
    reading = _Reading(decoder, geometry, pages, pool, drafts or (lambda page, place: ()))
    began, cpu_began = time.perf_counter(), time.process_time()
    with torch.inference_mode():
        reading.run(decoder.pages_ahead)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    wanted = [[one.tokens for one in (page.layout, *page.elements)] for page in pages]
    if [[len(tokens) for tokens in page] for page in reading.said] != wanted:
        raise ValueError("an element did not end at its length: the two sides would not do the same work")
    meter = decoder.meter
    return Ours(
        len(pages), seconds, reading.first - began, cpu, meter.tokens, meter.pictures, meter.steps, meter.computing,
        decoder.parts, decoder.looks, decoder.fills, decoder.encoded, reading.said,
    )  # fmt: skip


class _Reading:
    """Drives the decoder as the reader does: some pages ahead; a page's layout first, its elements once a child has
    cut them."""

    def __init__(
        self, decoder: Decoder, geometry: Geometry, pages: Sequence[Page], pool: Executor, drafts: Drafts
    ) -> None:
        self.said: list[list[list[int]]] = [[[] for _ in (page.layout, *page.elements)] for page in pages]
        self._decoder = decoder
        self._drafts = drafts
        self._geometry = geometry
        self._pages = pages
        self._pool = pool
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._left = [len(page.elements) + 1 for page in pages]
        self._begun = self._done = 0
        self.first = 0.0
        """When the first page was read."""

    def run(self, ahead: int) -> None:
        for _ in range(min(ahead, len(self._pages))):
            self._begin()
        while self._done < len(self._pages):
            if not self._decoder.busy:
                self._events.get()()
            while not self._events.empty():
                self._events.get()()
            if self._decoder.busy:
                self._decoder.turn()

    def _begin(self) -> None:
        if self._begun < len(self._pages):
            number, self._begun = self._begun, self._begun + 1
            self._submit(partial(self._drawn, number), drawn_page, self._geometry.side)

    def _submit(self, then: Callable[[Any], None], work: Callable[..., Any], *given: object) -> None:
        def arrived(done: Future[Any]) -> None:
            self._events.put(lambda: then(done.result()))

        self._pool.submit(work, *given).add_done_callback(arrived)

    def _drawn(self, number: int, picture: Pixels) -> None:
        self._add(number, 0, self._pages[number].layout, picture, _LAYOUT_FIRST)

    def _cut(self, number: int, pictures: Sequence[Pixels]) -> None:
        for place, (element, picture) in enumerate(zip(self._pages[number].elements, pictures, strict=True), 1):
            asked = TABLE_PROMPT if element.kind == "table" else TEXT_PROMPT
            self._add(number, place, element, picture, expected_tokens(picture, asked))

    def _add(self, number: int, place: int, element: Element, picture: Pixels, expected: int) -> None:
        words = prompt(element.kind, self._geometry)
        ended = partial(self._ended, number, place)
        page_group = number // PAGE_GROUP
        job = DecodeJob(picture, words, page_group, expected, ended, limit=element.tokens, loop_span=_NO_LOOPS)
        if element.kind == "text":
            job.draft, job.kind = self._drafts(number, place - 1), element.kind
        self._decoder.add(job)

    def _ended(self, number: int, place: int, read: Read) -> None:
        self.said[number][place] = read.tokens
        if place == 0:
            self._submit(partial(self._cut, number), cut_page, self._pages[number].elements, self._geometry.side)
        self._left[number] -= 1
        if not self._left[number]:
            self._done += 1
            self.first = self.first or time.perf_counter()
            self._begin()


@cache
def _picture() -> Pixels:
    return page_picture(PAGE_200_DPI)


def drawn_page(side: int) -> Pixels:
    """Runs in a child. The drawing itself is left out, on both sides."""
    return two_pass(_picture(), side)


def cut_page(elements: Sequence[Element], side: int) -> list[Pixels]:
    """Runs in a child."""
    return [fit(crop(_picture(), box_on(element, _picture())), side) for element in elements]
