import os
import subprocess
import sys
from pathlib import Path

import pymupdf
import pytest

from pdfbatch.documents.reading import read_page
from pdfbatch.documents.sandbox.children import Children
from pdfbatch.documents.sorting import Sorting
from pdfbatch.documents.textlayer.lines import legible_lines_of, lines_of
from pdfbatch.documents.textlayer.words import words_of
from pdfbatch.records import PageResult, ReadOptions, Reason
from tests.documents.sample_pages import LINES, saved, scan_of, text_pdf, turned_pdf, write_lines
from tests.pages import markdown_of

CORPUS = Path(__file__).parents[3] / "shared" / "pdfs"
ONE_BLAS_THREAD = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
WORDS = words_of("\n".join(LINES))


def read(path: str, number: int = 1, ocr: bool = False) -> PageResult:
    return read_page(path, number, Sorting(ocr)).page


def words(result: PageResult) -> object:
    return words_of(result.text)


def test_a_healthy_page_keeps_every_word_once(tmp_path):
    result = read(text_pdf(tmp_path / "a.pdf"))
    assert (result.reason, result.read_by, result.flags) == (None, "text", [])
    assert words(result) == WORDS


def test_a_page_without_contents_is_blank(tmp_path):
    document = pymupdf.open()
    document.new_page()
    result = read(saved(document, tmp_path / "a.pdf"))
    assert (markdown_of(result), result.reason, result.read_by) == ("", None, "blank")


def test_a_page_painted_white_is_blank(tmp_path):
    document = pymupdf.open()
    page = document.new_page()
    page.draw_rect(page.rect, color=(1, 1, 1), fill=(1, 1, 1))
    assert read(saved(document, tmp_path / "a.pdf")).read_by == "blank"


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turned_pages_read_like_upright_ones(tmp_path, degrees):
    upright = text_pdf(tmp_path / "a.pdf")
    turned = turned_pdf(tmp_path / "turned.pdf", upright, degrees)
    assert markdown_of(read(turned)) == markdown_of(read(upright))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_pages_rotation_entry_changes_nothing(tmp_path, degrees):
    upright = text_pdf(tmp_path / "a.pdf")
    document = pymupdf.open(upright)
    document[0].set_rotation(degrees)
    assert markdown_of(read(saved(document, tmp_path / "turned.pdf"))) == markdown_of(read(upright))


def test_mirrored_text_is_read_in_order(tmp_path):
    document = pymupdf.open()
    page = document.new_page()
    height = page.rect.height
    for number, line in enumerate(LINES):
        point = pymupdf.Point(72, 100 + 16 * number)
        page.insert_text(point, line, fontsize=12, morph=(pymupdf.Point(0, height / 2), pymupdf.Matrix(1, -1)))
    markdown = markdown_of(read(saved(document, tmp_path / "a.pdf")))
    assert markdown.index("quick brown") < markdown.index("fourth line")


def test_a_note_in_the_margin_that_runs_upwards_is_kept(tmp_path):
    document = pymupdf.open()
    page = document.new_page()
    write_lines(page, LINES)
    page.insert_text((30, 500), "Downloaded from the archive", rotate=90)
    result = read(saved(document, tmp_path / "a.pdf"))
    assert words(result) == WORDS + words_of("Downloaded from the archive")
    assert markdown_of(result).endswith("\n\nDownloaded from the archive")


def test_a_scan_without_ocr_needs_ocr(tmp_path):
    document = scan_of(pymupdf.open(text_pdf(tmp_path / "a.pdf")))
    assert read(saved(document, tmp_path / "scan.pdf")).reason is Reason.NEEDS_OCR


def test_a_stamp_on_a_scan_is_not_taken_for_its_text(tmp_path):
    document = scan_of(pymupdf.open(text_pdf(tmp_path / "a.pdf")))
    document[0].insert_text((300, 30), "COPY 2024")
    assert read(saved(document, tmp_path / "scan.pdf")).reason is Reason.NEEDS_OCR


def many_lines() -> list[str]:
    return [LINES[number % 5] for number in range(36)]


def test_a_whole_hidden_layer_over_a_scan_is_used(tmp_path):
    source = pymupdf.open()
    write_lines(source.new_page(), many_lines())
    document = scan_of(source)
    write_lines(document[0], many_lines(), hidden=True)
    result = read(saved(document, tmp_path / "scan.pdf"))
    assert (result.reason, result.read_by) == (None, "plain")
    assert words(result) == words_of("\n".join(many_lines()))


def test_a_hidden_layer_of_half_the_scan_is_not_trusted(tmp_path):
    source = pymupdf.open()
    write_lines(source.new_page(), many_lines())
    document = scan_of(source)
    write_lines(document[0], many_lines()[:12], hidden=True)
    assert read(saved(document, tmp_path / "scan.pdf")).reason is Reason.NEEDS_OCR


def test_a_hidden_layer_of_misread_words_is_not_trusted(tmp_path):
    source = pymupdf.open()
    write_lines(source.new_page(), many_lines())
    document = scan_of(source)
    misread = [
        f"{line.replace('ed', 'e^d').replace('th', 't*h').replace('is', 'Is&')} {chr(97 + n)}eLLe{chr(97 + n)}r"
        for n, line in enumerate(many_lines()[:24])
    ]
    write_lines(document[0], misread + many_lines()[24:], hidden=True)
    assert read(saved(document, tmp_path / "scan.pdf")).reason is Reason.NEEDS_OCR


