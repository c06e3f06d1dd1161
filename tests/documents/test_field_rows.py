"""Check boxes go to the question on their level."""

import pytest

from pdfbatch.documents.layout.field_rows import with_field_rows
from pdfbatch.documents.layout.region import Region
from pdfbatch.documents.pdf.boxes import union
from pdfbatch.documents.textlayer.lines import Line
from tests.documents.sample_lines import SENTENCES, line


def region(kind: str, *lines: Line) -> Region:
    return Region(kind, union([one.box for one in lines]), list(lines))


def field(text: str, left: float, bottom: float, size: float = 10) -> Region:
    return region("form-field", line(text, left, bottom, size, role="form_field", marker="[ ]"))


def texts_in_order(*regions: Region) -> list[str]:
    return [" / ".join(one.text for one in each.lines) for each in with_field_rows(regions)]


@pytest.mark.parametrize("label", ["Insured:", "Insured?", "保険：", "Insured ....", "Insured: ____"])
@pytest.mark.parametrize("raised", [0, 1.5, -1.5])
@pytest.mark.parametrize("before", [True, False])
def test_boxes_follow_their_question_from_left_to_right(label: str, raised: float, before: bool) -> None:
    boxes = [field("no", 200, 100 - raised), field("yes", 150, 100), field("later", 250, 100 + raised)]
    asking = region("text", line(label, 40, 100), line("Name of the boat:", 40, 120))
    mixed = [*boxes, asking] if before else [asking, *boxes]
    assert texts_in_order(*mixed) == [label, "yes", "no", "later", "Name of the boat:"]


def test_each_line_of_a_column_of_questions_has_its_own_boxes() -> None:
    asking = region("text", line("Sails", 40, 100), line("Engine", 40, 120))
    boxes = [field(text, left, top) for text, left in (("yes", 150), ("no", 200)) for top in (100, 120)]
    assert texts_in_order(asking, *boxes) == ["Sails", "yes", "no", "Engine", "yes", "no"]


def test_two_questions_in_one_row_each_have_their_own_boxes() -> None:
    left, right = region("text", line("Sails:", 40, 100)), region("text", line("Engine:", 200, 100))
    boxes = [field("yes", 90, 100), field("no", 130, 100), field("yes ", 260, 100), field("no ", 300, 100)]
    assert texts_in_order(*boxes, left, right) == ["Sails:", "yes", "no", "Engine:", "yes ", "no "]


def test_boxes_below_each_other_belong_to_the_question_beside_the_first() -> None:
    asking = region("text", line("Kind of boat:", 40, 100), line("Name of the boat:", 40, 180))
    boxes = [field("sail", 150, 100), field("motor", 150, 118), field("none", 150, 136)]
    assert texts_in_order(asking, *boxes) == ["Kind of boat:", "sail", "motor", "none", "Name of the boat:"]


def test_boxes_in_a_column_beside_running_text_stay_where_they_are() -> None:
    column = region("text", *(line(text, 40, 100 + 12 * row, 6) for row, text in enumerate(SENTENCES)))
    boxes = [field("I agree", 300, 112), field("I want a key", 300, 124)]
    assert texts_in_order(column, *boxes) == [" / ".join(SENTENCES), "I agree", "I want a key"]


def test_boxes_far_from_a_line_or_before_it_or_beside_a_table_stay_where_they_are() -> None:
    asking = region("text", line("Insured:", 40, 100), line("Said.", 40, 120))
    assert texts_in_order(field("yes", 400, 100), asking) == ["yes", "Insured: / Said."]
    assert texts_in_order(asking, field("y", 20, 100)) == ["Insured: / Said.", "y"]
    assert texts_in_order(field("yes", 90, 100), region("table", *asking.lines)) == ["yes", "Insured: / Said."]
