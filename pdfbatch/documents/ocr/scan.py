"""Read a scanned page with RapidOCR: draw it, turn it upright, find its lines, read them.

RapidOCR's models are inside its wheel, so nothing is downloaded. The layout model turns the lines into columns,
paragraphs, headings and tables: it sees them on a page made for it, see searchable.py.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import logging
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pdfbatch.documents.ocr import orientation
from pdfbatch.documents.ocr.decode import decode
from pdfbatch.documents.ocr.denormal_weights import without_denormals
from pdfbatch.documents.ocr.orientation import Boxes, line_height
from pdfbatch.documents.ocr.pale import pale_rest, range_of, spread
from pdfbatch.documents.ocr.remembered import Remembered
from pdfbatch.documents.ocr.searchable import OcrLine
from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.pdf.raster import INK_CONTRAST, POINTS_PER_INCH, Pixels, Tile, ink_box, own_dpi, tiles

DPI = 200
SMALL_PAGE = 1600
"""Pixels of the longer side below which a page is drawn at its image's own resolution, if that is higher."""
SEARCH_SIDES = (1280, 1920)
"""Pixels of the longer side of the picture in which lines are searched; the next larger is used if the print is too
small for one. Time and memory grow with the square: 1.5 s and 0.25 GB, 3 s and 0.5 GB. Lines are read from the full
picture."""
TURN_SIDE = 736
"""Pixels of the longer side of the picture in which lines are searched only to see which way they run."""
SMALL_PRINT = 18.5
"""Median height of lines' boxes, in pixels of the searched picture, below which a larger one is searched. On a coarse
map the boxes are too wide for small print: on a page of 7-point tables 17 px found 89 % of the words, 21 px 98 %."""
MIN_SURE = 0.5
MIN_SURE_SCRAP = 0.8
"""Results with lower confidence are dropped: specks, rules and pieces of pictures. A scrap has three letters or
fewer."""
MIN_SURE_PALE = 0.8
"""The same for a pale picture, which may be print showing through from the back of the paper."""
MOST_MIRRORED = 8
"""Lines of a pale picture that are also read mirrored."""

CATALOGUE = "default_models.yaml"

NO_BOXES = np.zeros((0, 4, 2), np.float32)

_boxes_found: Remembered[Boxes] = Remembered(64)
_lines_read: Remembered[tuple[str, float]] = Remembered(4096)


@dataclass(frozen=True)
class Reading:
    """An upright picture of `scale` pixels per point, the lines on it, and how far it was turned clockwise in degrees.

    `clip` is the part of the page that it shows: left, top, right, bottom in points of the page before that turn.
    """

    pixels: Pixels
    scale: float
    lines: list[OcrLine]
    turned: int
    clip: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


def available() -> bool:
    """Check whether this installation can read scans. Loads nothing."""
    return len(_models()) == 2


def load() -> None:
    """Create RapidOCR's sessions if it is installed: most of a second the first time, nothing after."""
    if available():
        _engine()


def read_pieces(page: pymupdf.Page, dpi: float = DPI) -> Iterator[Reading]:
    """Read the page in one piece, or a long strip in several from its top (or left), with each line in one of them."""
    turned = None
    for tile in tiles(page, _dpi(page) * dpi / DPI):
        reading = read_picture(tile.raster.pixels, tile.raster.scale, turned)
        if reading.lines:
            turned = reading.turned
        lines = [line for line in reading.lines if _belongs(line, reading, tile)]
        yield replace(reading, lines=lines, clip=tuple(tile.raster.clip))


def _belongs(line: OcrLine, reading: Reading, tile: Tile) -> bool:
    """Check whether the middle of a line is in the part of the strip that belongs to this tile."""
    height, width = reading.pixels.shape[:2]
    left, top, right, bottom = line.box
    down = tile.tall != (reading.turned % 180 == 90)
    middle, length = ((top + bottom) / 2, height) if down else ((left + right) / 2, width)
    along = length - middle if _is_backwards(tile.tall, reading.turned) else middle
    start = tile.raster.clip.y0 if tile.tall else tile.raster.clip.x0
    return tile.first <= start + along / reading.scale < tile.last or tile.whole


def runs_backwards(page: pymupdf.Page, turned: int) -> bool:
    """Check whether the last piece of a strip must be read first."""
    return _is_backwards(page.rect.height >= page.rect.width, turned)


def _is_backwards(tall: bool, turned: int) -> bool:
    """Check whether a strip's top (or left) comes last when it is turned clockwise by `turned` degrees."""
    return turned in ((90, 180) if tall else (180, 270))


def _dpi(page: pymupdf.Page) -> float:
    longest = max(page.rect.width, page.rect.height, 1.0) / POINTS_PER_INCH
    return max(DPI, min(own_dpi(page), SMALL_PAGE / longest)) if longest * DPI < SMALL_PAGE else DPI


