"""Lists: depth, bullets, and numbers that a renderer shows as they were."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdfbatch.markdown.lists import list_markdown
from pdfbatch.records import Element, Label
from tests.markdown import rendered
from tests.markdown.elements import element, texts

MARKERS = ["", "-", "•", "1.", "2.", "3.", "1)", "2)", "7.", "01.", "(a)", "a.", "iv)", "①", "#", "[1]", "0."]


def item(text: str, marker: str = "-", level: int = 1) -> Element:
    return element(Label.LIST_ITEM, text, marker=marker, level=level)


@pytest.mark.parametrize(
    ("items", "markdown"),
    [
        ([("a", "-", 1), ("b", "•", 1), ("c", "\uf0b7", 1), ("d", "❖", 1)], "- a\n- b\n- c\n- d"),
        ([("a", "1.", 1), ("b", "2.", 1)], "1. a\n2. b"),
        ([("a", "1)", 1), ("b", "2)", 1)], "1) a\n2) b"),
        ([("a", "9.", 1), ("b", "10.", 1), ("c", "-", 2)], "9. a\n10. b\n    - c"),
        ([("a", "1.", 1), ("b", "3.", 1), ("c", "4.", 1)], "1. a\n- 3\\. b\n4. c"),
        ([("a", "(a)", 1), ("b", "iv.", 1)], "- (a) a\n- iv. b"),
        ([("a", "-", 1), ("b", "-", 2), ("c", "-", 3), ("d", "-", 2), ("e", "-", 1)],
         "- a\n  - b\n    - c\n  - d\n- e"),
        ([("a", "1.", 1), ("b", "-", 2), ("c", "2.", 1)], "1. a\n   - b\n2. c"),
        ([("a", "-", 1), ("b", "2.", 2), ("c", "3.", 2)], "- a\n  - 2\\. b\n  3. c"),
        ([("a", "-", 2), ("b", "-", 1)], "- a\n- b"),
        ([("a", "-", 1), ("b", "-", 5), ("c", "-", 5)], "- a\n  - b\n  - c"),
        ([("a\nb", "1.", 1)], "1. a\\\n   b"),
        ([("- a", "-", 1), ("1. b", "-", 1), ("# c", "-", 1)], "- \\- a\n- 1\\. b\n- \\# c"),
        ([("[x] a", "-", 1)], "- \\[x] a"),
        ([("", "-", 1), ("", "(a)", 1)], "- (a)"),
        ([("a", "-", 2), ("", "-", 1), ("b", "-", 3)], "- a\n  - b"),
        ([("", "-", 1)], ""),
    ],
)  # fmt: skip
def test_items_are_written_with_their_depth_and_marker(items: list[tuple[str, str, int]], markdown: str) -> None:
    assert list_markdown([item(*one) for one in items]) == markdown


def test_check_boxes_are_task_items() -> None:
    boxes = [element(Label.FORM_FIELD, "yes", marker="[X]"), element(Label.FORM_FIELD, "no", marker="[ ]")]
    assert list_markdown(boxes) == "- [x] yes\n- [ ] no"


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(texts(4), st.sampled_from(MARKERS), st.integers(0, 4)), max_size=8))
def test_a_renderer_shows_every_item_at_its_depth_with_its_number(items: list[tuple[str, str, int]]) -> None:
    markdown = list_markdown([item(*one) for one in items])
    wanted = []
    depths: list[int] = []
    for text, marker, level in items:
        is_bullet = marker in ("", "-", "•")
        if is_bullet and not text.strip():
            continue
        while depths and depths[-1] >= max(level, 1):
            depths.pop()
        depths.append(max(level, 1))
        wanted.append((len(depths), rendered.squeezed(text if is_bullet else f"{marker} {text}")))
    assert shown_items(markdown) == wanted


def shown_items(markdown: str) -> list[tuple[int, str]]:
    """Depth and text of each item with the number that a renderer counts, as it shows it in a tight list."""
    found: list[tuple[int, str]] = []
    numbers: list[int | None] = []
    mark = ""
    for token in rendered.tokens(markdown):
        if token.type in ("bullet_list_open", "ordered_list_open"):
            ordered = token.type == "ordered_list_open"
            numbers.append(int(token.attrs.get("start", 1)) - 1 if ordered else None)
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            numbers.pop()
        elif token.type == "list_item_open":
            number = numbers[-1]
            if number is not None:
                numbers[-1] = number + 1
                mark = f"{number + 1}{token.markup} "
            else:
                mark = ""
        elif token.type == "paragraph_open":
            assert token.hidden, "a loose list"
        elif token.type == "inline":
            text = "".join(seen.text for seen in rendered.inline(token.children or []))
            found.append((len(numbers), rendered.squeezed(mark + text)))
    return found
