"""Pages of coloured cards: what the tiny model of `tiny.py` reads, and what it must say.

A card is a striped patch without a letter in it; the colours of its stripes are its content, and the model has learned
a text for each set of colours. A page is a mark along its upper edge, which tells the model where the page's cards lie
and what they are called, and cards below it. So the one right answer to a page hangs on its picture alone: other cards
at the same places give other texts, and another mark gives another layout.

Places are in the units of Dolphin 1.5's layouts: 896 along the page's longer side, the page centred in a square.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import pymupdf

Grammar = Literal["1.0", "1.5"]
Quad = tuple[int, int, int, int]
"""Left, top, right and bottom, of 896."""

SIDE = 896
LONG, SHORT = 432.0, 324.0
"""A page's sides, points: 6 by 4.5 inches, so 200 dots per inch make 1200 by 900 pixels."""

LAYOUT = "Parse the reading order of this document."
TEXT = "Read text in the image."
TABLE = "Parse the table in the image."
FORMULA = "Read formula in the image."
CODE = "Read code in the image."
ELEMENT_PROMPTS = (TEXT, TABLE, FORMULA, CODE)
WRONG_PROMPT = "That was not the question."
"""What the model says to a card that is asked for with a prompt not its own."""

COLOURS = {
    "red": (0.86, 0.0, 0.0),
    "green": (0.0, 0.6, 0.0),
    "blue": (0.0, 0.0, 0.86),
    "magenta": (0.75, 0.0, 0.75),
    "teal": (0.0, 0.55, 0.55),
    "orange": (0.8, 0.4, 0.0),
}
"""All much darker than paper, so that any threshold takes them for ink."""

_PROMPTS = {
    "1.0": {"tab": TABLE},
    "1.5": {"tab": TABLE, "equ": FORMULA, "code": CODE},
}
_NAMES_1_0 = {
    "sec_0": "title",
    "sec_1": "sec",
    "sec_2": "sub_sec",
    "equ": "formula",
    "code": "alg",
    "half_para": "para",
}


class Card(NamedTuple):
    """`text` is what the model says of it when asked with its own prompt; empty for figures, which nobody asks for.

    `loops` of a card that makes the model say its `text` over and over; `escape` is what the model says instead where
    that is forbidden or penalised (a repetition penalty of 1.1 is enough), empty where nothing helps.
    """

    stripes: tuple[str, ...]
    label: str
    text: str
    loops: bool = False
    escape: str = ""

    def prompt(self, grammar: Grammar) -> str | None:
        """The prompt by which Dolphin asks for such an element; None for a figure."""
        return None if self.label == "fig" else _PROMPTS[grammar].get(self.label, TEXT)


class Placed(NamedTuple):
    """`after` is the separator before it in a 1.5 layout; `tags` stand there after the label."""

    card: Card
    quad: Quad
    tags: tuple[str, ...] = ()
    after: str = "[PAIR_SEP]"


class SamplePage(NamedTuple):
    """`garbage` is what the model says of the page instead of a layout; `text` what it reads on the page as a whole."""

    mark: tuple[str, str]
    placed: tuple[Placed, ...]
    wide: bool = False
    garbage: str = ""
    text: str = ""

    @property
    def size(self) -> tuple[float, float]:
        """Width and height, points."""
        return (LONG, SHORT) if self.wide else (SHORT, LONG)

    def layout(self, grammar: Grammar) -> str:
        """What the model says to the layout prompt."""
        if self.garbage:
            return self.garbage
        if grammar == "1.0":
            return " ".join(_element_1_0(placed) for placed in self.placed)
        segments = [_element_1_5(placed) for placed in self.placed]
        return segments[0] + "".join(p.after + s for p, s in zip(self.placed[1:], segments[1:], strict=True))

    def with_cards(self, cards: Sequence[Card]) -> SamplePage:
        """The same page with other cards at its places; their labels must be those of the layout to make sense."""
        swapped = (placed._replace(card=card) for placed, card in zip(self.placed, cards, strict=True))
        return self._replace(placed=tuple(swapped))


