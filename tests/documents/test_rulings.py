from pdfbatch.documents.layout.rulings import borders, drawn_edges
from tests.documents.test_elements import table
from tests.pages import regions_markdown


def vector(*box: float, stroked: bool = False, isrect: bool = True) -> dict[str, object]:
    return {"bbox": box, "stroked": stroked, "isrect": isrect}


def test_cells_that_each_draw_their_own_rules_share_borders():
    cells = [vector(x, y, x + 100, y + 0.5) for x in (0, 100) for y in (0, 20, 20.7, 40, 40.7, 60)]
    across, down = drawn_edges(cells)
    assert [round(place) for place in borders(across, (0, 200), (0, 60))] == [0, 21, 41, 60]
    assert down == []


def test_a_framed_cell_has_four_rules():
    across, down = drawn_edges([vector(0, 0, 100, 20, stroked=True)])
    assert [place for place, _ in across] == [0, 20]
    assert [place for place, _ in down] == [0, 100]


def test_a_filled_background_and_a_slanting_line_are_not_rules():
    boxes = [vector(0, 0, 100, 20), vector(0, 0, 100, 20, stroked=True, isrect=False)]
    assert drawn_edges(boxes) == ([], [])


def test_a_rule_is_a_border_beside_a_tall_cell_but_not_under_a_few_columns():
    across, _ = drawn_edges(
        [vector(0, y, 100, y) for y in (0, 60)] + [vector(70, 20, 100, 20), vector(30, 40, 100, 40)]
    )
    assert borders(across, (0, 100), (0, 60)) == [0, 40, 60]


def test_text_outside_the_rules_keeps_rows_of_its_own():
    across, _ = drawn_edges([vector(0, y, 100, y) for y in (20, 40)])
    assert borders(across, (0, 100), (0, 60)) == [0, 20, 40, 60]


def test_a_ruled_row_is_not_split_where_its_cells_run_over_two_lines():
    made = table([["a", "b", "c"], ["one", "two", "three"], ["four", "five", ""]])
    made.ruled_rows, made.ruled_columns = [-2.0, 18.0, 58.0], made.columns
    assert regions_markdown([made]).splitlines()[2:] == ["|one four|two five|three|"]


def test_rules_around_groups_of_rows_leave_the_rows_to_the_model():
    made = table([["a", "b"], ["one", "1"], ["two", "2"], ["three", "3"], ["four", "4"]])
    made.ruled_rows, made.ruled_columns = [-2.0, 18.0, 58.0, 98.0], made.columns
    assert len(regions_markdown([made]).splitlines()) == 6
