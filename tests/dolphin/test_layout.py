import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdfbatch.engines.dolphin.layout import (
    CODE_PROMPT,
    FORMULA_PROMPT,
    TABLE_PROMPT,
    TEXT_PROMPT,
    Box,
    Layout,
    LayoutBox,
    parse,
    prompt_for,
    regions,
)

places = st.floats(allow_nan=True, allow_infinity=True)
quads = st.tuples(places, places, places, places)
found = st.builds(LayoutBox, quads, st.sampled_from(["para", "tab", "fig"]), st.just(()))
layouts = st.builds(Layout, st.sampled_from(["1.0", "1.5"]), st.lists(found, max_size=12))
on_page = st.tuples(*[st.integers(0, 896).map(float)] * 4)
tokens = st.sampled_from(
    ["[", "]", ",", "1", "896", "0.5", "-3", "para", "[PAIR_SEP]", "[RELATION_SEP]", " ", "\n", "é"]
)


def found_in_1_5(*lines: tuple[float, float, float, float]) -> Layout:
    return Layout("1.5", [LayoutBox(quad, "para", ()) for quad in lines])


def boxes(layout: Layout, width: int, height: int, as_published: bool) -> list[Box]:
    return [region.box for region in regions(layout, width, height, as_published)]


@pytest.mark.parametrize(
    ("text", "grammar", "expected"),
    [
        ("[0.1,0.2,0.3,0.4] para", "1.0", [((0.1, 0.2, 0.3, 0.4), "para", ())]),
        (
            "[0.1, 0.2,.3,1] sub_sec [0,0,1.,0.5] fig\n[0.5,0.5,0.6,0.6]tab",
            "1.0",
            [
                ((0.1, 0.2, 0.3, 1.0), "sub_sec", ()),
                ((0.0, 0.0, 1.0, 0.5), "fig", ()),
                ((0.5, 0.5, 0.6, 0.6), "tab", ()),
            ],
        ),
        (
            "[210,136,910,172][sec_0][PAIR_SEP][202,217,921,325][para][author][PAIR_SEP][1,2,3,4][equ]"
            "[RELATION_SEP][21,499,63,1163][watermark][meta_num][x]",
            "1.5",
            [
                ((210.0, 136.0, 910.0, 172.0), "sec_0", ()),
                ((202.0, 217.0, 921.0, 325.0), "para", ("author",)),
                ((1.0, 2.0, 3.0, 4.0), "equ", ()),
                ((21.0, 499.0, 63.0, 1163.0), "watermark", ("meta_num", "x")),
            ],
        ),
        (
            "[1,2,3,4][para][5,6,7,8][tab]",
            "1.5",
            [((1.0, 2.0, 3.0, 4.0), "para", ()), ((5.0, 6.0, 7.0, 8.0), "tab", ())],
        ),
        ("[1,2,3,4][PAIR_SEP][5,6,7,8][tab]", "1.5", [((5.0, 6.0, 7.0, 8.0), "tab", ())]),
        ("[1,2,3,4][5,6,7,8][tab]", "1.5", [((5.0, 6.0, 7.0, 8.0), "tab", ())]),
        ("junk [1,2,3][para][PAIR_SEP][1,2,3,4][para][PAIR_SEP][9,9,", "1.5", [((1.0, 2.0, 3.0, 4.0), "para", ())]),
        ("[1,2,3,4][para] [0.1,0.2,0.3,0.4] tab", "1.5", [((1.0, 2.0, 3.0, 4.0), "para", ())]),
        ("[-5,2,3,4][para]", "1.5", [((-5.0, 2.0, 3.0, 4.0), "para", ())]),
        ("[nan,2,3,4][para]", None, []),
        ("", None, []),
        ("I cannot read this [page].", None, []),
    ],
)
def test_a_layout_is_read_in_the_grammar_it_is_in(
    text: str, grammar: str | None, expected: list[tuple[tuple[float, ...], str, tuple[str, ...]]]
) -> None:
    layout = parse(text)
    assert layout.grammar == grammar
    assert [tuple(element) for element in layout.found] == expected


@settings(deadline=None)
@given(st.one_of(st.text(), st.lists(tokens, max_size=60).map("".join)), st.booleans())
def test_nothing_the_model_writes_makes_reading_it_fail(text: str, as_published: bool) -> None:
    layout = parse(text)
    assert (layout.grammar is None) == (layout.found == [])
    regions(layout, 640, 480, as_published)