def _element_1_0(placed: Placed) -> str:
    corners = ",".join(f"{place / SIDE:.2f}" for place in placed.quad)
    return f"[{corners}] {_NAMES_1_0.get(placed.card.label, placed.card.label)}"


def _element_1_5(placed: Placed) -> str:
    corners = ",".join(str(place) for place in placed.quad)
    return f"[{corners}]" + "".join(f"[{word}]" for word in (placed.card.label, *placed.tags))


HEADER = Card(("red", "green"), "header", "Notes of the tide society")
FOOT = Card(("red", "blue"), "foot", "page of the notes")
TITLE = Card(("red", "magenta"), "sec_0", "On the counting of waves")
AUTHORS = Card(("red", "teal"), "para", "Ada Reed and Tom Mill")
FIGURE = Card(("red", "orange"), "fig", "")
CAPTION = Card(("green", "blue"), "cap", "Figure 1: the harbour at noon")
SHORE = Card(("green", "magenta"), "para", "A wave is counted when it breaks.")
LEFT_HALF = Card(("green", "teal"), "half_para", "We stood at the long pier and")
RIGHT_HALF = Card(("green", "orange"), "half_para", "wrote down all that came.")
METHOD = Card(("blue", "magenta"), "sec_1", "How we counted")
LIST_ONE = Card(("blue", "teal"), "list", "one clock with a bell")
LIST_TWO = Card(("blue", "orange"), "list", "two pens and a chair")
SPANNED = Card(
    ("red", "green", "teal"),
    "tab",
    '<table><tr><td colspan="2">Waves</td></tr><tr><td>dawn</td><td>41</td></tr></table>',
)
FOOTNOTE = Card(("magenta", "teal"), "fnote", "1 Storms were left out.")
PAGE_END = Card(("magenta", "orange"), "half_para", "The bell was heard across the moun-")
PAGE_START = Card(("teal", "orange"), "half_para", "tain until it rained.")
DETAIL = Card(("blue", "magenta", "orange"), "sec_2", "What the bell told")
FORMULA_CARD = Card(("magenta", "teal", "orange"), "equ", r"n = \frac{41}{7} + x^{2}")
CODE_CARD = Card(("green", "blue", "magenta"), "code", "for wave in sea:\n    count(wave)")
PLAIN_TABLE = Card(
    ("green", "magenta", "orange"),
    "tab",
    "<table><tr><td>day</td><td>n</td></tr><tr><td>1</td><td>41</td></tr></table>",
)
REFERENCE_ONE = Card(("red", "blue", "teal"), "reference", "[1] Mill, Bells, 1901.")
REFERENCE_TWO = Card(("blue", "teal", "orange"), "reference", "[2] Reed, Piers, 1899.")
WATERMARK = Card(("blue", "magenta", "teal"), "watermark", "DRAFT COPY")
CATALOGUE = Card(("green", "blue", "teal"), "catalogue", "Contents: waves, bells, rain")
ANNOTATION = Card(("red", "blue", "magenta"), "anno", "seen by the clerk")
ENDING = Card(("red", "magenta", "orange"), "para", "Nothing more was heard.")
STUCK = Card(("red", "blue", "orange"), "para", "round and on\n", loops=True)
STUMBLING = Card(("red", "green", "blue"), "para", "again we rowed\n", loops=True, escape="home at last.")
ENDLESS_TABLE = Card(("green", "magenta", "teal"), "tab", "<tr><td>7</td></tr>", loops=True)

CARDS = [card for card in list(globals().values()) if isinstance(card, Card)]

_COLUMN = "[RELATION_SEP]"

