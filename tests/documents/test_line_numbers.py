import pytest

from pdfbatch.documents.textlayer.inline_numbers import with_numbers_cut
from pdfbatch.documents.textlayer.line_numbers import with_line_numbers
from pdfbatch.documents.textlayer.lines import Line
from tests.documents.sample_lines import SENTENCES, line, texts


def numbered(
    first: int, count: int, step: int = 1, left: float = 40, pitch: float = 16, texted: int = 99
) -> list[Line]:
    """Return running text from x = 80, each line or each `step`-th with its number."""
    lines: list[Line] = []
    for row in range(count):
        bottom = 100 + pitch * row
        number = first + row
        if number % step == 0:
            lines.append(line(str(number), left, bottom, size=8))
        if row < texted:
            lines.append(line(SENTENCES[row % 4], 80, bottom))
    return lines


@pytest.mark.parametrize("left", [40, 470])
@pytest.mark.parametrize(("first", "count", "step"), [(1, 28, 1), (85, 20, 1), (1, 24, 5), (101, 30, 10)])
def test_numbers_in_a_margin_are_separated_from_the_text(left: float, first: int, count: int, step: int):
    lines = with_line_numbers(numbered(first, count, step, left))
    assert texts(lines, "line_number") == [str(n) for n in range(first, first + count) if n % step == 0]
    assert texts(lines) == [SENTENCES[row % 4] for row in range(count)]


def test_numbers_of_a_page_with_little_text_are_separated_too():
    assert len(texts(with_line_numbers(numbered(1, 28, texted=7)), "line_number")) == 28


def test_numbers_in_a_gutter_count_the_lines_of_both_columns():
    lines = numbered(1, 30, 5, left=452)
    lines += [line(SENTENCES[row % 4], 470, 100 + 16 * row) for row in range(30)]
    assert texts(with_line_numbers(lines), "line_number") == ["5", "10", "15", "20", "25", "30"]


def test_numbers_of_a_listing_are_separated_from_it():
    lines = numbered(1, 8)
    for one in lines:
        if not one.text.isdigit():
            one.pieces = [one.pieces[0]._replace(text="Return(x)", mono=True)]
    assert len(texts(with_line_numbers(lines), "line_number")) == 8


def test_a_table_with_a_column_of_numbers_keeps_it():
    lines = []
    for row in range(12):
        bottom = 100 + 18 * row
        lines += [line(str(row + 1), 40, bottom), line("Anna Berg", 80, bottom), line(str(1990 + row), 200, bottom)]
        lines.append(line("crew of the boat", 300, bottom))
    assert not texts(with_line_numbers(lines), "line_number")


def test_the_numbers_of_a_list_are_kept():
    lines = []
    for row in range(12):
        lines += [line(str(row + 1), 40, 100 + 18 * row), line("Take the oars to the shed.", 80, 100 + 18 * row)]
    assert not texts(with_line_numbers(lines), "line_number")


def test_a_scale_of_a_chart_is_kept():
    lines = [line(str(10 * step), 40, 100 + 20 * step) for step in range(8)]
    lines.append(line("Depth in metres below the pier at low tide", 100, 90))
    assert not texts(with_line_numbers(lines), "line_number")


def test_numbers_at_the_start_of_lines_are_cut_off():
    lines = [line(f"{row + 1:>2}  {SENTENCES[row % 4]}", 40, 100 + 16 * row) for row in range(12)]
    cut = with_numbers_cut(lines)
    assert texts(cut, "line_number") == [str(row + 1) for row in range(12)]
    assert [one.text for one in cut if not one.role] == [SENTENCES[row % 4] for row in range(12)]


def test_a_listing_with_numbers_in_its_lines_keeps_its_indents():
    code = ["def f(x):", "    if x:", "        return 1", "", "    return 2"]
    lines = [line(f"{row + 1:>3} {text}".rstrip(), 40, 100 + 12 * row) for row, text in enumerate(code)]
    for one in lines:
        one.pieces = [one.pieces[0]._replace(mono=True)]
    assert [one.text for one in with_numbers_cut(lines) if not one.role] == [text for text in code if text]


def test_a_list_numbered_without_stops_is_not_taken_for_line_numbers():
    lines = [line(f"{row + 1} Take the oars to the shed.", 40, 100 + 16 * row) for row in range(8)]
    assert with_numbers_cut(lines) == lines


@pytest.mark.parametrize("off", [3, 5, 7])
def test_a_scale_beside_a_column_of_text_is_kept(off):
    lines = [line(str(5 * step), 40, 100 + off + 52 * step) for step in range(1, 6)]
    lines += [line(SENTENCES[row % 4], 80, 100 + 11 * row) for row in range(30)]
    assert not texts(with_line_numbers(lines), "line_number")


def test_a_numbered_list_of_words_is_kept():
    words = ["abandon", "ability", "able", "about", "above", "abroad", "absence"]
    apart = [
        part
        for row, word in enumerate(words)
        for part in (line(str(row + 1), 40, 100 + 14 * row), line(word, 80, 100 + 14 * row))
    ]
    assert not texts(with_line_numbers(apart), "line_number")
    within = [line(f"{row + 1} {word}", 40, 100 + 14 * row) for row, word in enumerate(words)]
    assert with_numbers_cut(within) == within
