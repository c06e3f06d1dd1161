"""Any text of a model, a PDF or a person: no crash, and nothing active comes out."""

from __future__ import annotations

import math
import re
import subprocess
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pdfbatch.engines.dolphin.layout import parse, prompt_for, regions
from pdfbatch.errors import PdfbatchError
from pdfbatch.fleet import userdata
from pdfbatch.markdown.document import anchors, document_markdown
from pdfbatch.records import Element, Label, Span
from pdfbatch.store import open_store
from tests.fleet.test_userdata import RECORD, manifest
from tests.markdown import rendered
from tests.markdown.elements import document, element, page, table, texts

# ── the model's layout ───────────────────────────────────────────────────────────────────────────────────────────

NUMBERS = st.one_of(
    st.integers(-10, 2000).map(str),
    st.floats().map(str),
    st.sampled_from(["", "1e999", "-", ".", "0.5", "9" * 400, "٣", "nan", "+.5", "1,2"]),
)
QUADS = st.lists(NUMBERS, min_size=3, max_size=5).map(lambda numbers: f"[{','.join(numbers)}]")
LABELS = st.sampled_from(["para", "tab", "fig", "equ", "code", "PAIR_SEP", "__class__", "x" * 100, "", "]", "[", "\0"])
PIECES = st.one_of(
    QUADS,
    LABELS,
    LABELS.map(lambda label: f"[{label}]"),
    st.sampled_from(["[PAIR_SEP]", "[RELATION_SEP]", "</s>", " ", "\n"]),
    st.text(max_size=8),
)
LAYOUTS = st.lists(PIECES, max_size=24).map("".join) | st.lists(st.tuples(QUADS, LABELS), max_size=12).map(
    lambda found: "[PAIR_SEP]".join(f"{quad}[{label}]" for quad, label in found)
)


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(LAYOUTS, st.integers(1, 3000), st.integers(1, 3000), st.booleans())
@example("[0,0,1e308,1e308][para]", 1, 1, False)
@example("[1,1,1,1][para]" * 3000, 100, 100, False)
@example("[" * 50_000, 100, 100, True)
@example("[1," * 20_000, 100, 100, True)
@example(f"[0,0,9,9] {'a' * 50_000}", 100, 100, True)
def test_any_layout_gives_boxes_on_the_page(text: str, width: int, height: int, as_published: bool) -> None:
    layout = parse(text)
    for found in regions(layout, width, height, as_published):
        assert 0 <= found.box.x0 < found.box.x1 <= width and 0 <= found.box.y0 < found.box.y1 <= height
        assert all(map(math.isfinite, found.box))
        assert prompt_for(found.label, layout.grammar) is None or found.label != "fig"


# ── elements → Markdown ──────────────────────────────────────────────────────────────────────────────────────────

ATTACKS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe src=javascript:alert(1)>",
    "</td></tr></table><script>alert(1)</script>",
    "<!-- page 7 -->",
    "\n\n<div onclick=x>\n\n",
    "[x](javascript:alert(1))",
    "![x](data:text/html,<script>)",
    "<javascript:alert(1)>",
    "[x]: javascript:alert(1)\n\n[x]",
    "```\n</code></pre><script>",
    "$$\n<script>alert(1)</script>\n$$",
    "&lt;script&gt;",
    "<a href=x>",
    "<?php ?>",
    "<![CDATA[<script>]]>",
    "\u202e<script>",
    "--><script>",
)
TEXTS = st.lists(st.sampled_from(ATTACKS) | texts(4), max_size=4).map("".join)
SCHEMES = (
    "javascript:",
    "JaVaScRiPt:",
    " javascript:",
    "java\tscript:",
    "\x01javascript:",
    "vbscript:",
    "data:",
    "file:",
)
LINKS = st.one_of(
    st.none(),
    st.tuples(st.sampled_from(SCHEMES), TEXTS).map("".join),
    st.just("https://example.org/a_(b)"),
    TEXTS,
)
SPANS = st.builds(
    lambda text, link, styles: Span(text=text, styles=styles, link=link or ""),
    TEXTS,
    LINKS,
    st.lists(st.sampled_from(["bold", "italic", "mono"]), unique=True, max_size=2),
)
TEXTUAL = [label for label in Label if label not in (Label.TABLE,)]
ELEMENTS = st.one_of(
    st.builds(
        lambda label, spans: Element(label=label, box=(0, 0, 1, 1), spans=spans),
        st.sampled_from(TEXTUAL),
        st.lists(SPANS, max_size=3),
    ),
    st.builds(lambda rows: table(rows), st.lists(st.lists(TEXTS, min_size=2, max_size=2), min_size=1, max_size=3)),
)