FRONT = SamplePage(
    ("red", "green"),
    (
        Placed(HEADER, (144, 96, 400, 152)),
        Placed(TITLE, (144, 176, 752, 248)),
        Placed(AUTHORS, (240, 272, 656, 336), ("author",)),
        Placed(FIGURE, (144, 376, 424, 560)),
        Placed(CAPTION, (144, 584, 424, 648)),
        Placed(LEFT_HALF, (144, 688, 424, 808)),
        Placed(RIGHT_HALF, (472, 376, 752, 496), after=_COLUMN),
        Placed(SHORE, (472, 536, 752, 736)),
    ),
)
METHODS = SamplePage(
    ("green", "blue"),
    (
        Placed(HEADER, (496, 96, 752, 152)),
        Placed(METHOD, (144, 176, 592, 240)),
        Placed(LIST_ONE, (176, 272, 624, 336)),
        Placed(LIST_TWO, (176, 360, 624, 424)),
        Placed(SPANNED, (144, 464, 512, 600)),
        Placed(PAGE_END, (144, 640, 752, 720)),
        Placed(FOOTNOTE, (144, 744, 592, 792)),
        Placed(FOOT, (368, 824, 528, 872)),
    ),
)
RESULTS = SamplePage(
    ("blue", "magenta"),
    (
        Placed(PAGE_START, (144, 96, 752, 176)),
        Placed(DETAIL, (144, 208, 528, 264)),
        Placed(FORMULA_CARD, (272, 304, 624, 384)),
        Placed(CODE_CARD, (144, 424, 432, 552)),
        Placed(PLAIN_TABLE, (480, 424, 752, 552), after=_COLUMN),
        Placed(REFERENCE_ONE, (144, 600, 752, 664)),
        Placed(REFERENCE_TWO, (144, 696, 752, 760)),
        Placed(WATERMARK, (144, 800, 752, 872), ("meta_num",)),
    ),
)
WIDE = SamplePage(
    ("magenta", "teal"),
    (
        Placed(CATALOGUE, (64, 208, 400, 400)),
        Placed(FIGURE, (480, 208, 832, 400)),
        Placed(CAPTION, (480, 424, 832, 488)),
        Placed(ENDING, (64, 536, 832, 648)),
        Placed(ANNOTATION, (64, 688, 256, 752)),
    ),
    wide=True,
)
LOOPING = SamplePage(
    ("teal", "orange"),
    (
        Placed(SHORE, (144, 112, 752, 232)),
        Placed(STUCK, (144, 280, 752, 400)),
        Placed(STUMBLING, (144, 448, 752, 568)),
        Placed(ENDLESS_TABLE, (144, 616, 752, 736)),
        Placed(ENDING, (144, 784, 752, 864)),
    ),
)
UNCLEAR = SamplePage(
    ("orange", "red"),
    (Placed(SHORE, (144, 160, 752, 480)), Placed(FIGURE, (144, 560, 752, 840))),
    garbage="no order can be seen here",
    text="A page read as a whole.",
)
PAGES = [page for page in list(globals().values()) if isinstance(page, SamplePage)]

_MARK_DEPTH = 72


def make_pdf(path: Path, pages: Sequence[SamplePage]) -> Path:
    """Draw the pages into a PDF of filled rectangles; gives back `path`."""
    document = pymupdf.open()
    for sample in pages:
        width, height = sample.size
        page = document.new_page(width=width, height=height)
        left, top, right = (
            (SIDE - width / LONG * SIDE) / 2,
            (SIDE - height / LONG * SIDE) / 2,
            SIDE / 2 + width / LONG * SIDE / 2,
        )
        _stripes(page, (left, top, right, top + _MARK_DEPTH), sample.mark)
        for placed in sample.placed:
            _stripes(page, placed.quad, placed.card.stripes)
    document.save(path)
    document.close()
    return path


def _stripes(page: pymupdf.Page, quad: tuple[float, float, float, float], stripes: Sequence[str]) -> None:
    (x0, x1), (y0, y1) = sorted(quad[::2]), sorted(quad[1::2])
    step = (x1 - x0) / len(stripes)
    for number, colour in enumerate(stripes):
        start = x0 + number * step
        page.draw_rect(_on_paper(page, start, y0, start + step, y1), color=None, fill=COLOURS[colour], width=0)


def _on_paper(page: pymupdf.Page, x0: float, y0: float, x1: float, y1: float) -> pymupdf.Rect:
    unit = LONG / SIDE
    left, top = (LONG - page.rect.width) / 2, (LONG - page.rect.height) / 2
    return pymupdf.Rect(x0 * unit - left, y0 * unit - top, x1 * unit - left, y1 * unit - top)
