"""Read one page: by its text layer if that is healthy, otherwise by OCR. Runs in a child process."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from pdfbatch.documents.forms import shell_page
from pdfbatch.documents.layout.elements import elements_of
from pdfbatch.documents.layout.figures import FIGURE_DPI, with_figures
from pdfbatch.documents.layout.plain import plain_regions
from pdfbatch.documents.layout.regions import load_model, regions_of
from pdfbatch.documents.page_read import PageRead
from pdfbatch.documents.pdf.attachments import attachment_note
from pdfbatch.documents.pdf.cut_pictures import cut_picture
from pdfbatch.documents.pdf.damage import damage_of, lost_picture, take_warnings
from pdfbatch.documents.pdf.document_cache import forget, give_back_memory, open_page
from pdfbatch.documents.pdf.failures import TooLarge, detail_of, reason_of
from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.pdf.path_guard import has_too_many_paths
from pdfbatch.documents.pdf.silence import silenced
from pdfbatch.documents.pdf.upright import Pose, UprightPage, pose_of
from pdfbatch.documents.sight.sight import MISREAD, UNREAD, Sight, complete, look_for_hidden
from pdfbatch.documents.signals import layer_signals, with_reading
from pdfbatch.documents.sorting import Sorting
from pdfbatch.documents.textlayer.health import Health, health_of, mostly_hidden
from pdfbatch.documents.textlayer.lines import RAW_FLAGS, Line, lines_of, median_size
from pdfbatch.documents.textlayer.repairs import repaired
from pdfbatch.documents.textlayer.spans import blocks_of
from pdfbatch.documents.textlayer.words import doubled, kept_enough, words_of
from pdfbatch.records import Box, Element, Label, PageResult, Reason, Signals, TriageVerdict, plain_text

OCR_DPI = 200
NEARLY_ALL = 0.95
"""Share of the words read line by line that OCR of the whole page must also find to be preferred: it detects headings
and tables."""
MOST_LINES = 3000
"""More lines take too long, because the layout model compares every line of a page with every other."""


def warm() -> None:
    """Import what reading needs and create the sessions, so that a fork of this process starts at once."""
    with silenced():
        load_model()


def read_page(path: str, number: int, sorting: Sorting = Sorting(), attempt: int = 0) -> PageRead:  # noqa: B008
    """Read page `number` (from 1) of the document at `path`. Every failure becomes the result's reason. Prints nothing.

    A page with an untrusted layer that `sorting` does not want read here ends with `needs_ocr`, to be read by another
    engine. What a good layer merely lacks, such as text in a figure, is always read by OCR.

    From `attempt` 1 on, text is read without the layout model, and images at half the resolution. From 2 on no images
    are read, and the page is never drawn.
    """
    began = time.perf_counter()
    warm()
    with silenced():
        try:
            document, page = open_page(path, number)
            take_warnings()  # discard warnings of earlier pages
            shell = shell_page(document, number)
            read = PageRead(shell) if shell else sorting.sorted(_read(page, number, sorting, attempt))
            if number == 1 and (note := attachment_note(document)):
                flags = [*read.page.flags, "attachments"]
                detail = read.page.detail or note
                read = read._replace(page=read.page.model_copy(update={"flags": flags, "detail": detail}))
        except Exception as error:
            forget(path)
            read = PageRead(PageResult(number=number, reason=reason_of(error), detail=detail_of(error)))
        give_back_memory(at_once=read.page.read_by != "text")  # pages read otherwise had big images
    seconds = round(time.perf_counter() - began, 3)
    return read._replace(page=read.page.model_copy(update={"seconds": seconds}))


class _Layer(NamedTuple):
    """The text page of a page, in unrotated space, and its lines."""

    textpage: pymupdf.TextPage
    lines: list[Line]


def _read(page: pymupdf.Page, number: int, sorting: Sorting, attempt: int) -> PageRead:
    textpage = page.get_textpage(flags=RAW_FLAGS)
    warnings = take_warnings()
    lines = lines_of(blocks_of(textpage))
    lost = damage_of(page, warnings, shows_nothing=not lines and not page.get_bboxlog())
    if attempt and (lines or attempt > 1):
        read = _read_plainly(page, number, Sight(lines))
    else:
        read = _read_lines(page, number, sorting, _Layer(textpage, lines), OCR_DPI // 2 if attempt else OCR_DPI)
    warnings = take_warnings()
    lost = lost or cut_picture(page, warnings) or ("" if read.page.elements else lost_picture(warnings))
    # What could be read of a damaged page is kept beside its reason.
    if not lost:
        return read
    read_by = read.page.read_by if read.page.elements else ""
    damaged = {"reason": Reason.CORRUPT, "detail": lost, "read_by": read_by}
    return read._replace(page=read.page.model_copy(update=damaged))


def _read_plainly(page: pymupdf.Page, number: int, sight: Sight) -> PageRead:
    """Return the text layer as it is, without looking at the page's picture."""
    if not sight.lines:
        blank = _result(page, number, page.rotation, read_by="blank")
        return _needs_ocr(number) if page.get_bboxlog() else PageRead(blank)
    return _read_layer(page, number, sight, Health.HIDDEN)