def test_text_under_a_picture_of_the_page_counts_as_hidden(tmp_path):
    source = pymupdf.open()
    write_lines(source.new_page(), many_lines())
    document = pymupdf.open()
    page = document.new_page()
    write_lines(page, many_lines())
    page.insert_image(page.rect, pixmap=source[0].get_pixmap(dpi=100))
    assert read(saved(document, tmp_path / "scan.pdf")).read_by == "plain"


def test_headers_are_dropped_unless_requested(tmp_path):
    document = pymupdf.open()
    page = document.new_page()
    write_lines(page, many_lines())
    page.insert_text((290, 820), "17", fontsize=9)
    path = saved(document, tmp_path / "a.pdf")
    assert not markdown_of(read(path)).endswith("17")
    assert "17" in markdown_of(read(path), ReadOptions(keep_headers=True))


def test_a_poster_is_read_as_if_it_were_small(tmp_path):
    document = pymupdf.open()
    page = document.new_page(width=14000, height=14000)
    for number, line in enumerate(LINES):
        page.insert_text((700, 1000 + 320 * number), line, fontsize=240)
    assert words(read(saved(document, tmp_path / "a.pdf"))) == WORDS


def test_a_page_with_too_many_paths_is_read_without_the_layout_model(tmp_path):
    document = pymupdf.open()
    page = document.new_page()
    write_lines(page, LINES)
    strokes = "\n".join(f"{n % 601} {n % 587} m {n % 599} {n % 577} l S" for n in range(60_000))
    xref = document.get_new_xref()
    document.update_object(xref, "<<>>")
    document.update_stream(xref, strokes.encode(), compress=False)
    document.xref_set_key(
        page.xref, "Contents", f"[{' '.join(f'{part} 0 R' for part in [*page.get_contents(), xref])}]"
    )
    result = read(saved(document, tmp_path / "a.pdf"))
    assert result.read_by == "plain"
    assert words(result) == WORDS


def test_a_missing_page_fails_alone(tmp_path):
    path = text_pdf(tmp_path / "a.pdf")
    assert read(path, 9).reason is not None
    assert read(path, 1).reason is None


def test_the_same_page_gives_the_same_bytes_whatever_was_read_before(tmp_path):
    upright = text_pdf(tmp_path / "a.pdf", pages=2)
    first = markdown_of(read(upright, 1))
    read(turned_pdf(tmp_path / "turned.pdf", upright, 90))
    read(upright, 2)
    assert markdown_of(read(upright, 1)) == first


def test_reading_prints_nothing(tmp_path, capfd):
    read(text_pdf(tmp_path / "a.pdf"))
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_no_inference_session_starts_threads_of_its_own():
    count = "import os; from pdfbatch.documents.reading import warm; warm(); print(len(os.listdir('/proc/self/task')))"
    alone = "import os, onnxruntime; print(len(os.listdir('/proc/self/task')))"
    # onnxruntime itself has one idle thread; numpy's are prevented by the environment, as in a real child process.
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code], env=ONE_BLAS_THREAD, capture_output=True, text=True, check=True
        ).stdout
        for code in (count, alone)
    ]
    assert outputs[0] == outputs[1]


def _read_in_child(path: str) -> str:
    return markdown_of(read(path))


@pytest.mark.slow
def test_children_forked_from_a_warm_server_read_the_same(tmp_path):
    path = text_pdf(tmp_path / "a.pdf")
    with Children(2, 4096) as children:
        told = [children.submit(60, _read_in_child, path) for _ in range(4)]
        assert {each.result() for each in told} == {markdown_of(read(path))}


@pytest.mark.skipif(not CORPUS.exists(), reason="the test PDFs are not here")
@pytest.mark.slow
def test_no_text_page_of_the_corpus_loses_words():
    for name, number in [
        ("pdfplumber__issue-848.pdf", 6),
        ("docling__invisible_text_layer.pdf", 1),
        ("unstructured__multi-column-2p.pdf", 1),
        ("pdfminer__zen_of_python_corrupted.pdf", 1),
    ]:
        result = read(str(CORPUS / name), number)
        layer = words_of(pymupdf.open(CORPUS / name)[number - 1].get_text())
        assert (result.reason, result.flags) == (None, []), name
        assert (layer & words(result)).total() >= 0.9 * layer.total(), name


def test_characters_without_a_meaning_are_dropped_but_counted():
    def span(text: str) -> dict[str, object]:
        return {
            "text": text,
            "bbox": (0, 0, 9, 9),
            "origin": (0, 8),
            "size": 9,
            "flags": 0,
            "char_flags": 16,
            "font": "F",
        }

    def block(text: str) -> dict[str, object]:
        return {"type": 0, "lines": [{"spans": [span(text)], "bbox": (0, 0, 9, 9), "dir": (1, 0)}]}

    blocks = [block("\ufffd 3×3 \ufffd\ufffd \ufffd of x\ufffd,\ufffd and e\ufffdort"), block("\ufffd\ufffd")]
    assert [line.text.strip() for line in legible_lines_of(blocks)] == ["3×3 of x, and e\ufffdort"]
    assert [line.broken for line in lines_of(blocks)] == [7, 2]
