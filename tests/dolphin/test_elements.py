import re
import unicodedata
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdfbatch.engines.dolphin.elements import elements_of
from pdfbatch.markdown.document import anchors
from pdfbatch.records import Box, Cell, Element, Label, PageResult, ReadOptions, Span
from tests.pages import markdown_of

PLAIN = ["para", "half_para", "sec_0", "sec_3", "sub_sec", "cap", "fnote", "anno", "author", "reference", "list"]
PLAIN += ["catalogue", "distorted_page"]
LABELS = [*PLAIN, "sec_1", "title", "sec", "equ", "formula", "tab", "code", "alg", "fig", "header", "foot", "watermark"]
PLACE = (0.0, 300.0, 99.0, 309.0)

words = st.text("abcdefgXYZé漢字", min_size=1, max_size=5)
ends = st.sampled_from(["", ".", ",", "!", ":"])
sentences = st.builds(lambda many, end: " ".join(many) + end, st.lists(words, min_size=1, max_size=6), ends)
awkward = st.text(st.sampled_from("ab Z.1-*#>+=_~`|$\\()[]{}<>/!&\n\t\r\u2028\x00\x0b漢。̸é"), max_size=60)


def read(label: str, text: str, figure: str = "", tags: tuple[str, ...] = (), box: Box = PLACE) -> list[Element]:
    return elements_of(label, text, box, figure, tags)


def placed(element: Element, place: int) -> Element:
    """One below the other, headers and footers at the edges, unless a test has its own idea."""
    if element.box != PLACE:
        return element
    top = {Label.PAGE_HEADER: 10.0, Label.PAGE_FOOTER: 780.0}.get(element.label, 60.0 + 60 * place)
    return element.model_copy(update={"box": (50.0, top, 550.0, top + 12)})


def body(*elements: tuple[str, str] | list[Element], keep_headers: bool = False) -> str:
    """The Markdown of a page of these elements, of a document that has no other."""
    parts = [part if isinstance(part, list) else read(*part) for part in elements]
    made = [placed(one, place) for place, part in enumerate(parts) for one in part]
    page = PageResult(number=1, width=600, height=800, elements=made)
    return markdown_of(page, ReadOptions(keep_headers=keep_headers))


@pytest.mark.parametrize("label", ["para", "anno", "fnote", "cap", "distorted_page"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# of them", r"\# of them"),
        ("#hash", "#hash"),
        ("> 5", r"\> 5"),
        ("- 5 boats", r"\- 5 boats"),
        ("+ 5", r"\+ 5"),
        ("* 5", r"\* 5"),
        ("-5 degrees", "-5 degrees"),
        ("1. April", r"1\. April"),
        ("12) twelve", r"12\) twelve"),
        ("3.14 is", "3.14 is"),
        ("---", r"\---"),
        ("___", r"\_\_\_"),
        ("===", "==="),
        ("~~~ x", r"\~\~\~ x"),
        ("```", r"\`\`\`"),
        ("[1]: https://a.org", r"\[1]: https://a.org"),
        ("[1] Smith", "[1] Smith"),
        ("    Indented", "Indented"),
        ("Said\n- he", "Said - he"),
        ("<b>x</b> if a<c, a < b", r"\<b>x\</b> if a<c, a < b"),
        ("Smith*, Jones**", "Smith*, Jones**"),
        ("2 * 3", "2 * 3"),
    ],
)
def test_text_that_looks_like_markdown_stays_text(label: str, text: str, expected: str) -> None:
    assert body((label, text)) == expected


def test_text_that_looks_like_an_anchor_does_not_become_one() -> None:
    found = body(("anno", "<!-- page 3 --> and\n<!-- page 4 -->"))
    assert found == "\\<!-- page 3 --> and \\<!-- page 4 -->"
    assert anchors(found) == []


