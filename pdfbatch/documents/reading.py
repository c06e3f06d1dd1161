"""Read one page: by its text layer where that is healthy, by OCR where it is not. Runs in a child process."""

from __future__ import annotations

import time
from collections import Counter

from pdfbatch.documents.layout.furniture import body_of
from pdfbatch.documents.layout.markdown import page_markdown
from pdfbatch.documents.layout.plain import plain_regions
from pdfbatch.documents.layout.regions import Region, load_model, regions_of
from pdfbatch.documents.pdf.document_cache import forget, give_back_memory, open_document
from pdfbatch.documents.pdf.failures import detail_of, reason_of
from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.pdf.path_guard import has_too_many_paths
from pdfbatch.documents.pdf.raster import TooLarge
from pdfbatch.documents.pdf.silence import silenced
from pdfbatch.documents.pdf.upright import UprightPage, pose_of
from pdfbatch.documents.sight.sight import Sight, complete, look_for_hidden
from pdfbatch.documents.textlayer.health import Health, health_of, mostly_hidden
from pdfbatch.documents.textlayer.lines import RAW_FLAGS, Line, lines_of, median_size
from pdfbatch.documents.textlayer.words import doubled, kept_enough, words_of, words_of_markdown
from pdfbatch.records import PageResult, ReadOptions, Reason

MOST_LINES = 3000
"""The layout model compares every line of a page with every other."""


def warm() -> None:
    """Import what reading needs and make the sessions, so that a fork of this process starts at once."""
    with silenced():
        load_model()


def read_page(path: str, number: int, options: ReadOptions, ocr: bool = True) -> PageResult:
    """Page `number` (from 1) of the PDF at `path`. Every failure becomes the result's reason; prints nothing."""
    began = time.perf_counter()
    warm()
    with silenced():
        try:
            result = _read(open_document(path)[number - 1], number, options, ocr)
        except Exception as error:
            forget(path)
            result = PageResult(number=number, reason=reason_of(error), detail=detail_of(error))
        give_back_memory(at_once=result.read_by != "text")  # pages with big pictures
    return result.model_copy(update={"seconds": round(time.perf_counter() - began, 3)})


def _read(page: pymupdf.Page, number: int, options: ReadOptions, ocr: bool) -> PageResult:
    sight = _look(page, ocr)
    lines = sight.lines
    health = health_of(page, lines)
    if health is Health.BLANK:
        return PageResult(number=number, read_by="blank")
    if health in (Health.PICTURE, Health.DOUBTFUL):
        if not ocr:
            return _needs_ocr(number)
        return _read_picture(page, number, options, sight if health is Health.DOUBTFUL else Sight())
    if health is Health.GOOD and sight.look:
        sight = complete(page, sight)
    return _read_layer(page, number, options, sight, health)


def _look(page: pymupdf.Page, ocr: bool) -> Sight:
    textpage = page.get_textpage(flags=RAW_FLAGS)
    try:
        return look_for_hidden(page, textpage, ocr)
    except TooLarge:  # health.py and the OCR know what to do with such
        return Sight(lines_of(textpage.extractDICT()["blocks"]))


def _read_picture(page: pymupdf.Page, number: int, options: ReadOptions, sight: Sight) -> PageResult:
    """By OCR; `sight` has a doubtful layer's lines, used if they hold more words than OCR finds."""
    lines = sight.lines
    try:
        from pdfbatch.documents.ocr.scan import available, read_scan
    except ImportError:  # OpenCV, which comes with rapidocr
        return _needs_ocr(number)
    if not available():
        return _needs_ocr(number)
    scan = read_scan(page, options.keep_headers)
    if lines and words_of(_text(lines)).total() > words_of_markdown(scan.markdown).total():
        return _read_layer(page, number, options, sight, Health.HIDDEN if mostly_hidden(lines) else Health.GOOD)
    flags = ["ocr_turned"] if scan.turned else []
    return PageResult(number=number, markdown=scan.markdown, read_by="ocr", flags=flags)


def _needs_ocr(number: int) -> PageResult:
    detail = "its text is in a picture; install rapidocr and onnxruntime to read it"
    return PageResult(number=number, reason=Reason.NEEDS_OCR, detail=detail)


def _read_layer(page: pymupdf.Page, number: int, options: ReadOptions, sight: Sight, health: Health) -> PageResult:
    """With the layout model where it can help; the plainer way where it cannot, or where words were lost with it."""
    lines = sight.lines
    layer = words_of(_text(lines))
    pose = pose_of((line.pose, len(line.text)) for line in lines)
    view = UprightPage(page, pose, median_size(lines), sight.blocks)
    more = sight.lines_read(view.matrix, pose.turn)
    if health is Health.GOOD and len(lines) <= MOST_LINES and not has_too_many_paths(page):
        markdown, faults = _checked(regions_of(view, more), options, layer)
        if not faults:
            return PageResult(number=number, markdown=markdown, read_by="text", flags=sight.flags)
    markdown, faults = _checked(plain_regions(view, more), options, layer)
    return PageResult(number=number, markdown=markdown, read_by="plain", flags=sight.flags + faults)


def _checked(regions: list[Region], options: ReadOptions, layer: Counter[str]) -> tuple[str, list[str]]:
    """The Markdown and what is wrong with it; what was dropped on purpose is not lost."""
    body, dropped = (regions, []) if options.keep_headers else body_of(regions)
    markdown = page_markdown(body)
    out = words_of_markdown(markdown)
    faults = []
    if not kept_enough(layer, out + words_of_markdown(page_markdown(dropped))):
        faults.append("words_lost")
    if doubled(layer, out):
        faults.append("words_doubled")
    return markdown, faults


def _text(lines: list[Line]) -> str:
    return "\n".join(line.text for line in lines)
