import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pdfbatch.engines.dolphin.blocks import table_blocks

from pdfbatch.engines.dolphin.tables import tables_of

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
        (f"Table 1\n{row('<td>a</td>')} # and\nmore", ["Table 1", row("<td>a</td>"), r"\# and more"]),
        (row("<td></td>"), []),
        ("a | b\n# c | <d>", ["a | b\n\\# c | \\<d>"]),
    ],
)
def test_tables_are_mended_html(text: str, expected: list[str]) -> None:
    assert table_blocks(text, pipe_tables=False) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "<table><thead><tr><th>a|b</th><th>c\nd</th></tr></thead><tbody><tr><td>1<br>2",
            "| a\\|b | c<br>d |\n| --- | --- |\n| 1<br>2 |  |",
        ),
        (row("<td colspan=1>$a*b$ c*</td>"), "| $a*b$ c\\* |\n| --- |"),
        (row("<td colspan=2>a</td>"), row('<td colspan="2">a</td>')),
        ("<table><caption>T<tr><td>a", "<table><caption>T</caption><tr><td>a</td></tr></table>"),
        ("<table><tr><td><table><tr><td>a", row(f"<td>{row('<td>a</td>')}</td>")),
    ],
)
def test_pipe_tables_are_made_where_no_cell_spans(text: str, expected: str) -> None:
    assert table_blocks(text, pipe_tables=True) == [expected]


@settings(deadline=None)
@given(st.lists(st.sampled_from(TOKENS), max_size=30).map("".join))
def test_mended_tables_are_balanced_and_mending_them_again_changes_nothing(text: str) -> None:
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
@given(st.lists(st.sampled_from(TOKENS), max_size=30).map("".join))
def test_every_cell_stays_in_a_pipe_table(text: str) -> None:
    for html, piped in zip(table_blocks(text, False), table_blocks(text, True), strict=True):
        assert re.findall(r"[ab12]", re.sub(r"</?\w+[^<>]*>", "", html)) == re.findall(
            r"[ab12]", re.sub(r"</?\w+[^<>]*>", "", piped)
        )
