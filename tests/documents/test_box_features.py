"""The layout model gets the same features for each box as from pymupdf's own functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pdfbatch.demo.pdfs import DEMO
from pdfbatch.documents.layout.box_features import ChannelsLast, find_text_features, pooled, text_pattern
from pdfbatch.documents.layout.model import layout_model
from pdfbatch.documents.pdf.mupdf import pymupdf
from samples import odd

MAPS_POOLED = ("mean", "max")
CLASSES_POOLED = ("mean", "min", "max", "entropy", "margin")


@pytest.fixture(scope="module", autouse=True)
def theirs() -> Any:
    layout_model()
    return pymupdf.layout


def random_boxes(random: np.random.Generator, number: int, width: int, height: int) -> list[list[float]]:
    """Return boxes, some of them larger than the page and some without an area."""
    x, y = random.uniform(-20, width, number), random.uniform(-20, height, number)
    wide, high = random.exponential(80, number), random.exponential(15, number)
    boxes = [list(map(float, box)) for box in zip(x, y, x + wide, y + high, strict=True)]
    return [*boxes, [0.0, 0.0, float(width), float(height)], [5.0, 5.0, 5.0, 5.0]]


@pytest.mark.parametrize(("number", "width", "height"), [(1, 595, 842), (40, 842, 595), (300, 612, 792), (5, 90, 4000)])
def test_maps_are_pooled_as_pymupdf_does(theirs: Any, number: int, width: int, height: int) -> None:
    random = np.random.default_rng(number)
    boxes = random_boxes(random, number, width, height)
    maps = [random.normal(size=(300, 300, channels)).astype(np.float32) for channels in (3, 8, 1)]
    together = np.concatenate([np.moveaxis(one, 2, 0) for one in maps])[np.newaxis]
    pool = theirs.roi_pooling.extract_bbox_features_by_roi_pooling
    expected = pool(together, boxes, width, height, pooling_ops=MAPS_POOLED)
    assert np.allclose(pooled(ChannelsLast(maps), boxes, width, height), expected, atol=1e-5)


@pytest.mark.parametrize(("number", "width", "height"), [(1, 595, 842), (40, 842, 595), (300, 612, 792), (5, 90, 4000)])
def test_classes_are_pooled_as_pymupdf_does(theirs: Any, number: int, width: int, height: int) -> None:
    random = np.random.default_rng(number)
    boxes = random_boxes(random, number, width, height)
    likelihoods = (8 * random.normal(size=(1, 11, 300, 300))).astype(np.float32)
    pool = theirs.roi_pooling.extract_bbox_features_by_roi_pooling
    expected = pool(likelihoods, boxes, width, height, pooling_ops=CLASSES_POOLED, apply_softmax=True)
    assert np.allclose(pooled(likelihoods, boxes, width, height), expected, atol=1e-4)


PAGES = {"text page": odd.text_page, "hidden layer": odd.hidden_layer, "stamp only": odd.stamp_only}
PAGES |= {one.name: one.make for one in DEMO if "column" in one.name}


@pytest.mark.parametrize("name", PAGES)
def test_boxes_have_the_text_features_that_pymupdf_finds(theirs: Any, name: str) -> None:
    page = pymupdf.open(stream=PAGES[name]())[0]
    found, expected = (theirs.pymupdf_util_base.extract_base_elements(page, input_type=("text",)) for _ in range(2))
    for one in (found, expected):
        one["custom_features"] = [{"box_type": "text"} for _ in one["bboxes"]]
    find_text_features(found, found["stext_page"])
    theirs.pymupdf_util_rf.extract_rf_features(expected, expected["stext_page"])
    for name in ("custom_features", "bboxes", "text"):
        assert found[name] == expected[name]


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "A", "• 1.2 (a) – b", "." * 150, "a1b2c3d4e5f6g7h8", "\ufffd\u00a0\t\u200b"),
        "Snow is cleared by hand as far as the second bridge, and by plough.",
        "x" * 1234 + "²½٣",
        "中文 12,5 % → ✓ #□■‣◦▪※:",
    ],
)
def test_a_text_has_the_pattern_that_pymupdf_finds(theirs: Any, text: str) -> None:
    assert text_pattern(text) == theirs.common_util.get_text_pattern(text, return_vector=True)


def test_the_model_in_use_calls_our_functions(theirs: Any) -> None:
    assert theirs.onnx.BoxRFDGNN.get_text_pattern is text_pattern
    assert theirs.pymupdf_util_ext.extract_rf_features is find_text_features
    assert theirs.onnx.BoxRFDGNN.extract_bbox_features_by_roi_pooling is pooled
