"""Pages on their way through the reader, with real children and a network that says what a test has written down."""

from __future__ import annotations

import os
import random
import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pymupdf
import pytest

from pdfbatch.documents.page_read import PageRead
from pdfbatch.documents.sandbox.children import Children
from pdfbatch.engines.base import PageOrder
from pdfbatch.engines.dolphin.jobs import Pixels
from pdfbatch.engines.dolphin.layout import CODE_PROMPT, FORMULA_PROMPT, LAYOUT_PROMPT, TABLE_PROMPT, TEXT_PROMPT
from pdfbatch.engines.dolphin.model import Dolphin
from pdfbatch.engines.dolphin.reader import DolphinReader
from pdfbatch.errors import PdfbatchError
from pdfbatch.records import PageResult, ReadOptions, Reason
from tests.pages import markdown_of

from .networks import Abacus, plan, torch

pytestmark = pytest.mark.slow

SIDE = 896
GRID = 18
"""Cells along each side of a page; cell (column, row) is painted in a shade of its own."""
CELL = SIDE / GRID
PATIENCE = 180
"""Seconds in which even a busy machine reads a page."""
PROMPTS = (LAYOUT_PROMPT, TEXT_PROMPT, TABLE_PROMPT, FORMULA_PROMPT, CODE_PROMPT)
FIRST_PROMPT, FIRST_PIECE = 3, 3 + len(PROMPTS)
_PIECES = re.compile(r"\d+|\[?[A-Za-z]\w*\]?|.", re.DOTALL)
Script = Callable[[str, int], str]
"""What is said to a prompt and the shade of a picture."""


class Pieces:
    """A tokenizer of one token for a number, a word, a label in brackets or another letter; it knows those that it has
    met. A prompt is the start mark and one token."""

    end = 2
    unknown = None
    fillers = None

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._tokens: dict[str, int] = {}

    def prompt(self, text: str) -> list[int]:
        return [0, FIRST_PROMPT + PROMPTS.index(text)]

    def draft(self, text: str) -> list[int]:
        return [self._token(piece) for piece in _PIECES.findall(text)]

    def text(self, tokens: Sequence[int]) -> str:
        return "".join(self._pieces[token - FIRST_PIECE] for token in tokens)

    def _token(self, piece: str) -> int:
        if piece not in self._tokens:
            self._tokens[piece] = FIRST_PIECE + len(self._pieces)
            self._pieces.append(piece)
        return self._tokens[piece]


class Scripted(Abacus):
    """Says what the script has for the prompt and the shade; `poison` shades give NaN, `heavy` ones find no memory."""

    vocab_size = padded_vocab_size = 1024

    def __init__(
        self,
        script: Script,
        poison: Sequence[int] = (),
        heavy: Sequence[int] = (),
        chance: float = 0,
        max_positions: int = 4096,
    ) -> None:
        super().__init__(max_positions)
        self.script, self.poison, self.heavy, self.chance = script, set(poison), set(heavy), chance
        self.tokenizer = Pieces()
        self._answers: dict[tuple[int, int], list[int]] = {}
        self.seen: list[int] = []
        self._dice = random.Random(1)

    side = SIDE

    def encode(self, pictures: Any) -> Any:
        shades = [int(shade) for shade in pictures.tolist()]
        if self.heavy & set(shades) or self._dice.random() < self.chance:
            raise torch.OutOfMemoryError("no memory, says the test")
        self.seen += shades
        return super().encode(pictures)

    def logits(
        self, tokens: Any, rows: Any, positions: Any, self_kv: Any, cross_kv: Any, bands: Any, wanted: Any = None
    ) -> Any:
        if self._dice.random() < self.chance:
            raise torch.OutOfMemoryError("no memory, says the test")
        keys, _ = self_kv[0]
        keys[rows, 0, positions] = tokens[:, None].float()
        if wanted is not None:
            rows, positions = rows[wanted], positions[wanted]
        prompts = keys[rows, 0, 1, 0].long() - FIRST_PROMPT
        scores = torch.zeros(len(rows), self.vocab_size)
        shades = cross_kv[0][0][rows, 0, 0, 0].long()
        for score, place, prompt, shade in zip(
            scores, positions.tolist(), prompts.tolist(), shades.tolist(), strict=True
        ):
            said = self._said(prompt, shade) if prompt >= 0 else []
            score[said[place - 1] if place - 1 < len(said) else Pieces.end] = 1.0
            if shade in self.poison:
                score[:] = torch.nan
        return scores

    def _said(self, prompt: int, shade: int) -> list[int]:
        if (prompt, shade) not in self._answers:
            self._answers[prompt, shade] = self.tokenizer.draft(self.script(PROMPTS[prompt], shade))
        return self._answers[prompt, shade]


