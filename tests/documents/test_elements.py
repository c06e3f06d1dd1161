from pdfbatch.documents.layout.region import Region
from pdfbatch.documents.pdf.boxes import union
from pdfbatch.documents.pdf.upright import UPRIGHT
from pdfbatch.documents.textlayer.lines import Line, LinePiece
from tests.documents.test_unwrap import line
from tests.pages import regions_markdown


def region(kind: str, *lines: Line) -> Region:
    return Region(kind, union([one.box for one in lines]), list(lines))


def table(rows: list[list[str]]) -> Region:
    lines = [line(text, x=100 * c, y=20 * r) for r, row in enumerate(rows) for c, text in enumerate(row) if text]
    made = region("table", *lines)
    made.rows = [20.0 * r - 2 for r in range(len(rows) + 1)]
    made.columns = [100.0 * c - 2 for c in range(len(rows[0]) + 1)]
    return made


def test_headings_take_their_level_from_their_number():
    regions = [
        region("title", line("A Title of Words", size=20)),
        region("section-header", line("1 Introduction", y=40)),
        region("section-header", line("4.2. Analysis", y=80)),
    ]
    assert regions_markdown(regions) == "# A Title of Words\n\n## 1 Introduction\n\n### 4.2. Analysis"


def test_a_columns_first_line_or_a_formula_is_not_a_heading():
    assert regions_markdown([region("section-header", line("greatly benefited from deep models."))]) == (
        "greatly benefited from deep models."
    )
    assert regions_markdown([region("section-header", line("a2 + 8 = 12"))]) == "a2 + 8 = 12"


def test_items_follow_each_other_without_blank_lines():
    regions = [region("list-item", line("• first", y=0)), region("list-item", line("• second", y=20))]
    assert regions_markdown(regions) == "- first\n- second"


def test_numbered_items_keep_their_numbers():
    assert regions_markdown([region("list-item", line("1. first"), line("2. second", y=14))]) == "1. first\n2. second"


def test_a_paragraph_that_looks_like_a_heading_is_escaped():
    assert regions_markdown([region("text", line("# not a heading"))]) == r"\# not a heading"


def test_a_table_becomes_pipes_without_empty_rows_and_columns():
    made = table([["Name", "", "Size"], ["", "", ""], ["a|b", "", "12"]])
    assert regions_markdown([made]) == "|Name|Size|\n|---|---|\n|a\\|b|12|"


def test_a_row_that_holds_two_rows_is_split():
    made = table([["1", "one", "I"], ["2", "two", "II"], ["3", "three", "III"]])
    made.rows = [-2.0, 18.0, 58.0]
    assert regions_markdown([made]).splitlines()[2:] == ["|2|two|II|", "|3|three|III|"]


def test_a_table_of_one_column_is_a_paragraph():
    assert regions_markdown([table([["only"], ["text"]])]) == "only text"


def test_picture_text_is_unwrapped_by_blocks():
    label = [line("Lift your arms slowly", y=0, width=110), line("and lower them again.", y=14, width=110)]
    other = line("Shoulder rolls are next to it", x=300, y=7)
    other.block = 1
    assert regions_markdown([region("picture", *label, other)]) == (
        "Lift your arms slowly and lower them again.\n\nShoulder rolls are next to it"
    )


def test_code_keeps_its_lines_and_indents():
    lines = [
        Line((0, 14 * n, 6 * len(text.strip()), 14 * n + 12), UPRIGHT, 10, [LinePiece(text.strip(), mono=True)])
        for n, text in enumerate(["def add(a, b):", "    return a + b"])
    ]
    lines[1].box = (24, 14, 24 + 6 * 12, 26)
    assert regions_markdown([region("text", *lines)]) == "```\ndef add(a, b):\n    return a + b\n```"


def test_monospaced_rows_under_a_heading_line_are_code():
    poem = [line(text, y=14 * n) for n, text in enumerate(["poem.txt", "Now is better", "than never", "and so on"])]
    for one in poem[1:]:
        one.pieces = [LinePiece(one.text, mono=True)]
    assert regions_markdown([region("text", *poem)]) == "poem.txt\n\n```\nNow is better\nthan never\nand so on\n```"


def test_a_long_monospaced_address_stays_in_its_sentence():
    parts = [
        line(text, y=14 * n, width=100) for n, text in enumerate(["Look at", "http://a.org/", "index", "for more"])
    ]
    for one in parts[1:3]:
        one.pieces = [LinePiece(one.text, mono=True)]
    assert "```" not in regions_markdown([region("text", *parts)])
