"""The layout model's image network gives the same numbers with less work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from pdfbatch.documents.layout.lighter_grouping import lighter_grouping
from pdfbatch.documents.layout.lighter_network import UnknownNetwork, bytes_of, fields_of, lighter
from pdfbatch.documents.layout.model import MOST_BOXES, NETWORK, PictureNetwork, layout_model, resized, scaled_gray
from pdfbatch.documents.pdf.mupdf import pymupdf


@pytest.fixture(scope="module")
def network() -> bytes:
    layout_model()
    return (Path(pymupdf.layout.__file__).parent / NETWORK).read_bytes()


def picture(height: int, width: int) -> np.ndarray:
    """Return paper with bars on it, like lines of text from afar."""
    random = np.random.default_rng(height)
    page = np.full((height, width, 3), 255, np.uint8)
    for top in range(40, height - 40, 12):
        page[top : top + 7, 30 : int(random.integers(40, width))] = random.integers(0, 200, 3)
    return page


@pytest.mark.parametrize(("height", "width"), [(842, 595), (595, 842), (300, 300), (120, 2000), (5, 5)])
def test_the_lighter_network_gives_the_same_numbers(network: bytes, height: int, width: int) -> None:
    page = picture(height, width)
    theirs = pymupdf.layout.onnx.ImageFeatureExtractorV1.ImageFeatureExtractorV1(onnxruntime.InferenceSession(network))
    ours = PictureNetwork(network)
    theirs.predict(page)
    ours.predict(picture(width, height))  # it must leave nothing behind
    ours.predict(page)
    maps = np.concatenate([np.moveaxis(one, 2, 0) for one in ours.get_feature_map().maps])
    assert np.allclose(theirs.get_feature_map()[0], maps, atol=1e-4)
    logits = ours.get_class_logits()
    assert logits is not None
    assert np.allclose(theirs.get_class_logits(), logits, atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(842, 595), (792, 612), (299, 301), (7, 3), (1, 1)])
def test_a_picture_is_shrunk_bit_for_bit_as_pymupdf_does(height: int, width: int) -> None:
    layout_model()
    tools = pymupdf.layout.common_util
    page = np.random.default_rng(width).integers(0, 256, (height, width, 3)).astype(np.uint8)
    gray = tools.to_gray(tools.resize_image(page, (300, 300))).astype(np.float32)
    spread = max(float(gray.max() - gray.min()), 1.0)
    assert np.array_equal(scaled_gray(page, 300), (gray - gray.min()) / np.float32(spread))


@pytest.mark.parametrize(("height", "width"), [(842, 595), (360, 300), (41, 2000), (7, 3), (1, 1)])
def test_a_table_is_resized_bit_for_bit_as_pymupdf_does(height: int, width: int) -> None:
    layout_model()
    page = np.random.default_rng(width).integers(0, 256, (height, width, 3)).astype(np.uint8)
    assert np.array_equal(resized(page, (300, 360)), pymupdf.layout.common_util.resize_image(page, (300, 360)))
    assert pymupdf.layout.onnx.TableGridExtractorV2.resize_image is resized


def test_the_model_in_use_has_the_lighter_network() -> None:
    assert isinstance(layout_model().feature_extractor, PictureNetwork)


def test_the_table_network_in_use_finds_the_same_borders() -> None:
    tables = layout_model().table_grid_extractor
    theirs = type(tables)(tables.grid_onnx_path, conn_onnx_path=None)
    given = np.random.default_rng(5).random((1, 3, tables._input_h, tables._input_w)).astype(np.float32)
    found, expected = (one._grid_sess.run(None, {"image": given}) for one in (tables, theirs))
    assert tables._grid_sess.get_session_options().enable_cpu_mem_arena
    assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("boxes", [2, 30, MOST_BOXES + 1])
def test_the_layout_network_in_use_groups_boxes_as_pymupdf_does(boxes: int) -> None:
    model = layout_model()
    random = np.random.default_rng(boxes)
    theirs = onnxruntime.InferenceSession(model.model_path)
    sizes = {"num_nodes": boxes, "num_edges": 2 * boxes}
    given: dict[str, np.ndarray] = {}
    for asked in theirs.get_inputs():
        shape = [sizes.get(side, side) for side in asked.shape]
        given[asked.name] = random.random(shape).astype(np.float32)
    given["edge_index"] = random.integers(0, boxes, (2, 2 * boxes))
    given |= {"k": np.array(min(boxes, 20)), "batch": np.zeros(boxes, np.int64)}
    given = {name: value for name, value in given.items() if name in [one.name for one in theirs.get_inputs()]}
    for found, expected in zip(model.session.run(None, given), theirs.run(None, given), strict=True):
        assert np.allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("model", [b"", b"\x3a\x00", b"\x08\x0a"])
def test_another_grouping_network_is_refused(model: bytes) -> None:
    with pytest.raises(UnknownNetwork):
        lighter_grouping(model)


def test_the_picture_network_is_no_grouping_network(network: bytes) -> None:
    with pytest.raises(UnknownNetwork):
        lighter_grouping(network)


def test_a_message_is_written_as_it_was_read(network: bytes) -> None:
    assert bytes_of(fields_of(network)) == network


@pytest.mark.parametrize("model", [b"", b"\x3a\x00", b"\x08\x0a"])
def test_another_network_is_refused(model: bytes) -> None:
    with pytest.raises(UnknownNetwork):
        lighter(model)


def test_a_network_cut_short_is_refused(network: bytes) -> None:
    with pytest.raises(UnknownNetwork):
        lighter(network[: len(network) // 2][:-3])
