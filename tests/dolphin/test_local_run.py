"""`pdfbatch local-run --engine dolphin`, from PDFs to Markdown: the tiny model through the whole of the real path.

The pages and what the model says of them are in cards.py; what must come out is written down here.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pymupdf
import pytest

from pdfbatch.markdown.document import anchors, document_markdown
from pdfbatch.records import DocumentElements
from tests.dolphin import cards, layered
from tests.dolphin.local_runs import ONE_THREAD, LocalRun, words
from tests.program import Ended, Program, own_process

pytestmark = pytest.mark.slow

WHOLE = (cards.FRONT, cards.METHODS, cards.RESULTS, cards.WIDE)

FRONT = """\
<!-- page 1 -->

# On the counting of waves

Ada Reed and Tom Mill

![Figure 1: the harbour at noon](all/figures/page-0001-004.png)

Figure 1: the harbour at noon
"""
HALVES = """
We stood at the long pier and wrote down all that came.

A wave is counted when it breaks.
"""
METHODS = """
<!-- page 2 -->

## How we counted

- one clock with a bell
- two pens and a chair

<table>
<tr><td colspan="2">Waves</td></tr>
<tr><td>dawn</td><td>41</td></tr>
</table>

page of the notes

The bell was heard across the mountain until it rained.

1 Storms were left out.

<!-- page 3 -->

### What the bell told
"""
RESULTS = """
$$
n = \\frac{41}{7} + x^{2}
$$

```
for wave in sea:
    count(wave)
```
"""
PLAIN_TABLE = """
|day|n|
|---|---|
|1|41|
"""
ENDING = """
[1] Mill, Bells, 1901.

[2] Reed, Piers, 1899.

<!-- page 4 -->

Contents: waves, bells, rain

![Figure 1: the harbour at noon](all/figures/page-0004-002.png)

Figure 1: the harbour at noon

Nothing more was heard.

seen by the clerk
"""
ALL = FRONT + HALVES + METHODS + RESULTS + PLAIN_TABLE + ENDING

# The first Dolphin has no label for a paragraph that goes on elsewhere, so its halves stay apart.
ALL_1_0 = (
    ALL.replace("pier and wrote", "pier and\n\nwrote")
    .replace(
        "page of the notes\n\nThe bell was heard across the mountain until it rained.",
        "The bell was heard across the moun-\n\npage of the notes",
    )
    .replace("<!-- page 3 -->\n", "<!-- page 3 -->\n\ntain until it rained.\n")
)


def report_of(ended: Ended) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(ended.stdout)
    return document


@pytest.fixture
def pdfs(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def test_a_document_with_every_kind_of_element_becomes_the_one_right_markdown(
    tiny_model: Path, pdfs: Path, out: Path
) -> None:
    cards.make_pdf(pdfs / "all.pdf", WHOLE)
    ended = own_process(*words(pdfs, out, tiny_model), "--json", **ONE_THREAD)
    assert ended.returncode == 0, ended.stderr
    assert (out / "all.md").read_text() == ALL
    pages = report_of(ended)["pages"]
    assert [pages[name] for name in ("read", "failed", "resumed", "here", "read_by")] == [4, 0, 0, 4, {"dolphin": 4}]
    assert pages["model_use"]["tokens"] == pages["model_use"]["whole_tokens"] > 300
    assert report_of(ended)["model"] == str(tiny_model)
    figures = sorted(path.name for path in (out / "all" / "figures").iterdir())
    assert figures == ["page-0001-004.png", "page-0004-002.png"]
    picture = pymupdf.Pixmap(str(out / "all" / "figures" / figures[0]))
    assert (picture.width, picture.height) == pytest.approx((376, 247), abs=2)


def test_the_elements_are_published_with_their_boxes_on_the_picture(
    tiny_model: Path, pdfs: Path, out: Path, local_run: LocalRun
) -> None:
    cards.make_pdf(pdfs / "all.pdf", WHOLE)
    local_run(pdfs, out, tiny_model)
    told_elements = (out / "all.json").read_text()
    assert document_markdown(DocumentElements.model_validate_json(told_elements)) == (out / "all.md").read_text()
    document = json.loads(told_elements)
    assert (document["key"], document["engine"], document["model"]) == ("all.pdf", "dolphin", str(tiny_model))
    for sample, page in zip(WHOLE, document["pages"], strict=True):
        width, height = (round(side * 200 / 72) for side in sample.size)
        assert page["picture"] == {"width": width, "height": height, "dpi": 200.0}
        assert (page["width"], page["height"]) == pytest.approx(sample.size, abs=0.5)
        assert (page["read_by"], page.get("reason"), page.get("flags")) == ("dolphin", None, None)
        told_boxes = sorted({(element["model_label"], *element["box"]) for element in page["elements"]})
        expected = sorted((placed.card.label, *on_the_page(placed.quad, width, height)) for placed in sample.placed)
        assert [label for label, *_ in told_boxes] == [label for label, *_ in expected]
        for (_, *box), (_, *right) in zip(told_boxes, expected, strict=True):
            assert box == pytest.approx(right, abs=1)


def on_the_page(quad: cards.Quad, width: int, height: int) -> list[float]:
    """Of a box in the layout's units, its points."""
    side = max(width, height)
    left, top = (side - width) / 2, (side - height) / 2
    return [
        (place * side / cards.SIDE - off) * 72 / 200 for place, off in zip(quad, (left, top, left, top), strict=True)
    ]


