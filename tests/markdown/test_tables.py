"""Tables: pipes where no cell spans, HTML where one does, and the cells read back."""

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdfbatch.markdown.tables import table_markdown
from pdfbatch.records import Cell, Span, plain_text
from tests.markdown import rendered
from tests.markdown.elements import table, texts


def cell(row: int, column: int, text: str, rows: int = 1, columns: int = 1, header: bool = False) -> Cell:
    return Cell(row=row, column=column, rows=rows, columns=columns, header=header, spans=plain_text(text))


@pytest.mark.parametrize(
    ("rows", "markdown"),
    [
        ([["a", "b"], ["c", "d"]], "|a|b|\n|---|---|\n|c|d|"),
        ([["a", "b"]], "|a|b|\n|---|---|"),
        ([["a"], ["b"]], "|a|\n|---|\n|b|"),
        ([["a", "b"], ["c"]], "|a|b|\n|---|---|\n|c||"),
        ([["", ""], ["c", "d"]], "|||\n|---|---|\n|c|d|"),
        ([[""], ["c"]], "| |\n|---|\n|c|"),
        ([["a|b", "c\nd"]], "|a\\|b|c<br>d|\n|---|---|"),
        ([["- a", "# b"]], "|- a|# b|\n|---|---|"),
        ([["\\", "x\\|y"]], "|&#92;|x\\\\\\|y|\n|---|---|"),
        ([["", ""], ["", " "]], ""),
        ([], ""),
    ],
)
def test_a_table_without_spans_is_a_pipe_table(rows: list[list[str]], markdown: str) -> None:
    assert table_markdown(table(rows).cells) == markdown


def test_styles_formulas_and_code_in_a_cell_keep_their_pipes() -> None:
    cells = [
        Cell(row=0, column=0, spans=[Span(text=r"\|x| + 1", math=True)]),
        Cell(row=0, column=1, spans=[Span(text="a|b", mono=True)]),
        Cell(row=0, column=2, spans=[Span(text=r"a\|b", mono=True), Span(text="c", bold=True)]),
    ]
    markdown = table_markdown(cells)
    assert markdown.split("\n")[0] == r"|$\Vert x\| + 1$|`a\|b`|<code>a&#92;&#124;b</code>**c**|"
    assert rendered.cells(markdown) == [[r"$\Vert x| + 1$", "a|b", r"a\|bc"]]


def test_a_table_with_a_spanning_cell_is_html() -> None:
    cells = [
        cell(0, 0, "A & <b>", columns=2, header=True),
        cell(1, 0, "c", rows=2),
        cell(1, 1, "d\n\ne"),
        cell(2, 1, "f"),
    ]
    assert table_markdown(cells) == (
        '<table>\n<thead>\n<tr><th colspan="2">A &amp; &lt;b&gt;</th></tr>\n</thead>\n<tbody>\n'
        '<tr><td rowspan="2">c</td><td>d<br>e</td></tr>\n<tr><td>f</td></tr>\n</tbody>\n</table>'
    )


def test_a_header_cell_that_reaches_into_the_body_makes_no_table_head() -> None:
    cells = [cell(0, 0, "a", rows=2, header=True), cell(0, 1, "b", header=True), cell(1, 1, "c")]
    assert table_markdown(cells) == (
        '<table>\n<tr><th rowspan="2">a</th><th>b</th></tr>\n<tr><td>c</td></tr>\n</table>'
    )


def test_a_heading_over_columns_is_repeated_in_each() -> None:
    cells = [
        cell(0, 0, "a", rows=2, header=True),
        cell(0, 1, "b", columns=2, header=True),
        cell(1, 1, "c", header=True),
        cell(1, 2, "d", header=True),
        cell(2, 0, "1"),
    ]
    assert table_markdown(cells).split("\n") == ["|a|b c|b d|", "|---|---|---|", "|1|||"]


def test_a_span_over_empty_rows_or_columns_is_no_span() -> None:
    assert table_markdown([cell(0, 0, "a", rows=9, columns=9), cell(0, 10**9, "b")]) == "|a|b|\n|---|---|"