@pytest.mark.parametrize(
    ("label", "start"),
    [(f"sec_{number}", "#" * (number + 1)) for number in range(6)]
    + [("title", "#"), ("sec", "##"), ("sub_sec", "###"), ("sub_sub_sec", "####"), ("sec_9", "######")],
)
def test_headings_keep_their_levels(label: str, start: str) -> None:
    assert body((label, "1. A heading\n\nof two lines")) == f"{start} 1. A heading of two lines"


def test_a_heading_that_ends_in_a_hash_keeps_it() -> None:
    assert body(("sec_1", "Using C #")) == r"## Using C \#"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["• one", "● two", "- three", "·  four"], "- one\n- two\n- three\n- four"),
        (["1. one", "2) two"], "1. one\n2) two"),
        (["(a) one", "b) two", "[3] three", "iv. four"], "- (a) one\n- b) two\n- [3] three\n- iv. four"),
        (["• one\ngoes on\n• two"], "- one goes on\n- two"),
        (["1. one\n2. two\nTwo goes on"], "1. one\n2. two Two goes on"),
        (["One\nTwo\nand more"], "- One\n- Two and more"),
        (["- # one", "• 1. two"], "- \\# one\n- 1\\. two"),
        (["1. > one", "2. - two"], "1. \\> one\n2. \\- two"),
        (["•", "  ", "one"], "- one"),
        (["-5 degrees"], "- -5 degrees"),
    ],
)
def test_lists_have_an_item_a_line(texts: list[str], expected: str) -> None:
    assert body(*[("list", text) for text in texts], ("para", "Text.")) == f"{expected}\n\nText."


def test_text_between_two_lists_parts_them() -> None:
    assert body(("list", "• a"), ("para", "Text."), ("list", "• b")) == "- a\n\nText.\n\n- b"


def test_contents_keep_their_lines() -> None:
    assert body(("catalogue", "Contents\n\nOne .... 1\n--\n<b>")) == "Contents\\\nOne .... 1\\\n--\\\n\\<b>"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[1] A. Smith.\nA title.\n[2] B. Jones.", "[1] A. Smith. A title.\n\n[2] B. Jones."),
        ("1. Smith\n2. Jones", "1\\. Smith\n\n2\\. Jones"),
        ("Smith, A.\nA title, 2019.", "Smith, A. A title, 2019."),
    ],
)
def test_each_reference_is_a_paragraph(text: str, expected: str) -> None:
    assert body(("reference", text)) == expected


@pytest.mark.parametrize("label", ["equ", "formula"])
def test_formulas_are_blocks_of_their_own(label: str) -> None:
    assert body(("para", "So"), (label, r"\[ a = b \]"), ("para", "holds.")) == "So\n\n$$\na = b\n$$\n\nholds."


@pytest.mark.parametrize("label", ["code", "alg"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\n  b <c> *d*\n\n\n# e", "```\na\n  b <c> *d*\n\n\n# e\n```"),
        ("\n\n  a\n\n", "```\n  a\n```"),
        ("```\na\n```", "```\na\n```"),
        ("```python\n  a\n```", "```\n  a\n```"),
        ("~~~\na\n~~~", "```\na\n```"),
        ("```bash\na", "```\na\n```"),
        ("x = '```'", "````\nx = '```'\n````"),
        ("````\n```\na\n```\n````", "````\n```\na\n```\n````"),
        ("```\n```", ""),
        (" ", ""),
    ],
)
def test_code_keeps_its_lines_in_one_fence(label: str, text: str, expected: str) -> None:
    assert body((label, text)) == expected


def test_a_table_is_cells_whatever_its_html_lacks() -> None:
    [table] = read("tab", "<table><tr><td>a<td rowspan=2>b<tr><td>c")
    assert table.cells == [
        Cell(row=0, column=0, spans=[Span(text="a")]),
        Cell(row=0, column=1, rows=2, spans=[Span(text="b")]),
        Cell(row=1, column=0, spans=[Span(text="c")]),
    ]