@given(st.lists(st.tuples(on_page, st.sampled_from(["para", "sec_0"])), min_size=1, max_size=8))
def test_what_is_written_in_either_grammar_is_read_back(elements: list[tuple[tuple[float, ...], str]]) -> None:
    dense = "[PAIR_SEP]".join(f"[{','.join(f'{place:.0f}' for place in quad)}][{label}]" for quad, label in elements)
    loose = " ".join(f"[{','.join(f'{place / 896:.6f}' for place in quad)}] {label}" for quad, label in elements)
    assert [(element.quad, element.label) for element in parse(dense).found] == elements
    assert [element.label for element in parse(loose).found] == [label for _, label in elements]


@pytest.mark.parametrize(
    ("label", "grammar", "prompt"),
    [
        ("fig", "1.0", None),
        ("fig", "1.5", None),
        ("tab", "1.0", TABLE_PROMPT),
        ("tab", "1.5", TABLE_PROMPT),
        ("equ", "1.5", FORMULA_PROMPT),
        ("code", "1.5", CODE_PROMPT),
        ("formula", "1.0", TEXT_PROMPT),
        ("alg", "1.0", TEXT_PROMPT),
        ("equ", "1.0", TEXT_PROMPT),
        ("half_para", "1.5", TEXT_PROMPT),
        ("distorted_page", None, TEXT_PROMPT),
        ("never_heard_of", "1.5", TEXT_PROMPT),
    ],
)
def test_each_label_has_the_prompt_that_its_model_was_trained_on(label: str, grammar: str, prompt: str | None) -> None:
    assert prompt_for(label, grammar) == prompt


@pytest.mark.parametrize(
    ("grammar", "quad", "size", "box"),
    [
        # A portrait page lies in the middle of its square: (896 - 634) // 2 = 131 pixels of black on the left.
        ("1.5", (131, 0, 765, 896), (634, 896), (0, 0, 634, 896)),
        ("1.5", (231, 100, 331, 200), (634, 896), (100, 100, 201, 201)),
        ("1.5", (231, 100, 331, 200), (1268, 1792), (200, 200, 401, 401)),
        ("1.5", (100, 231, 200, 331), (896, 634), (100, 100, 201, 201)),
        ("1.5", (100, 231, 200, 331), (896, 633), (100, 100, 201, 201)),
        # Half pixels round to the even one: 1.5 → 2, 100.5 → 100.
        ("1.5", (3, 201, 41, 260), (448, 448), (2, 100, 21, 131)),
        # What reaches into the black, or off the square, ends at the page.
        ("1.5", (-40, 10, 9999, 100), (634, 896), (0, 10, 634, 101)),
        ("1.0", (0.25, 0.25, 0.75, 0.5), (1000, 1000), (250, 250, 750, 500)),
        ("1.0", (0.2569, 0.5, 0.7, 0.75), (634, 896), (99, 448, 496, 672)),
        ("1.0", (0.5, 0.25, 1.4, 0.9999), (999, 999), (499, 249, 999, 998)),
    ],
)
@pytest.mark.parametrize("as_published", [True, False])
def test_a_box_is_mapped_from_the_square_to_the_page(
    grammar: str, quad: tuple[float, ...], size: tuple[int, int], box: tuple[int, ...], as_published: bool
) -> None:
    layout = Layout(grammar, [LayoutBox(quad, "para", ())])  # type: ignore[arg-type]
    assert boxes(layout, *size, as_published) == [box]


