"""Pages whose text layer and picture differ, under `auto`: what the layer lacks is cut out for the model, and a page
whose layer is not to be trusted goes to it whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pymupdf
import pytest

from pdfbatch.documents.ocr.scan import available
from pdfbatch.engines.dolphin.tasks import Prepared, Refine, prepare_page
from pdfbatch.records import Label, ReadOptions
from tests.documents import sight_pages as samples

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not available(), reason="needs rapidocr and onnxruntime")]

SIDE = 896
IN_LAYER, LACKING = samples.SENTENCES[:4], samples.SENTENCES[4:7]

Paint = Callable[[pymupdf.Page, Sequence[str], float], None]


def prepared(page: pymupdf.Page, folder: Path) -> object:
    path = samples.saved(page, folder / "a.pdf")
    return prepare_page(path, 1, ReadOptions(), SIDE, str(folder / "a.rgb"), True)


@pytest.mark.parametrize("paint", [samples.as_image, samples.as_outlines, samples.as_meaningless_glyphs])
def test_text_that_the_layer_lacks_is_cut_out_for_the_model(tmp_path: Path, paint: Paint) -> None:
    page = samples.blank()
    samples.write(page, IN_LAYER)
    paint(page, LACKING, 220)
    result = prepared(page, tmp_path)
    assert isinstance(result, Refine)
    [asked] = result.wanted
    assert asked.kind == "text"
    element = result.read.page.elements[asked.place]
    assert (element.label, element.source, element.text) == (Label.PARAGRAPH, "ocr", " ".join(LACKING)), (
        "to fall back on"
    )
    high, wide = result.images[0].shape[:2]
    assert wide / high == pytest.approx((element.box[2] - element.box[0]) / (element.box[3] - element.box[1]), rel=0.15)


@pytest.mark.parametrize("meaning", [samples.shifted(3), samples.half_missing], ids=["shifted", "half missing"])
def test_a_page_whose_font_has_a_wrong_map_goes_to_the_model_whole(
    tmp_path: Path, meaning: Callable[[str], str]
) -> None:
    page = samples.blank()
    samples.write_mapped(page, samples.SENTENCES, 60, meaning)
    assert isinstance(prepared(page, tmp_path), Prepared)
