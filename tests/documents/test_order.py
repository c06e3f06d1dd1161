"""The reading order of texts in columns, with obstacles across them."""

import random

import pymupdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdfbatch.documents.layout.columns import with_columns_apart
from pdfbatch.documents.layout.order import Block, reading_order
from pdfbatch.documents.layout.region import Region
from pdfbatch.documents.layout.regions import regions_of
from pdfbatch.documents.pdf.upright import UprightPage
from tests.documents.sample_lines import SENTENCES, line
from tests.pages import regions_markdown

LEFT, RIGHT, GUTTER, LINE = 50.0, 545.0, 18.0, 12.0
QUOTE = "We paid for the boat at once"


class Setter:
    """Sets text down the columns of a page, as blocks of `LINE`-high lines; a split text continues in the next
    column."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.blocks: list[Block] = []

    def across(self, top: float, left: float, right: float, words: int, is_head: bool = False) -> None:
        text = "A Heading" if is_head else QUOTE
        self.blocks.append(Block((left, top, right, top + 2 * LINE), text, text, LINE, is_head, words))

    def columns(self, count: int, top: float, bottom: float, hole: tuple[float, float, set[int]] | None = None) -> None:
        """Fill the columns. `hole`: its top and bottom, and the columns in which something lies across."""
        width = (RIGHT - LEFT - GUTTER * (count - 1)) / count
        going_on = 0
        for column in range(count):
            left = LEFT + column * (width + GUTTER)
            cuts = [(top, hole[0]), (hole[1], bottom)] if hole and column in hole[2] else [(top, bottom)]
            for part, (low, high) in enumerate(cuts):
                is_last = column == count - 1 and part == len(cuts) - 1
                going_on = self._fill(left, width, low, high, going_on, is_last)

    def _fill(self, left: float, width: float, top: float, bottom: float, going_on: int, is_last: bool) -> int:
        """Fill a column from top to bottom; return how many lines are left of its last text."""
        while bottom - top >= LINE:
            lines = going_on or self.random.choice([1, 2, 3, 6, 9])
            begins = "goes on" if going_on else "It begins"
            fit = min(lines, int((bottom - top) / LINE))
            cut = fit < lines and not is_last
            ends = "and is cut" if cut else "and ends."
            self.blocks.append(Block((left, top, left + width, top + fit * LINE), begins, ends, LINE, False, 8 * fit))
            going_on = lines - fit if cut else 0
            top += fit * LINE + self.random.choice([1.0, 4.0, 6.0])
        return going_on


def shuffled(setter: Setter) -> list[Block]:
    blocks = list(setter.blocks)
    setter.random.shuffle(blocks)
    return blocks


@settings(deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 3), min_size=1, max_size=3))
def test_columns_between_headings_are_read_in_order(seed, counts):
    setter = Setter(seed)
    high = 700 / len(counts)
    for band, count in enumerate(counts):
        top = 60 + band * high
        setter.across(top, LEFT, RIGHT, 2, is_head=True)
        setter.columns(count, top + 3 * LINE, top + high - 2 * LINE)
    assert reading_order(shuffled(setter)) == setter.blocks


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 3), st.floats(250, 500))
def test_text_continues_below_a_quote_across_all_columns_if_its_sentences_do(seed, count, top):
    setter = Setter(seed)
    setter.columns(count, 60, 760, hole=(top, top + 4 * LINE, set(range(count))))
    cut = [block for block in setter.blocks if block.begins == "goes on" and abs(block.box[1] - top - 4 * LINE) < 1]
    text = list(setter.blocks)
    setter.across(top + LINE, LEFT + 20, RIGHT - 20, 7)
    ordered = reading_order(shuffled(setter))
    if len(cut) == count:
        assert [block for block in ordered if block.begins != QUOTE] == text
        after = next(number for number, block in enumerate(ordered) if block.begins == QUOTE) + 1
        assert after == len(ordered) or ordered[after].begins != "goes on"


@pytest.mark.parametrize("to_left", [False, True])
def test_columns_are_read_from_the_side_where_lines_begin(to_left):
    blocks = [Block((left, 60, left + 200, 300), "It begins", "It ends.", words=60, rtl=to_left) for left in (50, 300)]
    assert reading_order(blocks) == (blocks[::-1] if to_left else blocks)


def test_labels_are_read_with_the_text_beside_them():
    rows = [
        [
            Block((50, top, 110, top + 12), label, label, words=1),
            Block((150, top, 500, top + 36), "A", "end.", words=30),
        ]
        for top, label in ((60, "2010"), (120, "2012"), (180, "2015"))
    ]
    blocks = [block for row in rows for block in row]
    assert reading_order(blocks[::-1]) == blocks


def test_a_text_below_the_middle_of_a_row_is_not_the_end_of_a_column():
    names = [Block((left, 60, left + 100, 72), "Name", "Name", words=1) for left in (100, 250, 400)]
    place = Block((282, 78, 320, 90), "Place", "Place", words=1)
    assert reading_order([place, *names]) == [*names, place]


def test_a_line_alone_at_the_foot_of_a_column_is_read_before_the_next_column():
    head = Block((50, 40, 500, 60), "Title", "Title", words=1, is_head=True)
    first = Block((50, 70, 270, 300), "It begins", "It ends.", words=100)
    foot = Block((50, 304, 200, 316), "One line.", "One line.", words=2)
    second = Block((290, 70, 510, 300), "Next", "It ends.", words=100)
    assert reading_order([second, foot, first, head]) == [head, first, foot, second]


def column(left: float, top: float, rows: int) -> list:
    return [line("a row of words in a column", left, top + 12 * row) for row in range(rows)]


def region(lines: list) -> Region:
    box = (min(one.box[0] for one in lines), lines[0].box[1], max(one.box[2] for one in lines), lines[-1].box[3])
    return Region("text", box, lines)


def test_a_text_across_a_gutter_is_split_where_other_texts_are_aligned():
    left, right = column(50, 300, 3), column(300, 300, 3)
    regions = [region(column(50, 100, 5)), region(column(300, 100, 5)), region([*left, *right])]
    assert [one.lines for one in with_columns_apart(regions)[2:]] == [left, right]


def test_two_names_side_by_side_are_not_split():
    beside = region([line("Ada Lindqvist, chair", 50, 300), line("Grey Heron, treasurer", 300, 300)])
    assert with_columns_apart([region(column(50, 100, 5)), beside])[1] is beside


def test_a_quote_across_two_columns_does_not_interrupt_a_sentence():
    page = pymupdf.open().new_page()
    words = " ".join(SENTENCES * 6).split()
    rows = [" ".join(words[start : start + 6]) for start in range(0, len(words), 6)]
    places = [(left, top) for left in (60, 310) for top in [*range(80, 212, 12), *range(280, 412, 12)]]
    for (left, top), row in zip(places, rows, strict=False):
        page.insert_text((left, top), row, fontname="tiro", fontsize=10)
    page.insert_text((100, 245), f"{QUOTE}, and that was that.", fontname="tibi", fontsize=20)
    found = regions_markdown(regions_of(UprightPage(pymupdf.open("pdf", page.parent.tobytes())[0]))).split()
    assert found[: 6 * len(places)] == words[: 6 * len(places)]


def test_a_page_full_of_overlapping_labels_keeps_them_all():
    places = random.Random(7)
    blocks = [
        Block((left := places.uniform(0, 500), top := places.uniform(0, 700), left + 90, top + 60), "A", "B", words=1)
        for _ in range(290)
    ]
    assert sorted(reading_order(blocks)) == sorted(blocks)
    assert sorted(reading_order(blocks + blocks)) == sorted(blocks + blocks)


def test_a_heading_at_the_foot_of_a_column_heads_what_lies_across_all_columns_below_it():
    first = Block((50, 70, 270, 300), "It begins", "and goes on at", words=100)
    second = Block((290, 70, 510, 300), "the next column", "It ends.", words=100)
    head = Block((50, 308, 150, 320), "More", "More", words=1, is_head=True)
    listed = Block((50, 326, 510, 400), "One thing", "and another.", words=40)
    assert reading_order([listed, second, head, first]) == [first, second, head, listed]
