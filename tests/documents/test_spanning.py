from itertools import pairwise

import pytest

from pdfbatch.documents.layout.region import Region
from pdfbatch.documents.layout.spanning import cells
from tests.documents.sample_lines import line

COLUMNS = [0, 100, 200, 300]
ROWS = [0, 20, 40, 60, 80]


def ruled(texts, missing=(), double=0.0):
    """Return a table with a grid of rules, without those `missing`: ("row", border, column) or ("column", border, row).
    `texts`: by row and column."""
    across = [
        (float(ROWS[border] + shift), (float(left), float(right)))
        for border in range(len(ROWS))
        for column, (left, right) in enumerate(pairwise(COLUMNS))
        for shift in {0.0, double}
        if ("row", border, column) not in missing
    ]
    down = [
        (float(COLUMNS[border]), (float(top), float(bottom)))
        for border in range(len(COLUMNS))
        for row, (top, bottom) in enumerate(pairwise(ROWS))
        if ("column", border, row) not in missing
    ]
    lines = [line(text, COLUMNS[column] + 5, ROWS[row] + 15) for (row, column), text in texts.items()]
    return Region("table", (0, 0, 300, 80), lines, across=across, down=down)


def cells_by_place(region):
    return {
        (cell.row, cell.column): (cell.rows, cell.columns, " ".join(one.text for one in cell.lines))
        for cell in cells(region)
        if cell.lines
    }


TEXTS = {(row, column): f"r{row}c{column}" for row in range(4) for column in range(3)}


@pytest.mark.parametrize("double", [0.0, 1.5])
def test_a_full_grid_has_no_spans(double):
    assert cells_by_place(ruled(TEXTS, double=double)) == {place: (1, 1, text) for place, text in TEXTS.items()}


def test_a_heading_spans_two_columns_and_a_cell_spans_two_rows():
    texts = {place: text for place, text in TEXTS.items() if place not in [(0, 2), (2, 0)]}
    found = cells_by_place(ruled(texts, missing=[("column", 2, 0), ("row", 2, 0)]))
    assert found[0, 1] == (1, 2, "r0c1")
    assert found[1, 0] == (2, 1, "r1c0")
    assert found[1, 1] == (1, 1, "r1c1")


def test_rows_under_a_divided_heading_are_header_rows_too():
    texts = {place: text for place, text in TEXTS.items() if place not in [(0, 2), (1, 0)]}
    region = ruled(texts, missing=[("column", 2, 0), ("row", 1, 0)])
    assert {(cell.row, cell.column) for cell in cells(region) if cell.header} == {(0, 0), (0, 1), (1, 1), (1, 2)}


def test_an_empty_cell_is_a_cell():
    del (texts := dict(TEXTS))[2, 1]
    assert [cell.lines for cell in cells(ruled(texts)) if (cell.row, cell.column) == (2, 1)] == [[]]


def test_a_table_within_a_cell_is_text_of_that_cell():
    region = ruled(TEXTS)
    region.across += [(24.0, (110.0, 190.0)), (31.0, (110.0, 190.0)), (37.0, (110.0, 190.0))]
    region.down += [(110.0, (24.0, 37.0)), (150.0, (24.0, 37.0)), (190.0, (24.0, 37.0))]
    assert cells_by_place(region)[1, 1] == (1, 1, "r1c1")
    assert len(cells(region)) == 12


@pytest.mark.parametrize("rules", ["none", "three"])
def test_a_table_without_a_grid_has_no_cells(rules):
    region = ruled(TEXTS)
    region.down = []
    region.across = [] if rules == "none" else [(y, (0.0, 300.0)) for y in (0.0, 20.0, 80.0)]
    assert cells(region) == []


def test_text_outside_of_the_grid_makes_no_cells():
    region = ruled(TEXTS)
    region.lines.append(line("far below", 10, 300))
    assert cells(region) == []