@pytest.mark.parametrize(
    ("caption", "alt"),
    [
        ("Figure 1. The [small] cat. And more.", r"Figure 1. The \[small\] cat."),
        ("Fig. 2: Of Smith et al. (2019) without an end", "Fig. 2: Of Smith et al. (2019) without an end"),
        ("图1。\n更多。", "图1。"),
        ("A plot of\n\\(x\\). It rises.", "A plot of x. It rises."),
        (" ", "Figure"),
    ],
)
def test_a_figure_is_described_by_the_first_sentence_of_its_caption(caption: str, alt: str) -> None:
    assert body(read("fig", "", "x.png"), ("cap", caption)).split("\n\n")[0] == f"![{alt}](a/figures/x.png)"


def test_a_figure_that_was_not_saved_leaves_its_caption() -> None:
    assert body(("fig", ""), ("cap", "Figure 1.")) == "Figure 1."


HIGH, MIDDLE, LOW = (0.0, 0.0, 99.0, 300.0), (0.0, 310.0, 99.0, 320.0), (0.0, 400.0, 99.0, 700.0)


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        pytest.param([("fig", HIGH), ("cap", MIDDLE), ("fig", LOW)], "fcf", id="of two neighbours the nearer one"),
        pytest.param([("tab", LOW), ("cap", MIDDLE)], "tc", id="after what it came after"),
        pytest.param([("cap", MIDDLE), ("tab", LOW)], "ct", id="before what it came before"),
        pytest.param([("fig", HIGH), ("para", LOW), ("cap", MIDDLE)], "fcp", id="moved to the one it is near"),
        pytest.param([("cap", MIDDLE), ("para", LOW), ("fig", HIGH)], "pcf", id="moved, and still before it"),
        pytest.param([("fig", LOW), ("para", LOW), ("cap", (0.0, 0.0, 9.0, 9.0))], "fpc", id="left, with none near"),
        pytest.param([("fig", HIGH), ("cap", MIDDLE), ("cap", MIDDLE)], "fcc", id="two of one"),
    ],
)
def test_a_caption_stands_beside_its_figure_or_table(elements: list[tuple[str, Box]], expected: str) -> None:
    texts = {"fig": "", "tab": "<table><tr><td>t</td></tr></table>", "cap": "Caption", "para": "Para."}
    found = body(*[read(label, texts[label], "f.png" if label == "fig" else "", box=box) for label, box in elements])
    starts = {"!": "f", "|": "t", "C": "c", "P": "p"}
    assert "".join(starts[block[0]] for block in found.split("\n\n")) == expected


@pytest.mark.parametrize("keep_headers", [False, True])
@pytest.mark.parametrize(
    "element",
    [
        read("header", "Running"),
        read("foot", "Running"),
        read("watermark", "Running"),
        read("watermark", "Running", tags=("meta_num",)),
    ],
)
def test_running_headers_are_dropped_unless_kept(element: list[Element], keep_headers: bool) -> None:
    text = "The text of the page is longer than what runs above and below it."
    assert body(element, ("para", text), keep_headers=keep_headers) in (
        [f"Running\n\n{text}", f"{text}\n\nRunning"] if keep_headers else [text]
    )


@pytest.mark.parametrize(
    "label", ["para", "tab", "equ", "code", "list", "cap", "sec_1", "reference", "catalogue", "anno"]
)
def test_content_is_kept_whatever_its_tags(label: str) -> None:
    text = "<table><tr><td>Running</td></tr></table>" if label == "tab" else "Running"
    assert "Running" in body(read(label, text, tags=("meta_num",)), ("para", "The text of the page."))


def test_an_author_is_kept() -> None:
    assert body(read("para", "A. Smith", tags=("author",))) == "A. Smith"


