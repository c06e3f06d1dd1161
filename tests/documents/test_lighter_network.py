"""The layout model's picture network gives the same numbers with less work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from pdfbatch.documents.layout.lighter_network import UnknownNetwork, bytes_of, fields_of, lighter
from pdfbatch.documents.layout.model import NETWORK, PictureNetwork, layout_model, scaled_gray
from pdfbatch.documents.pdf.mupdf import pymupdf


@pytest.fixture(scope="module")
def network() -> bytes:
    layout_model()
    return (Path(pymupdf.layout.__file__).parent / NETWORK).read_bytes()


def picture(height: int, width: int) -> np.ndarray:
    """Paper with bars on it, as lines of text look from afar."""
    random = np.random.default_rng(height)
    page = np.full((height, width, 3), 255, np.uint8)
    for top in range(40, height - 40, 12):
        page[top : top + 7, 30 : int(random.integers(40, width))] = random.integers(0, 200, 3)
    return page


@pytest.mark.parametrize(("height", "width"), [(842, 595), (595, 842), (300, 300), (120, 2000), (5, 5)])
def test_a_page_looks_the_same_to_the_lighter_network(network: bytes, height: int, width: int) -> None:
    page = picture(height, width)
    theirs = pymupdf.layout.onnx.ImageFeatureExtractorV1.ImageFeatureExtractorV1(onnxruntime.InferenceSession(network))
    ours = PictureNetwork(network)
    theirs.predict(page)
    ours.predict(picture(width, height))  # leaves nothing behind
    ours.predict(page)
    maps = np.concatenate([np.moveaxis(one, 2, 0) for one in ours.get_feature_map().maps])
    assert np.allclose(theirs.get_feature_map()[0], maps, atol=1e-4)
    assert np.allclose(theirs.get_class_logits(), ours.get_class_logits(), atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(842, 595), (792, 612), (299, 301), (7, 3), (1, 1)])
def test_a_picture_is_made_small_to_the_last_bit_as_pymupdf_does(height: int, width: int) -> None:
    layout_model()
    tools = pymupdf.layout.common_util
    page = np.random.default_rng(width).integers(0, 256, (height, width, 3)).astype(np.uint8)
    gray = tools.to_gray(tools.resize_image(page, (300, 300))).astype(np.float32)
    spread = max(float(gray.max() - gray.min()), 1.0)
    assert np.array_equal(scaled_gray(page, 300), (gray - gray.min()) / np.float32(spread))


def test_the_model_in_use_has_the_lighter_network() -> None:
    assert isinstance(layout_model().feature_extractor, PictureNetwork)


def test_a_message_is_written_as_it_was_read(network: bytes) -> None:
    assert bytes_of(fields_of(network)) == network


@pytest.mark.parametrize("model", [b"", b"\x3a\x00", b"\x08\x0a"])
def test_another_network_is_refused(model: bytes) -> None:
    with pytest.raises(UnknownNetwork):
        lighter(model)


def test_a_network_cut_short_is_refused(network: bytes) -> None:
    with pytest.raises(UnknownNetwork):
        lighter(network[: len(network) // 2][:-3])