def test_a_write_error_fails_only_its_document_and_replaces_no_foreign_file(
    tiny_model: Path, pdfs: Path, out: Path, local_run: LocalRun
) -> None:
    for name in ("fine", "folder", "foreign"):
        cards.make_pdf(pdfs / f"{name}.pdf", [cards.WIDE])
    (out / "folder" / "figures" / "page-0001-002.png").mkdir(parents=True)
    (out / "foreign.json").write_text('{"mine": 1}')
    ended = local_run(pdfs, out, tiny_model)
    assert ended.returncode == 3, ended.stderr
    assert report_of(ended)["reasons"] == {"store_error": 2}
    assert (out / "foreign.json").read_text() == '{"mine": 1}'
    assert "Nothing more was heard." in (out / "fine.md").read_text()


def test_the_pictures_may_be_made_as_published(tiny_model: Path, pdfs: Path, out: Path, local_run: LocalRun) -> None:
    cards.make_pdf(pdfs / "all.pdf", WHOLE)
    ended = local_run(pdfs, out, tiny_model, "--as-published")
    assert ended.returncode == 0, ended.stderr
    assert (out / "all.md").read_text() == ALL
    document = json.loads((out / "all.json").read_text())
    assert {max(page["picture"]["width"], page["picture"]["height"]) for page in document["pages"]} == {224}


def test_the_grammar_of_the_first_dolphin_is_understood(
    tiny_model_1_0: Path, pdfs: Path, out: Path, local_run: LocalRun
) -> None:
    cards.make_pdf(pdfs / "all.pdf", WHOLE)
    ended = local_run(pdfs, out, tiny_model_1_0)
    assert ended.returncode == 0, ended.stderr
    assert (out / "all.md").read_text() == ALL_1_0


def test_headers_and_watermarks_are_kept_where_asked_for(
    tiny_model: Path, pdfs: Path, out: Path, local_run: LocalRun
) -> None:
    cards.make_pdf(pdfs / "all.pdf", WHOLE)
    local_run(pdfs, out, tiny_model, "--keep-headers")
    markdown = (out / "all.md").read_text()
    assert "Notes of the tide society" in markdown and "DRAFT COPY" in markdown