def test_of_cells_that_overlap_no_text_is_lost() -> None:
    cells = [cell(0, 0, "a", rows=2, columns=2), cell(0, 1, "b"), cell(1, 0, "c"), cell(1, 1, "d"), cell(0, 2, "e")]
    read = read_html(table_markdown(cells))
    assert sorted(" ".join(text for text, _, _ in row) for row in read) == ["", "a b c d e"]


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(
    st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(texts(5), min_size=width, max_size=width), min_size=1))
)
def test_cells_of_a_pipe_table_are_read_back(rows: list[list[str]]) -> None:
    markdown = table_markdown(table(rows).cells)
    wanted = [[rendered.squeezed(text) for text in row] for row in rows]
    assert rendered.cells(markdown) == (wanted if any(map(any, wanted)) else [])
    assert rendered.blocks(markdown) in (["table"], [])


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_cells_of_an_html_table_are_read_back(data: st.DataObject) -> None:
    """Grids cut into rectangles at random."""
    height, width = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    free = {(row, column) for row in range(height) for column in range(width)}
    cells = []
    while free:
        row, column = min(free)
        columns = data.draw(st.integers(1, next(n for n in range(1, 9) if (row, column + n) not in free)))
        rows = data.draw(
            st.integers(1, next(n for n in range(1, 9) if not {(row + n, column + c) for c in range(columns)} <= free))
        )
        free -= {(row + r, column + c) for r in range(rows) for c in range(columns)}
        cells.append(cell(row, column, data.draw(texts(3)), rows, columns))
    markdown = table_markdown(cells)
    assert "\n\n" not in markdown
    if not markdown.startswith("<table>"):
        return
    assert rendered.blocks(markdown) == ["html"]
    begun = [[one for one in cells if one.row == row] for row in sorted({one.row for one in cells})]
    read = read_html(markdown)
    assert [[text for text, _, _ in row] for row in read] == [
        [rendered.squeezed("".join(span.text for span in one.spans)) for one in row] for row in begun
    ]
    areas = {sum(rows * columns for row in read for _, rows, columns in row)}
    assert areas == {len(begun) * len({one.column for one in cells})}


def read_html(markdown: str) -> list[list[tuple[str, int, int]]]:
    """Text, rows and columns of each cell."""
    reader = _Reader(convert_charrefs=True)
    reader.feed(markdown)
    reader.close()
    return [[(rendered.squeezed(text), rows, columns) for text, rows, columns in row] for row in reader.rows]


class _Reader(HTMLParser):
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.rows: list[list[list[object]]] = []
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            spans = {name: int(value or 1) for name, value in attrs}
            self.rows[-1].append(["", spans.get("rowspan", 1), spans.get("colspan", 1)])
        elif tag == "br":
            self.handle_data(" ")

    def handle_data(self, data: str) -> None:
        if data.strip("\n") and self.rows[-1:] and self.rows[-1]:
            self.rows[-1][-1][0] += data


def test_a_label_beside_rows_is_repeated_in_each() -> None:
    cells = [
        cell(0, 0, "boat", header=True),
        cell(0, 1, "fee", header=True),
        cell(1, 0, "canoe", rows=2),
        cell(1, 1, "3"),
        cell(2, 1, "4"),
    ]
    assert table_markdown(cells).split("\n")[2:] == ["|canoe|3|", "|canoe|4|"]


def test_a_number_beside_rows_is_written_once_so_that_it_is_not_counted_twice() -> None:
    cells = [cell(0, 0, "a"), cell(0, 1, "b"), cell(1, 0, "1"), cell(1, 1, "12", rows=2), cell(2, 0, "2")]
    assert '<td rowspan="2">12</td>' in table_markdown(cells)


def test_a_heading_over_columns_without_headings_of_their_own_needs_html() -> None:
    assert '<td colspan="2">' in table_markdown([cell(0, 0, "a", columns=2), cell(1, 0, "1"), cell(1, 1, "2")])