def _read_lines(page: pymupdf.Page, number: int, sorting: Sorting, layer: _Layer, dpi: int) -> PageRead:
    if has_too_many_paths(page) and layer.lines:
        return _read_plainly(page, number, Sight(layer.lines))
    sight = _look(page, layer)
    lines = sight.lines
    health = health_of(page, lines)
    if health is Health.BLANK:
        hidden = _concealed(sight, UprightPage(page, Pose(page.rotation)))
        return PageRead(_result(page, number, page.rotation, hidden, read_by="blank"))
    is_scan = health in (Health.PICTURE, Health.DOUBTFUL)
    if sight.look and not is_scan:
        sight = complete(page, sight, painted=health is Health.GOOD)
    is_scan = is_scan or sight.is_stamped_picture
    needs_picture = is_scan or not {MISREAD, UNREAD}.isdisjoint(sight.flags)
    signals = layer_signals(page, sight, health, needs_picture)
    if needs_picture and (decision := sorting.before_ocr(signals)).is_left:
        return _needs_ocr(number, signals, decision.verdict)
    if is_scan:
        read = _read_picture(page, number, replace(sight, lines=[]) if health is Health.PICTURE else sight, dpi)
    else:
        read = _read_layer(page, number, sight, health)
    return read._replace(page=read.page.model_copy(update={"signals": with_reading(signals, read.page)}))


def _look(page: pymupdf.Page, layer: _Layer) -> Sight:
    try:
        return look_for_hidden(page, layer.textpage, layer=layer.lines)
    except TooLarge:  # health.py and the OCR handle such pages
        return Sight(layer.lines)


def _read_picture(page: pymupdf.Page, number: int, sight: Sight, dpi: int) -> PageRead:
    """Read the page by OCR. `sight` has the lines of a doubtful layer, or lines of a picture read one by one: they are
    used if they hold more words than OCR of the whole page finds."""
    lines = sight.lines
    try:
        from pdfbatch.documents.ocr.page import read_scan
        from pdfbatch.documents.ocr.scan import available
    except ImportError:  # OpenCV, which comes with rapidocr, is missing
        return _needs_ocr(number)
    if not available():
        return _needs_ocr(number)
    scan = read_scan(page, number, dpi)
    known = words_of(_text(lines)).total() * (NEARLY_ALL if sight.is_stamped_picture else 1.0)
    if lines and known > _words(scan.elements).total():
        return _read_layer(page, number, sight, Health.HIDDEN if mostly_hidden(lines) else Health.GOOD)
    turn = (page.rotation + scan.turned) % 360
    result = _result(
        page,
        number,
        turn,
        [*scan.elements, *_concealed(sight, UprightPage(page, Pose(turn)))],
        read_by="ocr",
        score=scan.confidence,
        flags=["ocr_turned"] if scan.turned else [],
    )
    return PageRead(result, scan.figures)