def test_what_loops_is_kept_up_to_the_loop_and_the_page_is_to_be_retried(
    tiny_model: Path, pdfs: Path, out: Path, local_run: LocalRun
) -> None:
    cards.make_pdf(pdfs / "loops.pdf", [cards.LOOPING, cards.WIDE])
    ended = local_run(pdfs, out, tiny_model)
    assert ended.returncode == 3, ended.stderr
    assert report_of(ended)["reasons"] == {"repetition": 1}
    markdown = (out / "loops.md").read_text()
    assert markdown.startswith("<!-- page 1: repetition -->\n\nA wave is counted when it breaks.\n\nround and on")
    assert markdown.count("round and on") == 1
    assert "home at last." in markdown, "the second try of a loop that can be left"
    assert "Nothing more was heard.\n\n<!-- page 2 -->" in markdown
    page = DocumentElements.model_validate_json((out / "loops.json").read_text()).pages[0]
    flags = {element.text[:8]: element.flags for element in page.elements}
    assert flags["round an"] == ["looped", "retried"]
    assert flags["again we"] == ["retried"]


def test_a_layout_that_cannot_be_understood_has_the_page_read_as_a_whole(
    tiny_model: Path, pdfs: Path, out: Path, local_run: LocalRun
) -> None:
    cards.make_pdf(pdfs / "unclear.pdf", [cards.UNCLEAR])
    assert local_run(pdfs, out, tiny_model).returncode == 0
    assert (out / "unclear.md").read_text() == "<!-- page 1 -->\n\nA page read as a whole.\n"
    assert json.loads((out / "unclear.json").read_text())["pages"][0]["flags"] == ["no_layout"]


def test_auto_reads_healthy_text_layers_without_the_model(
    tiny_model: Path, pdfs: Path, out: Path, local_run: LocalRun
) -> None:
    cards.make_pdf(pdfs / "mixed.pdf", [cards.WIDE])
    with pymupdf.open(pdfs / "mixed.pdf") as document:
        page = document.new_page(pno=0)
        for line in range(12):
            page.insert_text((72, 100 + 14 * line), f"Line {line} of a page that any reader can read.", fontsize=11)
        document.new_page(pno=1)
        document.saveIncr()
    ended = local_run(pdfs, out, tiny_model, "--engine", "auto")
    assert ended.returncode == 0, ended.stderr
    assert report_of(ended)["pages"]["read_by"] == {"text": 1, "blank": 1, "dolphin": 1}
    markdown = (out / "mixed.md").read_text()
    assert "Line 7 of a page" in markdown
    assert "<!-- page 2 -->\n\n<!-- page 3 -->\n\nContents: waves, bells, rain" in markdown


MIXED = f"""\
<!-- page 1 -->

{" ".join(layered.BEFORE)}

$$
n = \\frac{{41}}{{7}} + x^{{2}}
$$

{" ".join(layered.BETWEEN)}

<table>
<tr><td colspan="2">Waves</td></tr>
<tr><td>dawn</td><td>41</td></tr>
</table>

{" ".join(layered.AFTER)}

<!-- page 2 -->

{" ".join(layered.BEFORE)}

<!-- page 3 -->

Contents: waves, bells, rain

![Figure 1: the harbour at noon](mixed/figures/page-0003-002.png)

Figure 1: the harbour at noon

Nothing more was heard.

seen by the clerk
"""