@pytest.mark.parametrize(
    ("quads", "published", "ours"),
    [
        pytest.param(
            [(0, 0, 99, 99), (0, 95, 99, 199)],
            [(0, 0, 100, 100), (0, 100, 100, 200)],
            [(0, 0, 100, 100), (0, 100, 100, 200)],
            id="a strip shared with the one above is given up",
        ),
        pytest.param(
            [(0, 95, 99, 199), (0, 0, 99, 99)],
            [(0, 95, 100, 200)],
            [(0, 95, 100, 200), (0, 0, 100, 95)],
            id="and with the one below",
        ),
        pytest.param(
            [(0, 0, 99, 99), (0, 50, 99, 199)],
            [(0, 0, 100, 100), (0, 100, 100, 200)],
            [(0, 0, 100, 100), (0, 50, 100, 200)],
            id="half a box is no strip",
        ),
        pytest.param(
            [(0, 0, 99, 99), (60, 95, 199, 199)],
            [(0, 0, 100, 100), (60, 100, 200, 200)],
            [(0, 0, 100, 100), (60, 95, 200, 200)],
            id="boxes that lie side by side keep their corners",
        ),
        pytest.param(
            [(0, 0, 99, 99), (300, 0, 399, 99), (0, 95, 99, 199)],
            [(0, 0, 100, 100), (300, 0, 400, 100), (0, 95, 100, 200)],
            [(0, 0, 100, 100), (300, 0, 400, 100), (0, 100, 100, 200)],
            id="not only the one before counts",
        ),
        pytest.param(
            [(0, 0, 199, 199), (50, 50, 99, 69)],
            [(0, 0, 200, 200)],
            [(0, 0, 200, 200), (50, 50, 100, 70)],
            id="a box within another one is left whole",
        ),
        pytest.param([(99, 99, 0, 0)], [], [(0, 0, 100, 100)], id="a box the wrong way round is turned"),
        pytest.param(
            [(0, 0, 99, 99), (0, 0, 99, 99)], [(0, 0, 100, 100)], [(0, 0, 100, 100)], id="twice the same is once"
        ),
        pytest.param([(10, 10, 12, 99)], [], [], id="three pixels are too narrow"),
        pytest.param([(10, 10, 13, 99)], [(10, 10, 14, 100)], [(10, 10, 14, 100)], id="four are not"),
        pytest.param([(math.nan, 0, 9, 9), (0, 0, math.inf, 9)], [], [], id="what is no number is dropped"),
        pytest.param([(-1e300, 0, 1e300, 9)], [(0, 0, 896, 10)], [(0, 0, 896, 10)], id="far off is off"),
    ],
)
def test_boxes_that_overlap(
    quads: list[tuple[float, float, float, float]], published: list[tuple[int, ...]], ours: list[tuple[int, ...]]
) -> None:
    assert boxes(found_in_1_5(*quads), 896, 896, as_published=True) == published
    assert boxes(found_in_1_5(*quads), 896, 896, as_published=False) == ours


@pytest.mark.parametrize("as_published", [True, False])
def test_the_order_also_counts_what_was_skipped(as_published: bool) -> None:
    text = "[0,0,99,99][para][PAIR_SEP][0,200,1,201][para][PAIR_SEP][0,300,99,399][watermark][meta_num]"
    placed = regions(parse(text), 896, 896, as_published)
    assert [(region.order, region.label, region.tags) for region in placed] == [
        (1, "para", ()),
        (3, "watermark", ("meta_num",)),
    ]


def wider(box: Box) -> Box:
    return Box(max(0, box.x0 - 5), max(0, box.y0 - 5), box.x1 + 5, box.y1 + 5)


def test_edges_of_1_0_are_moved_before_a_box_is_pushed_below_the_one_before() -> None:
    layout = parse("[0.1,0.1,0.5,0.2] para [0.1,0.205,0.5,0.3] para")
    placed = regions(layout, 1000, 1000, as_published=True, widen=wider)
    assert [region.box for region in placed] == [(95, 95, 505, 205), (95, 205, 505, 305)]


def test_edges_are_moved_in_pixels_of_the_page() -> None:
    asked: list[Box] = []

    def noted(box: Box) -> Box:
        asked.append(box)
        return wider(box)

    placed = regions(parse("[0.3,0.1,0.5,0.2] para"), 500, 1000, as_published=True, widen=noted)
    assert asked == [(50, 100, 250, 200)]
    assert [region.box for region in placed] == [(45, 95, 255, 205)]


def test_edges_of_1_5_are_not_moved() -> None:
    layout = found_in_1_5((0, 0, 99, 99))
    assert regions(layout, 896, 896, True, wider) == regions(layout, 896, 896, True)


@given(layouts, st.integers(1, 3000), st.integers(1, 3000), st.booleans(), st.sampled_from([None, wider]))
def test_every_box_lies_on_the_page(layout: Layout, width: int, height: int, as_published: bool, widen: None) -> None:
    placed = regions(layout, width, height, as_published, widen)
    for x0, y0, x1, y1 in (region.box for region in placed):
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height
        assert min(x1 - x0, y1 - y0) > 3
    orders = [region.order for region in placed]
    assert orders == sorted(set(orders))
