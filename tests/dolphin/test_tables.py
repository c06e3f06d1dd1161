import re
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pdfbatch.engines.answers.tables import caption_of, cells_of, tables_of
from pdfbatch.records import Span

TOKENS = [
    "<table>",
    "</table>",
    "<tr>",
    "</tr>",
    "<td>",
    "</td>",
    "<th>",
    "<thead>",
    "</tbody>",
    "<tbody>",
    "<caption>",
]
TOKENS += ["<b>", "</b>", "<i>", "<br>", "<p>", "<script>", "<td\n", "<a", "<td/>", "</", "<!--", "-->"]
TOKENS += ["a", "b", "<", ">", "&", " ", "\n", "1|2"]


def row(cells: str) -> str:
    return f"<table><tr>{cells}</tr></table>"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (row("<td>a</td>"), [row("<td>a</td>")]),
        ("<table><tr><td>a</td><td>b", [row("<td>a</td><td>b</td>")]),
        ("<table><tr><td>a</td><td", [row("<td>a</td>")]),
        ("<table><tr><td>a</td><td>b</t", [row("<td>a</td><td>b</td>")]),
        (
            "<table><thead><tr><th>a<th>b<tr><td>c",
            ["<table><thead><tr><th>a</th><th>b</th></tr><tr><td>c</td></tr></thead></table>"],
        ),
        ("<tr><td>a</tr>", [row("<td>a</td>")]),
        ("<td>a", [row("<td>a</td>")]),
        ("<table>a</table>", [row("<td>a</td>")]),
        (
            "<TABLE border=1><tr class='x'><td rowspan=2 COLSPAN='3' style=\"x\">a</td></tr></TABLE>",
            [row('<td colspan="3" rowspan="2">a</td>')],
        ),
        (row("<td>a\n\n\nb\n \nc</td>\n\n"), [row("<td>a\nb\nc</td>\n")]),
        (row("<td>a<br/>b <sup>2</td><td><b>c</i></b></td>"), [row("<td>a<br>b <sup>2</sup></td><td><b>c</b></td>")]),
        (
            row("<td><script>x</script><img src=x onerror=y></td>"),
            [row("<td>&lt;script>x&lt;/script>&lt;img src=x onerror=y></td>")],
        ),
        (row("<td onclick=x><p>a</p> < 5 &lt; $b<c$</td>"), [row("<td>a &lt; 5 &lt; $b&lt;c$</td>")]),
        (row("<td>a</td>") + "\n" + row("<td>b</td>"), [row("<td>a</td>"), row("<td>b</td>")]),
        (f"Table 1\n{row('<td>a</td>')} # and\nmore", ["Table 1", row("<td>a</td>"), "# and\nmore"]),
        (row("<td></td>"), []),
    ],
)
def test_tables_become_well_formed_html(text: str, expected: list[str]) -> None:
    assert [part.strip() for _, part in tables_of(text)] == expected


def grid(table: str) -> list[list[str]]:
    """The rows of a table, the text of a spanning cell at each of its places, of headers in capitals."""
    cells = cells_of(table)
    width = max((cell.column + cell.columns for cell in cells), default=0)
    rows = [[""] * width for _ in range(max((cell.row + cell.rows for cell in cells), default=0))]
    for cell in cells:
        text = "".join(f"${span.text}$" if span.math else span.text for span in cell.spans)
        for row in range(cell.row, cell.row + cell.rows):
            for column in range(cell.column, cell.column + cell.columns):
                rows[row][column] = text.upper() if cell.header else text
    return rows


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "<table><thead><tr><th>a|b</th><th>c\nd</th></tr></thead><tbody><tr><td>1<br>2",
            [["A|B", "C\nD"], ["1\n2", ""]],
        ),
        (row("<td colspan=1>$a*b$ c*</td>"), [["$a*b$ c*"]]),
        (row("<td colspan=2>a</td>"), [["a", "a"]]),
        ("<table><tr><td rowspan=2>a<td>b<tr><td>c", [["a", "b"], ["a", "c"]]),
        ("<table><tr><td rowspan=9 colspan=999>a", [["a"] * 200]),
        ("<table><caption>T<tr><td>a", [["a"]]),
        ("<table><tr><td>1<table><tr><td>a<td>b", [["1 a b"]]),
        (row("<td>a &amp; b &lt; c</td>"), [["a & b < c"]]),
    ],
)
def test_cells_stand_where_their_html_puts_them(text: str, expected: list[list[str]]) -> None:
    [table] = [part for is_table, part in tables_of(text) if is_table]
    assert grid(table) == expected


def test_cells_keep_their_styles() -> None:
    [[_, table]] = tables_of(row("<td>x<sup>2</sup> <b>y</b></td>"))
    [cell] = cells_of(table)
    assert cell.spans == [Span(text="x"), Span(text="2", raised=True), Span(text=" "), Span(text="y", bold=True)]


@settings(deadline=None)
@given(st.lists(st.sampled_from(TOKENS), max_size=30).map("".join))
def test_repaired_tables_are_balanced_and_repairing_them_again_changes_nothing(text: str) -> None:
    for is_table, part in tables_of(text):
        if not is_table:
            continue
        assert list(tables_of(part)) == [(True, part)]
        opened: list[str] = []
        for end, name in re.findall(r"<(/?)(\w+)[^<>]*>", part.replace("<br>", "")):
            assert not end or opened.pop() == name
            opened += [] if end else [name]
        assert opened == []
        assert not re.search(r"\n\s*\n", part)


@settings(deadline=None)
@example("<caption><caption>1|2")
@example("<table><caption>one</caption><tr><td>x</td></tr><caption>two")
@given(st.lists(st.sampled_from(TOKENS), max_size=30).map("".join))
def test_no_text_of_a_table_is_lost_and_no_two_cells_share_a_place(text: str) -> None:
    for is_table, part in tables_of(text):
        if not is_table:
            continue
        cells = cells_of(part)
        places = [
            (cell.row + down, cell.column + across)
            for cell in cells
            for down in range(cell.rows)
            for across in range(cell.columns)
        ]
        assert len(places) == len(set(places))
        text = "".join(span.text for cell in cells for span in cell.spans)
        text += "".join(span.text for span in caption_of(part))
        printed = re.sub(r"</?\w+[^<>]*>", "", part)
        assert Counter(re.findall(r"[ab12]", text)) == Counter(re.findall(r"[ab12]", printed))
