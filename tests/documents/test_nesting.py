from pdfbatch.documents.layout.nesting import nested
from pdfbatch.markdown.lists import list_markdown
from pdfbatch.records import Element, Label, plain_text


def item(text, left, top, marker="-", label=Label.LIST_ITEM):
    box = (left, top, left + 6 * len(text), top + 11)
    return Element(label=label, box=box, spans=plain_text(text), size=11, marker=marker, level=1)


def levels(elements):
    return [element.level for element in nested(elements)]


def test_items_with_a_larger_indent_are_nested_deeper():
    lefts = [72, 90, 108, 108, 90, 72]
    assert levels(item("Boats", left, 15 * row) for row, left in enumerate(lefts)) == [1, 2, 3, 3, 2, 1]


def test_a_nested_list_is_indented():
    elements = [item("Before leaving", 72, 0, "1."), item("Fuel", 90, 15), item("At sea", 72, 30, "2.")]
    assert list_markdown(nested(elements)) == "1. Before leaving\n   - Fuel\n2. At sea"


def test_right_aligned_numbers_have_the_same_depth():
    assert levels([item("Ropes", 77.5, 0, "9."), item("Chains", 72, 15, "10."), item("Nets", 72, 30, "11.")]) == [1] * 3


def test_another_column_or_other_text_starts_a_new_list():
    assert levels([item("Ropes", 72, 500), item("Chains", 92, 60)]) == [1, 1]
    text = item("Other text", 72, 15, "", Label.PARAGRAPH)
    assert levels([item("Ropes", 72, 0), text, item("Chains", 92, 30)]) == [1, 1, 1]


def test_a_list_that_returns_between_two_depths_continues():
    assert levels(item("Boats", left, 15 * row) for row, left in enumerate([72, 108, 90, 72])) == [1, 2, 2, 1]