def test_footnotes_come_last() -> None:
    assert body(("fnote", "1 See there."), ("para", "One."), ("para", "Two.")) == "One.\n\nTwo.\n\n1 See there."


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        pytest.param(
            [("half_para", "A first"), ("fig", ""), ("cap", "C"), ("fnote", "n"), ("half_para", "half.")],
            "A first half.\n\nf\n\nC\n\nn",
            id="figures, captions and notes go behind it",
        ),
        pytest.param([("half_para", "A hyphen-"), ("half_para", "ated word.")], "A hyphenated word.", id="hyphen"),
        pytest.param([("half_para", "漢字"), ("half_para", "漢字。")], "漢字漢字。", id="no blank in CJK"),
        pytest.param(
            [("half_para", "It ends."), ("half_para", "It goes on.")], "It ends. It goes on.", id="two halves"
        ),
        pytest.param([("half_para", "It goes"), ("para", "On.")], "It goes On.", id="a half and a whole"),
        pytest.param([("half_para", "It ends."), ("para", "New.")], "It ends.\n\nNew.", id="but not after a full stop"),
        pytest.param([("para", "It goes"), ("half_para", "on.")], "It goes on.", id="a whole and a half"),
        pytest.param([("para", "It goes"), ("half_para", "New.")], "It goes\n\nNew.", id="but not with a capital"),
        pytest.param([("para", "It ends."), ("half_para", "on.")], "It ends.\n\non.", id="nor after a full stop"),
        pytest.param([("para", "It goes"), ("para", "on.")], "It goes\n\non.", id="two wholes are two"),
        pytest.param(
            [("half_para", "A"), ("sec_1", "Bells"), ("half_para", "c.")], "A\n\n## Bells\n\nc.", id="a heading parts"
        ),
        pytest.param(
            [("half_para", "A"), ("equ", "b"), ("half_para", "c.")], "A\n\n$$\nb\n$$\n\nc.", id="so does a formula"
        ),
        pytest.param(
            [("half_para", "A"), ("half_para", "b."), ("half_para", "C.")],
            "A b.\n\nC.",
            id="two that ended are not opened",
        ),
        pytest.param([("half_para", "A"), ("half_para", "b"), ("half_para", "c.")], "A b c.", id="a chain"),
        pytest.param(
            [("half_para", "A \u201cquote.\u201d [3]"), ("para", "B.")], "A “quote.” [3]\n\nB.", id="end in quotes"
        ),
        pytest.param([("half_para", "A"), ("foot", "7"), ("half_para", "b.")], "A b.", id="page numbers do not count"),
        pytest.param([("half_para", "In 1."), ("half_para", "- b")], "In 1. - b", id="only the start is escaped"),
    ],
)
def test_halves_of_a_paragraph_are_joined(elements: list[tuple[str, str]], expected: str) -> None:
    made = [read(label, text, "f.png" if label == "fig" else "") for label, text in elements]
    text = body(read("sec_0", "Title"), *made)
    assert text.replace("![C](a/figures/f.png)", "f") == f"# Title\n\n{expected}"


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLAIN), sentences), max_size=8))
def test_no_word_is_lost_or_said_twice(elements: list[tuple[str, str]]) -> None:
    # CJK halves are joined without a blank, so letters are counted and not words.
    found = body(*elements, keep_headers=True)
    assert Counter(re.findall(r"\w", found)) == Counter(
        letter for _, text in elements for letter in re.findall(r"\w", text)
    )


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(LABELS), st.one_of(awkward, st.text())), max_size=6), st.booleans())
def test_whatever_the_model_wrote_is_tidy_markdown(elements: list[tuple[str, str]], keep_headers: bool) -> None:
    found = body(*elements, keep_headers=keep_headers)
    assert found == unicodedata.normalize("NFC", found)
    assert not re.search(r"[ \t]$", found, re.MULTILINE)
    found.encode()
    if not any(label in ("code", "alg") for label, _ in elements):
        assert "\n\n\n" not in found


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize(
    "bad", ["\\(", "\\[", "$x ", "$$", "<", "<td>", "<table>", "- ", "-\n", "`", "*a", "(1) ", " \n"]
)
def test_a_page_of_nothing_but_one_thing_ends_soon(label: str, bad: str) -> None:
    body((label, bad * (20_000 // len(bad))))