def read_picture(pixels: Pixels, scale: float, turned: int | None = None) -> Reading:
    """Find and read the lines of a picture of `scale` pixels per point, turned clockwise by `turned` degrees, or until
    it is upright. The contrast of a pale picture is stretched first."""
    shades = range_of(pixels)
    if not shades.is_pale:
        return _with_pale_lines(_read_picture(pixels, scale, turned))
    reading = _read_picture(spread(pixels, shades), scale, turned)
    return replace(reading, lines=_of_this_side(reading))


def _with_pale_lines(reading: Reading) -> Reading:
    """Add to the reading of a picture with ordinary ink the lines that were too pale to be found beside it."""
    rest = pale_rest(reading.pixels, [line.box for line in reading.lines])
    if rest is None:
        return reading
    pale = _of_this_side(_read_picture(rest, reading.scale, 0 if reading.lines else None))
    return replace(reading, lines=reading.lines + pale)


def _of_this_side(reading: Reading) -> list[OcrLine]:
    """Return the confidently read lines of a pale picture, none if they show through from the back of the paper."""
    lines = [line for line in reading.lines if line.sure >= MIN_SURE_PALE]
    return [] if _shows_through(reading.pixels, lines) else lines


def _shows_through(pixels: Pixels, lines: Sequence[OcrLine]) -> bool:
    """Check whether the lines show through from the back of the paper: their mirror image is read with more
    confidence."""
    asked = sorted(lines, key=lambda line: -len(line.text))[:MOST_MIRRORED]
    boxes = [tuple(max(0, round(place)) for place in line.box) for line in asked]
    crops = [pixels[top:bottom, left:right] for left, top, right, bottom in boxes]
    straight, mirrored = (sum(sure for _, sure in _read(some)) for some in (crops, [crop[:, ::-1] for crop in crops]))
    return mirrored > straight


def turn_of(pixels: Pixels) -> int:
    """Return how far a picture must be turned clockwise for its print to run to the right, in degrees; 0 if it shows
    none. Looks at few lines of a small picture: half a second."""
    area = ink_box(pixels)
    if area is None:
        return 0
    left, top, right, bottom = area
    boxes = _find_at(pixels[top:bottom, left:right], TURN_SIDE) + np.array([left, top], np.float32)
    return orientation.find_turn(pixels, boxes, _confidences, lambda some: _crops(pixels, some))


def _read_picture(pixels: Pixels, scale: float, turned: int | None) -> Reading:
    boxes = _find(pixels) if not turned else NO_BOXES
    if turned is None:
        turned = orientation.find_turn(pixels, boxes, _confidences, lambda some: _crops(pixels, some))
    upright = orientation.turn(pixels, turned)
    boxes = _find(upright) if turned else boxes
    slope = orientation.skew(boxes)
    if orientation.is_crooked(slope):
        upright = orientation.level(upright, slope)
        boxes = _find(upright)
    return Reading(upright, scale, [line for line in _lines(upright, boxes) if is_text(line)], turned)


def _lines(pixels: Pixels, boxes: Boxes) -> list[OcrLine]:
    """Read the boxes. A box taller than wide holds a line that runs up or down: it is read both ways."""
    crops = _crops(pixels, boxes)
    lines = []
    for box, crop, (text, sure) in zip(boxes, crops, _read(crops), strict=True):
        line = OcrLine(_narrow(text), sure, _fitted(crop, box))
        if orientation.stands_tall(box):
            ((other, other_sure),) = _read([orientation.turn(crop, 180)])
            down = OcrLine(_narrow(other), other_sure, _around(box), 90)
            line = down if other_sure > sure else line._replace(box=_around(box), turn=270)
        lines.append(line)
    return lines


def _crops(pixels: Pixels, boxes: Boxes) -> list[Pixels]:
    return list(_engine().crop_text_regions(pixels, boxes))


def is_text(line: OcrLine) -> bool:
    """Decide whether a line is text rather than a speck, a rule or a piece of a picture."""
    letters = sum(c.isalnum() for c in line.text)
    if letters == 0:
        return False
    return line.sure >= (MIN_SURE if letters > 3 else MIN_SURE_SCRAP)


def _fitted(crop: Pixels, box: npt.NDArray[np.float32]) -> tuple[float, float, float, float]:
    """Trim the paper at the box's ends, which the detector leaves; otherwise close columns would touch."""
    left, top, right, bottom = _around(box)
    gray = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.int16)
    inked = np.flatnonzero((np.abs(gray - int(np.median(gray))) > INK_CONTRAST).any(axis=0))
    if len(inked) == 0:
        return left, top, right, bottom
    step = (right - left) / crop.shape[1]
    return left + int(inked[0]) * step, top, left + (int(inked[-1]) + 1) * step, bottom


def _narrow(text: str) -> str:
    """Replace full-width punctuation: the recogniser also knows Chinese, and mistakes some Latin punctuation for it."""
    if any("\u3040" <= c <= "\u9fff" or "\uac00" <= c <= "\ud7af" for c in text):
        return text
    return "".join(unicodedata.normalize("NFKC", c) if "\uff01" <= c <= "\uff5e" else c for c in text)