def linked(address: str) -> Element:
    return Element(label=Label.PARAGRAPH, box=(0, 0, 1, 1), spans=[Span(text="x", link=address)])


OURS = {"table", "thead", "tbody", "tr", "td", "th", "br", "b", "i", "s", "sup", "sub", "code", "pre", "p", "em"}
SHOWN = OURS | {"strong", "a", "img", "ul", "ol", "li", "hr", "blockquote", "del"} | {f"h{n}" for n in range(1, 7)}
ATTRIBUTES = {"href", "src", "alt", "title", "colspan", "rowspan", "start", "class", "style"}


class Active(HTMLParser):
    """Collects what a browser would act on in rendered HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in SHOWN:
            self.found.append(tag)
        for name, value in attrs:
            target = re.sub(r"[\x00-\x20\x7f]", "", value or "").lower()
            is_script = name in ("href", "src") and target.startswith(("javascript:", "vbscript:", "data:", "file:"))
            if name not in ATTRIBUTES or is_script:
                self.found.append(f"{tag} {name}={value}")

    def handle_pi(self, data: str) -> None:
        self.found.append(f"<?{data}")

    def handle_decl(self, decl: str) -> None:
        self.found.append(f"<!{decl}")


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(st.lists(ELEMENTS, max_size=3))
@example([element(Label.PARAGRAPH, attack) for attack in ATTACKS])
@example([element(Label.CODE, attack) for attack in ATTACKS])
@example([element(Label.FORMULA, attack) for attack in ATTACKS])
@example([element(Label.CAPTION, attack) for attack in ATTACKS])
@example([table([[attack, attack], [attack, attack]]) for attack in ATTACKS])
@example(
    [Element(label=Label.PARAGRAPH, box=(0, 0, 1, 1), spans=[Span(text="x", link=f"{s}alert(1)")]) for s in SCHEMES]
)
def test_no_text_of_a_document_becomes_html_a_script_or_an_anchor(elements: list[Element]) -> None:
    markdown = document_markdown(document(page(1, *elements)))
    assert Active(rendered.html(markdown)).found == []
    assert [anchor.number for anchor in anchors(markdown)] == [1]


# ── places ───────────────────────────────────────────────────────────────────────────────────────────────────────

PARTS = ["s3://", "s3:/", "file://", "/", "//", "..", "~", "~nobody", "@", "\0", "b", "a.b", "?", "%00"]
PLACES = st.one_of(
    st.text(max_size=30),
    st.lists(st.sampled_from(PARTS)).map("".join),
    st.text(max_size=70).map("s3://{}".format),
)


@settings(deadline=None, max_examples=300)
@given(PLACES)
@example("file:///a%00b")
@example("s3://\ud800")
@example("\ud800")
@example("a" * 5000)
def test_any_place_is_a_store_or_a_named_error(place: str) -> None:
    try:
        store = open_store(place)
    except PdfbatchError as error:
        assert error.message and error.hint
    else:
        assert store.url.endswith("/") or store.url.startswith("s3://")


# ── the header of the boot script ────────────────────────────────────────────────────────────────────────────────

VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


@pytest.mark.parametrize("shell", ["bash", "sh"])
@settings(deadline=None, max_examples=40)
@given(st.lists(VALUES, min_size=6, max_size=6))
@example(["$(touch /tmp/owned)", "`id`", "'; id; '", "a\nexport X=1", "\\'", "!!$HOME\r"])
def test_a_real_shell_reads_any_bucket_key_name_and_tag_unchanged(shell: str, values: list[str]) -> None:
    bucket, prefix, image, group, topic, region = values
    record = RECORD.model_copy(update={"image": image, "log_group": group, "topic": topic, "region": region})
    frozen = manifest(f"s3://{bucket.replace('/', '')}/{prefix}", "s3://papers/out/")
    wanted = userdata.values_of(frozen, record, 3, True, {"AWS_ENDPOINT_URL": prefix})
    header = userdata.render(wanted).split("\nset -u\n", 1)[0]
    script = f"{header}\nenv -0\n"
    said = subprocess.run([shell], input=script.encode(), env={"PATH": "/usr/bin:/bin"}, capture_output=True)
    found = dict(line.split("=", 1) for line in said.stdout.decode().split("\0") if "=" in line)
    assert {name: found.get(name) for name in wanted} == wanted
    assert said.stderr == b""