def shades(pictures: Sequence[Pixels]) -> Any:
    """What the reader prepares pictures with: the shade in the middle of each."""
    return torch.tensor([shade_of(picture) for picture in pictures], dtype=torch.float32)


def shade_of(picture: Pixels) -> int:
    red, green = picture[picture.shape[0] // 2, picture.shape[1] // 2, :2].tolist()
    return round(red / 12) * 20 + round(green / 12)


def shade_at(column: int, row: int) -> int:
    return column * 20 + row


def boxes(cells: Sequence[tuple[int, int]], label: str = "para") -> str:
    """The layout that a model says of cells, each with a margin."""
    edges = [(column, row, column + 1, row + 1) for column, row in cells]
    quads = [
        [round(edge * CELL + inwards) for edge, inwards in zip(quad, (8, 8, -8, -8), strict=True)] for quad in edges
    ]
    return "[PAIR_SEP]".join(f"[{','.join(map(str, quad))}][{label}]" for quad in quads)


@pytest.fixture
def painted(tmp_path: Path) -> Callable[..., Path]:
    """A PDF of square pages with painted cells; the middle of a page is always painted, which is the page's shade."""

    def paint(pages: int = 1, blank: bool = False, name: str = "painted.pdf") -> Path:
        document = pymupdf.open()
        for _ in range(pages):
            page = document.new_page(width=432, height=432)
            unit = 432 / GRID
            drawing = page.new_shape()
            for column in range(GRID if not blank else 0):
                for row in range(GRID):
                    box = (column * unit, row * unit, (column + 1) * unit, (row + 1) * unit)
                    drawing.draw_rect(pymupdf.Rect(*box))
                    drawing.finish(color=None, fill=(column * 12 / 255, row * 12 / 255, 0.9))
                    # Something to see: a cell of one colour is a blank crop.
                    x, y = box[0] + unit / 3, box[1] + unit / 3
                    drawing.draw_rect(pymupdf.Rect(x, y, x + 2, y + unit / 3))
                    drawing.finish(color=None, fill=(1, 1, 0))
            drawing.commit()
        document.save(tmp_path / name)
        document.close()
        return tmp_path / name

    return paint


@contextmanager
def reading(
    network: Scripted, tmp_path: Path, rows: int = 6, with_layers: bool = False, lock_seconds: float = 30
) -> Iterator[DolphinReader]:
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    options = ReadOptions(page_seconds=PATIENCE)
    dolphin = Dolphin(network, network.tokenizer, shades, plan(rows=rows), False)  # type: ignore[arg-type]
    with (
        Children(2, 2048, lock_seconds=lock_seconds) as children,
        DolphinReader(dolphin, children, options, scratch, with_layers) as reader,
    ):
        yield reader
        assert [*scratch.iterdir()] == [], "every page's file is deleted"


def read(network: Scripted, pdf: Path, tmp_path: Path, pages: int = 1, with_layers: bool = False) -> list[PageResult]:
    with reading(network, tmp_path, with_layers=with_layers) as reader:
        futures = [reader.read(PageOrder(str(pdf), number)) for number in range(1, pages + 1)]
        return [future.result(PATIENCE).page for future in futures]


def says(layout: str, texts: dict[int, str] | None = None) -> Script:
    """The layout, and to every other picture the text of its shade."""
    return lambda prompt, shade: layout if prompt == LAYOUT_PROMPT else (texts or {}).get(shade, f"Cell {shade}.")


THREE = [(2, 2), (2, 4), (2, 6)]


def test_three_hundred_elements_on_one_page_come_out_in_order(painted: Callable[..., Path], tmp_path: Path) -> None:
    cells = [(column, row) for row in range(GRID) for column in range(GRID)][:300]
    [page] = read(Scripted(says(boxes(cells))), painted(), tmp_path)
    assert (page.reason, page.flags) == (None, [])
    assert markdown_of(page) == "\n\n".join(f"Cell {shade_at(*cell)}." for cell in cells)
    assert len(page.elements) == 300


def test_an_element_of_one_pixel_is_the_only_one_lost(painted: Callable[..., Path], tmp_path: Path) -> None:
    layout = f"[100,100,100,100][para][PAIR_SEP]{boxes(THREE)}[PAIR_SEP][0,0,0,896][para]"
    [page] = read(Scripted(says(layout)), painted(), tmp_path)
    assert page.reason is None
    assert markdown_of(page) == "Cell 42.\n\nCell 44.\n\nCell 46."


def test_blank_pages_and_blank_elements_are_not_shown_to_the_model(
    painted: Callable[..., Path], tmp_path: Path
) -> None:
    network = Scripted(says(boxes(THREE)))
    [page] = read(network, painted(blank=True), tmp_path)
    assert (page.read_by, markdown_of(page), network.seen) == ("blank", "", [])


def test_a_nan_gives_the_page_a_reason_and_keeps_what_was_read(painted: Callable[..., Path], tmp_path: Path) -> None:
    [page] = read(Scripted(says(boxes(THREE)), poison=[44]), painted(), tmp_path)
    assert page.reason is Reason.ENGINE_ERROR and "NaN" in page.detail
    assert markdown_of(page) == "Cell 42.\n\nCell 46."
    assert [element.flags for element in page.elements] == [[], ["nan"], []]


def test_a_nan_in_the_layout_fails_the_page(painted: Callable[..., Path], tmp_path: Path) -> None:
    [page] = read(Scripted(says(boxes(THREE)), poison=[shade_at(9, 9)]), painted(), tmp_path)
    assert (page.reason, page.flags) == (Reason.ENGINE_ERROR, [])


def test_an_element_too_large_for_the_device_does_not_affect_the_others(
    painted: Callable[..., Path], tmp_path: Path
) -> None:
    [page] = read(Scripted(says(boxes(THREE)), heavy=[44]), painted(), tmp_path)
    assert page.reason is Reason.OUT_OF_MEMORY
    assert markdown_of(page) == "Cell 42.\n\nCell 46."


def test_running_out_of_memory_at_random_changes_nothing(painted: Callable[..., Path], tmp_path: Path) -> None:
    cells = [(column, row) for row in range(0, GRID, 3) for column in range(0, GRID, 3)]
    texts = {shade_at(*cell): f"Text of {cell} " * (1 + cell[0] % 5) for cell in cells}
    pages = read(Scripted(says(boxes(cells), texts), chance=0.1), painted(2), tmp_path, pages=2)
    assert {markdown_of(page) for page in pages} == {"\n\n".join(texts[shade_at(*cell)].strip() for cell in cells)}
    assert {page.reason for page in pages} == {None}


def test_a_loop_keeps_what_came_before_it(painted: Callable[..., Path], tmp_path: Path) -> None:
    texts = {44: "It began well. " + "and on " * 600}
    [page] = read(Scripted(says(boxes(THREE), texts)), painted(), tmp_path)
    assert page.reason is Reason.REPETITION
    assert markdown_of(page) == "Cell 42.\n\nIt began well. and on\n\nCell 46."
    assert page.elements[1].flags == ["looped", "retried"]


def test_a_table_without_end_is_closed(painted: Callable[..., Path], tmp_path: Path) -> None:
    texts = {44: "<table><tr><td>1</td></tr>" + "<tr><td>x</td></tr>" * 300}
    [page] = read(Scripted(says(boxes(THREE, "tab"), texts)), painted(), tmp_path)
    assert page.reason is Reason.REPETITION
    table = next(block for block in markdown_of(page).split("\n\n") if block.startswith("|1|"))
    assert set(table.splitlines()[2:]) == {"|x|"}


def test_a_text_that_fills_all_positions_is_flagged_as_truncated(painted: Callable[..., Path], tmp_path: Path) -> None:
    digits = "".join(f"{number} " for number in range(400))
    [page] = read(Scripted(says(boxes(THREE), {44: digits}), max_positions=512), painted(), tmp_path)
    assert (page.reason, page.flags) == (None, ["truncated"])
    assert page.elements[1].flags == ["truncated"] and len(page.elements[1].text) > 900


@pytest.mark.parametrize(
    ("layout", "flags"),
    [
        ("nothing that could be a layout", ["no_layout"]),
        ("", ["no_layout"]),
        ("[1,2,3][para][PAIR_SEP]]]][[", ["no_layout"]),
        ("[nan,nan,nan,nan][para]", ["no_layout"]),
    ],
)
def test_a_layout_that_is_garbage_still_gives_the_page_s_text(
    painted: Callable[..., Path], tmp_path: Path, layout: str, flags: list[str]
) -> None:
    [page] = read(Scripted(says(layout, {shade_at(9, 9): "The page as a whole."})), painted(), tmp_path)
    assert page.flags == flags and page.reason is None
    assert markdown_of(page) == "The page as a whole."


def test_a_layout_that_loops_is_used_up_to_the_loop_and_flagged(painted: Callable[..., Path], tmp_path: Path) -> None:
    layout = boxes(THREE[:2]) + ("[PAIR_SEP]" + boxes(THREE[:1])) * 200
    [page] = read(Scripted(says(layout)), painted(), tmp_path)
    assert (page.reason, page.flags) == (Reason.REPETITION, ["layout_looped"])
    assert markdown_of(page) == "Cell 42.\n\nCell 44."


def test_a_layout_that_fills_all_positions_is_flagged_too(painted: Callable[..., Path], tmp_path: Path) -> None:
    cells = [(column, row) for row in range(GRID) for column in range(GRID)]
    [page] = read(Scripted(says(boxes(cells)), max_positions=1024), painted(), tmp_path)
    assert (page.reason, page.flags) == (None, ["layout_truncated"])
    assert 50 < len(page.elements) < len(cells)


def test_children_that_are_killed_cost_no_page(painted: Callable[..., Path], tmp_path: Path) -> None:
    pdf = painted(12)
    with reading(Scripted(says(boxes(THREE))), tmp_path, lock_seconds=5) as reader:
        futures = [reader.read(PageOrder(str(pdf), number)) for number in range(1, 13)]
        futures[0].result(PATIENCE)
        family = psutil.Process().children(recursive=True)
        readers = [one for one in family if "forkserver" in " ".join(one.cmdline()) and one.ppid() != os.getpid()]
        assert readers, "nobody to kill"
        for process in readers:
            process.send_signal(signal.SIGKILL)
        ended = [outcome_of(future) for future in futures]
        # Who was in a killed child is told apart from who was read; the pipeline asks for the former again.
        again = [reader.read(PageOrder(str(pdf), n)) for n, page in enumerate(ended, start=1) if page is None]
        pages = [page for page in ended if page] + [future.result(PATIENCE).page for future in again]
    assert {markdown_of(page) for page in pages} == {"Cell 42.\n\nCell 44.\n\nCell 46."} and len(pages) == 12


def outcome_of(future: Future[PageRead]) -> PageResult | None:
    try:
        return future.result(PATIENCE).page
    except (Exception, CancelledError):
        return None


def test_when_the_model_fails_every_page_fails_and_no_new_one_is_accepted(
    painted: Callable[..., Path], tmp_path: Path
) -> None:
    def break_off(prompt: str, shade: int) -> str:
        if prompt != LAYOUT_PROMPT:
            raise RuntimeError("device-side assert triggered")
        return boxes(THREE)

    pdf = painted(3)
    with reading(Scripted(break_off), tmp_path) as reader:
        futures = [reader.read(PageOrder(str(pdf), number)) for number in (1, 2, 3)]
        for future in futures:
            with pytest.raises(PdfbatchError, match="device-side assert"):
                future.result(PATIENCE)
        with pytest.raises(PdfbatchError, match="The model failed"):
            reader.read(PageOrder(str(pdf), 1)).result(PATIENCE)
        for file in (tmp_path / "scratch").iterdir():  # drawn by a child after the end; the run's scratch folder goes
            file.unlink()


class Held(Scripted):
    """Computes nothing until it is let go."""

    def __init__(self, script: Script) -> None:
        super().__init__(script)
        self.asked, self.let_go = threading.Event(), threading.Event()

    def logits(self, *given: Any) -> Any:
        self.asked.set()
        assert self.let_go.wait(PATIENCE)
        return super().logits(*given)


def test_a_drain_finishes_what_was_begun_and_leaves_the_rest(painted: Callable[..., Path], tmp_path: Path) -> None:
    network, pdf = Held(says(boxes(THREE))), painted(8)
    with reading(network, tmp_path, rows=2) as reader:
        futures = [reader.read(PageOrder(str(pdf), number)) for number in range(1, 9)]
        assert network.asked.wait(PATIENCE)
        reader.drain()
        network.let_go.set()
        pages = [outcome_of(future) for future in futures]
    read_pages = [page for page in pages if page is not None]
    assert 1 <= len(read_pages) <= 2, "as many as there are rows"
    assert {markdown_of(page) for page in read_pages} == {"Cell 42.\n\nCell 44.\n\nCell 46."}
