import pytest

from pdfbatch.documents.layout.inline import spans_of
from pdfbatch.documents.pdf.upright import Pose
from pdfbatch.documents.textlayer.lines import Line, LinePiece
from pdfbatch.documents.textlayer.unwrap import Hyphens, joined_rows, paragraphs_of, rows_of


def line(text: str, x: float = 0, y: float = 0, width: float | None = None, size: float = 10, turn: int = 0) -> Line:
    width = len(text) * size / 2 if width is None else width
    return Line((x, y, x + width, y + size * 1.2), Pose(turn), size, [LinePiece(text)])


def shown(pieces: list[LinePiece]) -> str:
    return "".join(span.text for span in spans_of(pieces))


def unwrapped(*texts: str, page: str = "") -> str:
    lines = [line(text, y=14 * number, width=300) for number, text in enumerate(texts)]
    return shown(joined_rows(rows_of(lines), Hyphens([*lines, line(page)])))


def test_lines_are_joined_with_a_blank():
    assert unwrapped("one two", "three") == "one two three"


def test_a_broken_word_is_joined():
    assert unwrapped("an exam-", "ple") == "an example"


def test_a_compound_that_the_page_writes_with_a_hyphen_keeps_it():
    assert unwrapped("a high-", "level view", page="another high-level view") == "a high-level view"


def test_a_compound_of_two_words_of_the_page_keeps_its_hyphen():
    assert unwrapped("a graph-", "based way", page="the graph is based on it") == "a graph-based way"


def test_a_third_part_of_a_compound_keeps_its_hyphen():
    assert unwrapped("state-of-the-", "art") == "state-of-the-art"


def test_a_hyphen_after_a_digit_stays_without_a_blank():
    assert unwrapped("a 152-", "layer net") == "a 152-layer net"


def test_a_dash_with_blanks_is_not_a_hyphen():
    assert unwrapped("one -", "two") == "one - two"


def test_lines_side_by_side_make_one_row_from_left_to_right():
    rows = rows_of([line("right", x=200), line("left"), line("below", y=20)])
    assert [[part.text for part in row] for row in rows] == [["left", "right"], ["below"]]


def test_a_word_split_between_two_lines_is_joined():
    cut = [line("models h", width=40), line("ave", x=40.3, width=15)]
    assert shown(joined_rows(rows_of(cut), Hyphens(cut))) == "models have"


def test_right_to_left_rows_keep_their_order():
    rows = rows_of([line("שלום", x=100), line("עולם", x=20)])
    assert [part.text for part in rows[0]] == ["שלום", "עולם"]


def test_turned_lines_come_last_and_none_is_missing():
    rows = rows_of([line("margin note", x=5, turn=90), line("body")])
    assert [row[0].text for row in rows] == ["body", "margin note"]


def test_a_line_that_ends_early_ends_its_paragraph():
    lines = [line("Simple is better.", width=80), line("Flat is better than nested things.", y=14, width=170)]
    assert len(paragraphs_of(rows_of(lines))) == 2


def test_a_ragged_line_continues_in_small_letters():
    lines = [line("Simple is", width=45), line("better than anything that is complex.", y=14, width=185)]
    assert len(paragraphs_of(rows_of(lines))) == 1


def test_a_blank_line_separates_paragraphs():
    lines = [line("a full line of text", width=100), line("another full line", y=40, width=100)]
    assert len(paragraphs_of(rows_of(lines))) == 2


def test_numbers_over_each_other_beside_a_tall_bracket_stay_apart():
    stacked = [[line("1×1, 256", x=10), line("1×1, 64", x=11, y=4)]]
    assert shown(joined_rows(stacked, Hyphens([]))) == "1×1, 256 1×1, 64"


@pytest.mark.parametrize(
    ("above", "below", "wanted"),
    [
        ("放在办公室里，冬天这", "本册子放在", "放在办公室里，冬天这本册子放在"),
        ("船长都可以查看", "，而且大多数人", "船长都可以查看，而且大多数人"),
        ("冬の間この本は", "ポケットに", "冬の間この本はポケットに"),
        ("この本は「", "緑」です", "この本は「緑」です"),
        ("使用Python", "编程", "使用Python编程"),
        ("使用 Python", "编程", "使用 Python 编程"),
        ("항구의 관리인은", "하루에 두 번", "항구의 관리인은 하루에 두 번"),
        ("the word 港", "means harbour", "the word 港 means harbour"),
    ],
)
def test_scripts_without_blanks_are_joined_without_one(above, below, wanted):
    assert unwrapped(above, below) == wanted


def test_a_short_row_ends_a_chinese_paragraph():
    lines = [line("港" * 20, width=200), line("港" * 8, y=14, width=80), line("港" * 20, y=28, width=200)]
    assert len(paragraphs_of(rows_of(lines))) == 2


def test_a_number_at_the_left_end_of_a_hebrew_row_is_read_last():
    row = rows_of([line("1987", x=0), line("בשנת", x=100)])[0]
    assert [one.text for one in row] == ["בשנת", "1987"]


def test_a_prefix_that_also_begins_words_keeps_its_hyphen_before_a_word_of_the_page():
    assert unwrapped("our ex-", "tremely deep nets") == "our extremely deep nets"
    assert unwrapped("the ex-", "chairman spoke", page="a chairman") == "the ex-chairman spoke"
    assert unwrapped("by self-", "attention alone") == "by self-attention alone"


@pytest.mark.parametrize(("left", "right"), [("with", "out"), ("some", "thing"), ("through", "out"), ("there", "fore")])
def test_english_compounds_of_two_short_words_lose_their_hyphen(left, right):
    page = f"{left} and {right} are words of the page"
    assert unwrapped(f"it is {left}-", f"{right} a doubt", page=page) == f"it is {left}{right} a doubt"