def _needs_ocr(number: int, signals: Signals | None = None, verdict: TriageVerdict | None = None) -> PageRead:
    detail = "its text is in an image; install rapidocr and onnxruntime to read it"
    page = PageResult(number=number, reason=Reason.NEEDS_OCR, detail=detail, signals=signals, triage=verdict)
    return PageRead(page)


def _read_layer(page: pymupdf.Page, number: int, sight: Sight, health: Health) -> PageRead:
    """Read the text layer with the layout model, or without it if it cannot help or loses words."""
    lines = sight.lines
    layer = words_of(_text(repaired(lines)))
    pose = pose_of((line.pose, len(line.text)) for line in lines)
    view = UprightPage(page, pose, median_size(lines), sight.seen)
    more = sight.lines_read(view.matrix, pose.turn)
    if health is Health.GOOD and len(lines) <= MOST_LINES:
        elements = elements_of(regions_of(view, more))
        if not _faults(elements, layer):
            return _layer_read(page, number, view, elements, "text", sight, layer)
    elements = elements_of(plain_regions(view, more))
    return _layer_read(page, number, view, elements, "plain", sight, layer)


def _layer_read(
    page: pymupdf.Page,
    number: int,
    view: UprightPage,
    elements: Sequence[Element],
    read_by: str,
    sight: Sight,
    layer: Counter[str],
) -> PageRead:
    named, figures = with_figures(elements, number, 0, lambda box: view.draw(box, FIGURE_DPI))
    placed = [element.model_copy(update={"box": _placed(element.box, view.scale)}) for element in named]
    out = _words(elements)
    kept = (layer & out).total() / layer.total() if layer.total() else 1.0
    unknown = _unknown(elements)
    result = _result(
        page,
        number,
        view.turn,
        [*placed, *_concealed(sight, view)],
        read_by=read_by,
        score=round(sight.score(kept) * (1 - unknown), 2),
        flags=sight.flags + _faults(elements, layer) + ["letters_unknown"] * (unknown > 0),
    )
    return PageRead(result, figures)


def _unknown(elements: Sequence[Element]) -> float:
    """Return the share of words with a letter unknown to the layer, 0 to 1."""
    words = [word for element in elements for word in element.text.split()]
    return sum("\ufffd" in word for word in words) / max(len(words), 1)


def _concealed(sight: Sight, view: UprightPage) -> list[Element]:
    """Return the text that no viewer shows, each element flagged with the reason."""
    return [
        Element(
            label=Label.PARAGRAPH,
            box=_placed(tuple(pymupdf.Rect(line.box) * view.matrix), view.scale),
            spans=plain_text(line.text),
            flags=[line.concealed],
        )
        for line in sight.concealed
        if line.text.strip()
    ]


def _placed(box: Box, scale: float) -> Box:
    x0, y0, x1, y1 = (round(place / scale, 1) for place in box)
    return (x0, y0, x1, y1)


def _result(
    page: pymupdf.Page,
    number: int,
    rotation: int,
    elements: Sequence[Element] = (),
    read_by: str = "",
    score: float = 1.0,
    flags: Sequence[str] = (),
) -> PageResult:
    """Build the result. `rotation`: how far the page's unrotated space is turned clockwise to stand upright."""
    turned = (rotation - page.rotation) % 180 == 90
    width, height = (page.rect.height, page.rect.width) if turned else (page.rect.width, page.rect.height)
    return PageResult(
        number=number,
        width=round(width, 1),
        height=round(height, 1),
        rotation=rotation,
        read_by=read_by,
        score=score,
        flags=list(flags),
        elements=list(elements),
    )


def _faults(elements: Sequence[Element], layer: Counter[str]) -> list[str]:
    """List what is wrong with the elements' words compared with the layer's."""
    out = _words(elements)
    faults = []
    if not kept_enough(layer, out):
        faults.append("words_lost")
    if doubled(layer, out):
        faults.append("words_doubled")
    return faults


def _words(elements: Sequence[Element]) -> Counter[str]:
    return words_of("\n".join(element.text for element in elements))


def _text(lines: list[Line]) -> str:
    return "\n".join(line.text for line in lines)
