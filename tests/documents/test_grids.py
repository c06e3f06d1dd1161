"""Pictures in which rules divide texts into cells become tables."""

import pytest

from pdfbatch.documents.layout.grids import with_grids_as_tables
from pdfbatch.documents.layout.region import Region
from pdfbatch.documents.layout.tables import cells_of
from pdfbatch.documents.pdf.upright import Pose
from pdfbatch.documents.textlayer.lines import Line, LinePiece
from pdfbatch.documents.textlayer.unwrap import Hyphens
from tests.documents.sample_lines import line

COLUMNS, ROWS = [50.0, 150.0, 180.0, 210.0], [100.0, 200.0, 220.0, 240.0]
DOWN = [(place, (ROWS[0], ROWS[-1])) for place in COLUMNS]
ACROSS = [(place, (COLUMNS[0], COLUMNS[-1])) for place in ROWS]


def upright_line(text: str, left: float) -> Line:
    return Line(box=(left, 120, left + 10, 195), pose=Pose(90), size=10, pieces=[LinePiece(text)])


def picture(lines: list[Line]) -> Region:
    return Region("picture", (50, 100, 210, 240), lines)


def filled() -> list[Line]:
    return [
        line("Grey Heron", 55, 215),
        line("Tern", 55, 235),
        *(line(text, left, bottom) for text, left, bottom in (("1", 160, 215), ("2", 190, 215), ("3", 160, 235))),
    ]


def test_rotated_headers_head_their_columns():
    heads = [line("Boat", 55, 195), upright_line("Lessons", 160), upright_line("Fishing", 190)]
    (table,) = with_grids_as_tables([picture([*heads, *filled()])], ACROSS, DOWN)
    cells = cells_of(table, Hyphens([]))
    texts = {(cell.row, cell.column): "".join(span.text for span in cell.spans) for cell in cells}
    assert [texts[0, column] for column in range(3)] == ["Boat", "Lessons", "Fishing"]
    assert [texts[1, column] for column in range(3)] == ["Grey Heron", "1", "2"]
    assert [cell.header for cell in cells if cell.row == 0] == [True, True, True]


@pytest.mark.parametrize(
    "lines",
    [
        [line("100", 55, 195), line("Sales", 160, 235)],
        [line("a title that lies over all of the grid", 52, 195, width=150), *filled()],
        [],
    ],
    ids=["a chart's grid", "text over rules", "no text"],
)
def test_other_pictures_stay_pictures(lines):
    assert with_grids_as_tables([picture(lines)], ACROSS, DOWN)[0].kind == "picture"