def test_auto_reads_a_formula_and_a_spanning_table_by_the_model_and_the_rest_by_the_layer(
    tiny_model: Path, pdfs: Path, out: Path, one_thread: None, pdfbatch: Program
) -> None:
    layered.layered_pdf(pdfs / "mixed.pdf")
    with pymupdf.open(pdfs / "mixed.pdf") as document:
        page = document.new_page(width=324, height=432)
        for number, line in enumerate(layered.BEFORE):
            page.insert_text((36, 60 + 13 * number), line, fontsize=10, fontname="tiro")
        cards.make_pdf(pdfs / "wide.pdf", [cards.WIDE])
        with pymupdf.open(pdfs / "wide.pdf") as wide:
            document.insert_pdf(wide)
        document.saveIncr()
    (pdfs / "wide.pdf").unlink()
    ended = pdfbatch(*words(pdfs, out, tiny_model, "--engine", "auto"), COLUMNS="200")
    assert ended.returncode == 0, ended.stderr
    assert (out / "mixed.md").read_text() == MIXED
    assert "text layer and model 1 (2 elements by the model)" in ended.stdout
    assert "33 % of the pages did not need the model" in ended.stdout
    said = " ".join(ended.stdout.split())
    assert "saved about " in said and "compared with reading every page with the model" in said
    report = pdfbatch("report", out, "--json")
    told_later = json.loads(report.stdout)
    assert told_later["pages"]["read_by"] == {"mixed": 1, "text": 1, "dolphin": 1}
    use = told_later["pages"]["model_use"]
    assert use["elements"] == 2 and 0 < use["whole_tokens"] < use["tokens"] and use["seconds"] > 0
    assert told_later["spared"]["share"] == pytest.approx(1 - use["tokens"] / (3 * use["whole_tokens"]), abs=1e-3)
    elements = json.loads((out / "mixed.json").read_text())["pages"][0]["elements"]
    sources = [(each["label"], each.get("source", "layer")) for each in elements]
    assert sources == [
        ("text", "layer"),
        ("formula", "dolphin"),
        ("text", "layer"),
        ("table", "dolphin"),
        ("text", "layer"),
    ]


def test_a_missing_model_is_reported_before_anything_is_created(pdfs: Path, out: Path, local_run: LocalRun) -> None:
    cards.make_pdf(pdfs / "all.pdf", WHOLE)
    ended = local_run(pdfs, out, pdfs)
    assert ended.returncode == 4
    assert "config.json" in json.loads(ended.stdout)["error"]["message"]
    assert not out.exists()


def test_a_stop_with_fifty_documents_in_flight_loses_no_finished_page(
    tiny_model: Path, pdfs: Path, out: Path, local_run: LocalRun
) -> None:
    pages = {f"doc-{number:02}.pdf": 4 if number % 8 == 3 else 1 + number % 2 for number in range(50)}
    for name, count in pages.items():
        cards.make_pdf(pdfs / name, WHOLE[:count])
    command = [sys.executable, "-m", "pdfbatch.cli", *words(pdfs, out, tiny_model), "--json"]
    environment = os.environ | ONE_THREAD
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as run:
        wait_until(lambda: len(list(out.glob("*.md"))) >= 3)
        run.send_signal(signal.SIGTERM)
        first = json.loads(run.communicate(timeout=120)[0])
    assert run.returncode == 130
    assert 0 < first["documents"]["done"] < 50
    ended = local_run(pdfs, out, tiny_model)
    assert ended.returncode == 0, ended.stderr
    second = report_of(ended)
    assert second["documents"]["ok"] == 50
    assert second["pages"]["read"] == sum(pages.values())
    published = sum(len(anchors((out / name).with_suffix(".md").read_text())) for name in pages)
    assert published == sum(pages.values())
    # Every page that the first process finished was published by it or taken from its checkpoint by the second.
    finished_documents = sum(pages[outcome] for outcome in done_in_the_first(first, out, pages))
    assert first["pages"]["read"] == finished_documents + second["pages"]["resumed"]
    assert (out / "doc-03.md").read_text() == ALL.replace("all/figures", "doc-03/figures")


def done_in_the_first(first: dict[str, Any], out: Path, pages: dict[str, int]) -> list[str]:
    """Documents that were final before the second process began, in the ledger's order."""
    lines = [
        json.loads(line)
        for segment in sorted((out / ".pdfbatch" / first["run"] / "ledger").rglob("*.jsonl"))
        for line in segment.read_text().splitlines()
    ]
    return [line["key"] for line in lines][: first["documents"]["done"]]


def wait_until(holds: Any) -> None:
    deadline = time.monotonic() + 180
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
