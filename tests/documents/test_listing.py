from pdfbatch.documents.textlayer.listing import listing_text
from tests.documents.sample_lines import line


def test_rows_are_indented_by_where_they_begin():
    rows = [[line("def f(x):", 40, 100)], [line("if x:", 60, 112)], [line("return 1", 80, 124)]]
    assert listing_text(rows) == "def f(x):\n    if x:\n        return 1"


def test_written_blanks_are_kept():
    rows = [[line("def f(x):", 40, 100)], [line("    return 1", 40, 112)]]
    assert listing_text(rows) == "def f(x):\n    return 1"


def test_a_missing_row_becomes_a_blank_line():
    rows = [[line("a = 1", 40, 100)], [line("b = 2", 40, 112)], [line("c = 3", 40, 136)]]
    assert listing_text(rows) == "a = 1\nb = 2\n\nc = 3"


def test_comments_in_a_column_of_their_own_stay_there():
    rows = [[line("a = 1", 40, 100), line("# one", 100, 100)], [line("bb = 22", 40, 112), line("# two", 100, 112)]]
    assert listing_text(rows) == "a = 1       # one\nbb = 22     # two"


def test_a_word_split_into_two_lines_stays_whole():
    rows = [[line("def ma", 40, 100), line("in():", 70, 100)], [line("    return 0", 40, 112)]]
    assert listing_text(rows) == "def main():\n    return 0"
    rows = [[line("a", 40, 100), line("b", 50, 100)], [line("abc", 40, 112)]]
    assert listing_text(rows) == "a b\nabc"
