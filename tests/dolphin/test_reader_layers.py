"""Pages with a text layer on their way through the reader: what the layer has not right is read by the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pymupdf
import pytest

from pdfbatch.documents.ocr.scan import available
from pdfbatch.engines.base import PageOrder
from pdfbatch.engines.dolphin.layout import FORMULA_PROMPT, LAYOUT_PROMPT, TABLE_PROMPT
from tests.documents import sight_pages as samples
from tests.documents.sample_pages import text_pdf
from tests.pages import markdown_of

from .layered import AFTER, BEFORE, BETWEEN, layered_pdf
from .test_reader import THREE, Held, Script, Scripted, boxes, outcome_of, painted, read, reading

__all__ = ["painted"]  # a fixture
pytestmark = pytest.mark.slow

SAID = {FORMULA_PROMPT: r"n = \frac{a}{c}", TABLE_PROMPT: "<table><tr><td>Waves</td><td>41</td></tr></table>"}
FLAT = "_a + b n = + x² + y² c + d_"


def says(**other: str) -> Script:
    """To each prompt its answer; `other`: what is said to a formula or a table instead."""
    instead = {FORMULA_PROMPT: other.get("formula"), TABLE_PROMPT: other.get("table")}
    return lambda prompt, _: instead.get(prompt) or SAID[prompt]


def page_markdown(formula: str = "$$\nn = \\frac{a}{c}\n$$", table: str = "|Waves|41|\n|---|---|") -> str:
    return "\n\n".join([" ".join(BEFORE), formula, " ".join(BETWEEN), table, " ".join(AFTER)])


def test_a_formula_and_a_table_are_read_by_the_model_and_the_rest_by_the_layer(tmp_path: Path) -> None:
    network = Scripted(says())
    [page] = read(network, layered_pdf(tmp_path / "a.pdf"), tmp_path, with_layers=True)
    assert markdown_of(page) == page_markdown()
    assert (page.read_by, page.reason, page.flags) == ("mixed", None, [])
    assert [element.source for element in page.elements] == ["layer", "dolphin", "layer", "dolphin", "layer"]
    assert len(network.seen) == 2, "no layout"


def test_a_page_that_its_layer_has_right_is_not_shown_to_the_model(tmp_path: Path) -> None:
    network = Scripted(says())
    [page] = read(network, Path(text_pdf(tmp_path / "a.pdf")), tmp_path, with_layers=True)
    assert (page.read_by, network.seen) == ("text", [])


def test_a_formula_that_loops_falls_back_to_the_flat_text(tmp_path: Path) -> None:
    network = Scripted(says(formula="n = " + "a + " * 900))
    [page] = read(network, layered_pdf(tmp_path / "a.pdf"), tmp_path, with_layers=True)
    assert markdown_of(page) == page_markdown(formula=FLAT)
    assert (page.read_by, page.reason) == ("mixed", None)
    assert [element.flags for element in page.elements] == [[], ["model_looped"], [], [], []]


def test_a_table_without_an_answer_keeps_the_layer_s_cells(tmp_path: Path) -> None:
    network = Scripted(says(formula="n = " + "a + " * 900, table=" "))
    [page] = read(network, layered_pdf(tmp_path / "a.pdf"), tmp_path, with_layers=True)
    assert [element.flags for element in page.elements] == [[], ["model_looped"], [], ["unsettled", "model_empty"], []]
    assert "rocks and further out" in markdown_of(page)
    assert page.read_by == "text"


def test_a_page_without_a_layer_goes_to_the_model_whole(painted: Callable[..., Path], tmp_path: Path) -> None:
    def script(prompt: str, shade: int) -> str:
        return boxes(THREE) if prompt == LAYOUT_PROMPT else SAID.get(prompt, f"Cell {shade}.")

    with pymupdf.open(painted()) as document, pymupdf.open(layered_pdf(tmp_path / "a.pdf")) as layered:
        document.insert_pdf(layered)
        document.save(tmp_path / "both.pdf")
    whole, mixed = read(Scripted(script), tmp_path / "both.pdf", tmp_path, pages=2, with_layers=True)
    assert (whole.read_by, mixed.read_by) == ("dolphin", "mixed")
    assert markdown_of(whole) == "Cell 42.\n\nCell 44.\n\nCell 46."
    assert markdown_of(mixed) == page_markdown()


def test_a_drain_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    network, pdf = Held(says()), layered_pdf(tmp_path / "a.pdf", pages=6)
    with reading(network, tmp_path, rows=2, with_layers=True) as reader:
        futures = [reader.read(PageOrder(str(pdf), number)) for number in range(1, 7)]
        assert network.asked.wait(60)
        reader.drain()
        network.let_go.set()
        ended = [outcome_of(future) for future in futures]
    with reading(Scripted(says()), tmp_path, with_layers=True) as reader:
        later = [reader.read(PageOrder(str(pdf), n)) for n, page in enumerate(ended, start=1) if page is None]
        pages = [page for page in ended if page] + [future.result(60).page for future in later]
    assert any(ended), "what the model had begun is finished"
    assert sorted(page.number for page in pages) == [1, 2, 3, 4, 5, 6]
    assert {markdown_of(page) for page in pages} == {page_markdown()}


@pytest.mark.skipif(not available(), reason="needs rapidocr and onnxruntime")
@pytest.mark.parametrize(("said", "read_by"), [("It was read.", "mixed"), ("and on " * 900, "text")])
def test_text_that_the_layer_lacks_is_read_by_the_model_or_as_the_ocr_found_it(
    tmp_path: Path, said: str, read_by: str
) -> None:
    page = samples.blank()
    samples.write(page, samples.SENTENCES[:4])
    samples.as_outlines(page, samples.SENTENCES[4:7], 220)
    pdf = Path(samples.saved(page, tmp_path / "a.pdf"))
    [result] = read(Scripted(lambda *_: said), pdf, tmp_path, with_layers=True)
    expected = said if read_by == "mixed" else " ".join(samples.SENTENCES[4:7])
    assert markdown_of(result) == f"{' '.join(samples.SENTENCES[:4])}\n\n{expected}"
    assert (result.read_by, result.reason) == (read_by, None)
    assert result.tokens > 0 and result.model_seconds > 0
