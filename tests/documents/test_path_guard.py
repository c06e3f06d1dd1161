"""Drawings too large to draw in time are detected before they are drawn, and only their text is read."""

import zlib
from pathlib import Path

import pymupdf
import pytest

from pdfbatch.demo.raw import one_page, stream
from pdfbatch.documents.pdf.failures import TooLarge
from pdfbatch.documents.pdf.path_guard import has_too_many_paths, has_too_many_segments, refuse_endless
from pdfbatch.documents.reading import read_page
from samples import odd
from tests.hostile import traps

COUNT = 300_000
BOMBS = {
    "one path of lines": "0.1 w 10 10 m\n" + "".join(f"{n % 595} {n * 13 % 600} l\n" for n in range(COUNT)) + "S\n",
    "one path of curves": "".join(f"{n % 595} 1 m 1 2 3 4 5 6 c\n" for n in range(COUNT)) + "f*\n",
    "one path of rectangles": "".join(f"{n % 595} {n * 13 % 600} 1 1 re\n" for n in range(COUNT)) + "f\n",
    "one line again and again": "10 10 m " + "20 20 l\n" * COUNT + "S\n",
}
ORDINARY = {
    "text": odd.lines_at(),
    "a chart": "".join(f"{n} 100 m {n} {n % 97 + 100} l S\n" for n in range(2000)) + odd.lines_at(),
    "a long coast line": "10 10 m "
    + "".join(f"{n % 595} {n % 800} l\n" for n in range(50_000))
    + "S "
    + odd.lines_at(),
}


def drawing(content: str) -> bytes:
    packed = stream(zlib.compress(content.encode(), 9), "/Filter/FlateDecode")
    return one_page(odd.lines_at(), contents="[4 0 R 6 0 R]", more=(packed,))


@pytest.mark.parametrize("name", BOMBS)
def test_a_drawing_too_large_to_draw_gives_its_text_at_once(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(drawing(BOMBS[name]))
    page = read_page(str(path), 1).page
    assert (page.reason, page.read_by) == (None, "plain")
    assert odd.LINES[0] in page.text.replace("\n", " ")


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_drawing_is_drawn(name: str) -> None:
    assert not has_too_many_paths(pymupdf.open(stream=drawing(ORDINARY[name]))[0])


def test_a_missing_stream_counts_as_empty() -> None:
    assert not has_too_many_paths(pymupdf.open(stream=one_page("", contents="[4 0 R 66 0 R]"))[0])


def test_a_stream_that_many_pages_share_is_unpacked_once() -> None:
    document = pymupdf.open(stream=traps.a_bomb_shared_by_many_pages())
    known: dict[int, bool] = {}
    with pytest.raises(TooLarge):
        refuse_endless(document[0], known)
    [shared] = document[0].get_contents()
    document.update_stream(shared, b"q Q")
    with pytest.raises(TooLarge):
        refuse_endless(document[1], known)
    refuse_endless(document[1], {})


def test_segments_are_counted_by_path() -> None:
    assert not has_too_many_segments([b"0 0 m 1 1 l S\n" * 200_000])
    assert has_too_many_segments([b"0 0 m " + b"1 1 l " * 200_000 + b"S\n"])
    assert not has_too_many_segments([b"BT (1 1 l 1 1 l) Tj ET " * 1000])


@pytest.mark.parametrize("attempt", [1, 2])
def test_a_retry_reads_the_text_without_drawing_the_page(attempt: int, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(odd.text_page())
    page = read_page(str(path), 1, attempt=attempt).page
    assert (page.reason, page.read_by) == (None, "plain")
    assert odd.LINES[3] in page.text.replace("\n", " ")


@pytest.mark.slow
def test_retries_read_an_image_smaller_and_then_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(odd.scanned_page())
    again, last = (read_page(str(path), 1, attempt=attempt).page for attempt in (1, 2))
    assert (again.reason, again.read_by) == (None, "ocr")
    assert last.reason == "needs_ocr"


def test_a_blank_page_is_blank_however_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(odd.blank_page())
    assert [read_page(str(path), 1, attempt=attempt).page.read_by for attempt in range(3)] == ["blank"] * 3
