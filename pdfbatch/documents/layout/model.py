"""pymupdf's layout model, with sessions created here so that they cost less.

pymupdf creates them without a memory arena, so a third of the image network's time, half of the table network's and a
quarter of the layout network's goes to allocating memory from the kernel. The pictures all have one size, so an arena
cannot grow; pages differ, so the memory for a page with many boxes is freed.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from pdfbatch.documents.layout.box_features import (
    ChannelsLast,
    Floats,
    find_text_features,
    pooled,
    text_pattern,
)
from pdfbatch.documents.layout.lighter_grouping import lighter_grouping
from pdfbatch.documents.layout.lighter_network import UnknownNetwork, lighter
from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.pdf.raster import Pixels

NETWORK = "resources/onnx/feature_imf1.onnx"
MOST_BOXES = 400
"""Boxes of a page whose memory is kept for the next page: about 50 MB."""


@functools.cache
def layout_model() -> Any:
    """Create the model, once per process, in seconds. Its `predict(view, return_raw=True)` returns groups of lines."""
    pymupdf._get_layout = _predict  # otherwise pymupdf.layout creates its own sessions on import
    # before pymupdf4llm, which would import it in the middle of its own import
    maker = importlib.import_module("pymupdf.layout.onnx.BoxRFDGNN").BoxRFDGNN
    importlib.import_module("pymupdf4llm")  # changes how MuPDF measures glyphs
    path = Path(pymupdf.layout.__file__).parent / NETWORK
    try:
        with _sessions_made_by(_lighter_session):
            model = maker(imf_model_path="", use_sort=True)
        model.feature_extractor = PictureNetwork(path.read_bytes())
    except (OSError, UnknownNetwork):  # pymupdf has another version
        return maker(use_sort=True)
    # Names that pymupdf's modules look up at run time.
    pymupdf.layout.pymupdf_util_ext.extract_rf_features = find_text_features
    pymupdf.layout.onnx.BoxRFDGNN.extract_bbox_features_by_roi_pooling = pooled
    pymupdf.layout.onnx.BoxRFDGNN.get_text_pattern = text_pattern
    pymupdf.layout.onnx.TableGridExtractorV2.resize_image = resized
    return model


def _predict(*arguments: Any, **options: Any) -> Any:
    return layout_model().predict(*arguments, **options)


@contextmanager
def _sessions_made_by(make: Callable[..., Any]) -> Iterator[None]:
    """While pymupdf creates its model, the sessions of the layout and of the tables are made here instead of twice."""
    makers = [pymupdf.layout.onnx.BoxRFDGNN, pymupdf.layout.onnx.TableGridExtractorV2]
    theirs = [module.make_session for module in makers]
    for module in makers:
        module.make_session = make
    try:
        yield
    finally:
        for module, before in zip(makers, theirs, strict=True):
            module.make_session = before


def _lighter_session(path: str, providers: object = None) -> Any:  # noqa: ARG001 - as pymupdf calls it
    model = Path(path).read_bytes()
    return _session(model) if Path(path).name.startswith("table") else LayoutNetwork(lighter_grouping(model))


def _session(model: bytes) -> Any:
    """Create a session with an arena."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it would warn about each unused weight
    options.enable_cpu_mem_arena = True
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class LayoutNetwork:
    """Replaces the session of the network that groups boxes."""

    def __init__(self, model: bytes) -> None:
        import onnxruntime

        self._session = _session(model)
        self._giving_back = onnxruntime.RunOptions()
        self._giving_back.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")

    def run(self, names: Sequence[str] | None, given: dict[str, npt.NDArray[Any]]) -> Any:
        return self._session.run(names, given, self._giving_back if len(given["x"]) > MOST_BOXES else None)


class PictureNetwork:
    """Replaces pymupdf's ImageFeatureExtractorV1: the same numbers from the lighter network."""

    def __init__(self, model: bytes) -> None:
        """Load the network.

        Raises:
            UnknownNetwork: the model has an unknown structure.
        """
        made, self._names = lighter(model)
        self._session = _session(made)
        (given,) = self._session.get_inputs()
        self._input, self._size = given.name, int(given.shape[-1])
        self._maps: list[Floats] = []
        self._logits: Floats | None = None

    def predict(self, page_img: Pixels, aug_fetmap: None = None) -> None:  # noqa: ARG002
        """Process a page's picture, height x width x 3."""
        picture = scaled_gray(page_img, self._size)[np.newaxis, np.newaxis]
        *maps, self._logits = self._session.run([*self._names, "logits"], {self._input: picture})
        if not self._maps:
            self._maps = [np.empty((self._size, self._size, one.shape[1]), np.float32) for one in maps]
        for one, enlarged in zip(maps, self._maps, strict=True):
            small = np.ascontiguousarray(np.moveaxis(one[0], 0, 2))
            cv2.resize(small, (self._size, self._size), dst=enlarged, interpolation=cv2.INTER_LINEAR)

    def consume_cache(self) -> bool:
        return False

    def get_feature_map(self) -> ChannelsLast:
        """Return the feature map of the last picture; the next one overwrites it."""
        return ChannelsLast(self._maps)

    def get_class_logits(self) -> Floats | None:
        return self._logits


def scaled_gray(picture: Pixels, size: int) -> Floats:
    """Return the picture in `size` x `size` shades from 0 (darkest) to 1 (lightest), bit for bit as pymupdf makes them:
    on ambiguous pages the model's answers depend on a single shade."""
    blue, green, red = np.moveaxis(resized(picture, (size, size)).astype(np.float32), 2, 0)
    gray = (0.114 * blue + 0.587 * green + 0.299 * red).astype(np.uint8).astype(np.float32)
    low, high = gray.min(), gray.max()
    return np.asarray((gray - low) / (high - low) if high > low else np.zeros_like(gray), np.float32)


def resized(picture: Pixels, size: tuple[int, int]) -> Pixels:
    """Return the picture, height x width x 3, in a size of width x height. Equals pymupdf's `resize_image`."""
    rows, columns = _sampling(picture.shape[0], size[1]), _sampling(picture.shape[1], size[0])
    upper, lower = picture[rows.first], picture[rows.second]
    down, across = rows.share[:, np.newaxis, np.newaxis], columns.share[np.newaxis, :, np.newaxis]
    mixed = (1 - across) * (1 - down) * upper.take(columns.first, axis=1)
    mixed += across * (1 - down) * upper.take(columns.second, axis=1)
    mixed += (1 - across) * down * lower.take(columns.first, axis=1)
    mixed += across * down * lower.take(columns.second, axis=1)
    return np.clip(mixed, 0, 255).astype(np.uint8)


class _Sampling(NamedTuple):
    """For each pixel of the smaller side, the two source pixels and the weight of the second."""

    first: npt.NDArray[np.intp]
    second: npt.NDArray[np.intp]
    share: npt.NDArray[np.float64]


@functools.lru_cache(64)
def _sampling(length: int, size: int) -> _Sampling:
    place = (np.arange(size) + 0.5) * (length / size) - 0.5
    first = np.floor(place).astype(np.intp)
    second = np.clip(first + 1, 0, length - 1)
    return _Sampling(np.clip(first, 0, length - 1), second, place - first)