def _around(box: npt.NDArray[np.float32]) -> tuple[float, float, float, float]:
    left, top = box.min(axis=0).tolist()
    right, bottom = box.max(axis=0).tolist()
    return left, top, right, bottom


def _find(pixels: Pixels) -> Boxes:
    """Return the boxes of a picture's lines, from the top down."""
    area = ink_box(pixels)
    if area is None:
        return NO_BOXES
    left, top, right, bottom = area
    inked = pixels[top:bottom, left:right]
    longest = max(inked.shape[:2])
    boxes = NO_BOXES
    for side in SEARCH_SIDES:
        larger = _find_at(inked, side)
        if len(larger) < len(boxes):
            break
        boxes = larger
        if side >= longest or len(boxes) == 0 or line_height(boxes) * side / longest >= SMALL_PRINT:
            break
    return boxes + np.array([left, top], np.float32)


def _find_at(pixels: Pixels, side: int) -> Boxes:
    """Find lines in the picture shrunk to `side`; return boxes in pixels of the original."""
    shrink = min(1.0, side / max(pixels.shape[:2]))
    small = cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    return _boxes_found.of(small, _detect) / np.float32(shrink)


def _detect(pixels: Pixels) -> Boxes:
    found = _engine()(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), use_det=True, use_cls=False, use_rec=False).boxes
    return NO_BOXES if found is None else np.asarray(found, np.float32)


def _read(pieces: Sequence[Pixels]) -> list[tuple[str, float]]:
    """Return the text of pictures of one line each, and the confidence, 0 to 1. One at a time, because in a batch a
    line's text depends on its neighbours; batches are no faster here."""
    return [_lines_read.of(piece, _recognise) for piece in pieces]


def _confidences(pieces: Sequence[Pixels]) -> list[float]:
    return [sure for _, sure in _read(pieces)]


def _recognise(piece: Pixels) -> tuple[str, float]:
    read = _engine().recognize_txt([np.ascontiguousarray(piece[:, :, ::-1])])
    return read.txts[0], read.scores[0]


def read_crops(pieces: Sequence[Pixels]) -> list[tuple[str, float]]:
    """Return the text of pictures of one upright line each, and the confidence, 0 to 1."""
    return [(_narrow(text), sure) for text, sure in _read(pieces)]


class _Decoder:
    """Replaces RapidOCR's decoder, which loses spaces; its recogniser calls it with a batch of probabilities."""

    def __init__(self, signs: list[str]) -> None:
        self._signs = signs

    def __call__(self, batch: Any, *_: object, **__: object) -> tuple[list[tuple[str, float]], list[None]]:
        return [decode(steps, self._signs) for steps in batch], [None] * len(batch)


@functools.cache
def _engine() -> Any:
    """Create RapidOCR once per process: one thread, silent, with explicit models so that it never looks for others."""
    with _without_catalogue():
        from rapidocr import RapidOCR

    cv2.setNumThreads(1)
    logging.getLogger("RapidOCR").handlers.clear()
    models = _models()
    engine = RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,
            "Global.max_side_len": 100_000,  # the size was chosen when the picture was drawn
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            "EngineConfig.onnxruntime.enable_cpu_mem_arena": True,  # without it, a quarter of the time goes to malloc
            "Det.model_path": str(models["det"]),
            "Det.limit_type": "max",
            "Det.limit_side_len": 100_000,
            "Rec.model_path": str(models["rec"]),
        }
    )
    nothing = np.zeros((64, 64, 3), np.uint8)
    engine.recognize_txt([nothing])  # loads the recogniser
    engine(nothing, use_det=True, use_cls=False, use_rec=False)  # loads the detector
    engine.text_det.session.session = _session(models["det"])
    engine.text_rec.postprocess_op = _Decoder(engine.text_rec.postprocess_op.character)
    return engine


@contextmanager
def _without_catalogue() -> Iterator[None]:
    """While RapidOCR is imported, its list of models to download is empty: parsing it takes half a second, and it is
    only asked for models that are not named."""
    files: Any = importlib.import_module("omegaconf").OmegaConf
    load = files.load
    files.load = staticmethod(lambda path: files.create() if Path(path).name == CATALOGUE else load(path))
    try:
        yield
    finally:
        files.load = staticmethod(load)


def _session(path: Path) -> Any:
    """Create a session with weights that the processor handles quickly."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.enable_cpu_mem_arena = True
    model = without_denormals(path.read_bytes())
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


@functools.cache
def _models() -> dict[str, Path]:
    """Return the files of the detector (`det`) and the recogniser (`rec`) in the installed package; fewer if some are
    missing."""
    package = importlib.util.find_spec("rapidocr")
    if package is None or package.submodule_search_locations is None:
        return {}
    files = sorted((Path(package.submodule_search_locations[0]) / "models").glob("*.onnx"))
    return {kind: file for file in files for kind in ("det", "rec") if f"_{kind}_" in file.name}
