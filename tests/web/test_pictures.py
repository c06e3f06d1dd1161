"""Pictures of pages for `view`: drawn in a confined child, upright, or a sentence that says why not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from pdfbatch.documents.judgement import AS_SHOWN, PagePicture
from pdfbatch.store import open_store
from pdfbatch.web.pictures import SIDE, Pictures, Wanted
from samples import odd


@pytest.fixture
def pdfs(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.fixture
def pictures(tmp_path: Path, loaded_children: None) -> Iterator[Pictures]:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with Pictures(scratch) as found:
        yield found


def wanted(pdfs: Path, key: str, rotation: int = AS_SHOWN, number: int = 1) -> Wanted:
    return Wanted(str(pdfs), key, "", number, rotation)


def as_read(pdfs: Path, key: str) -> Wanted:
    """Returns the first page of the version that lies there now."""
    store = open_store(str(pdfs))
    (entry,) = (entry for entry in store.list() if entry.key == key)
    return Wanted(str(pdfs), key, entry.etag, 1, AS_SHOWN, store.digest(key))


def shape(picture: PagePicture) -> tuple[int, int]:
    assert picture.data[8:12] == b"WEBP", picture.detail
    height, width = cv2.imdecode(np.frombuffer(picture.data, np.uint8), cv2.IMREAD_COLOR).shape[:2]
    return width, height


def test_a_page_is_drawn_once_and_turned_as_its_elements_are(pdfs: Path, pictures: Pictures) -> None:
    (pdfs / "a.pdf").write_bytes(odd.text_page())
    drawn = pictures.picture(wanted(pdfs, "a.pdf"))
    width, height = shape(drawn)
    assert height == SIDE > width
    assert pictures.picture(wanted(pdfs, "a.pdf")) is drawn
    assert shape(pictures.picture(wanted(pdfs, "a.pdf", rotation=90))) == (height, width)
    assert (pdfs / "a.pdf").read_bytes() == odd.text_page()


def test_what_cannot_be_drawn_says_why(pdfs: Path, pictures: Pictures) -> None:
    (pdfs / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing")
    (pdfs / "short.pdf").write_bytes(odd.text_page())
    assert "no longer in the input" in pictures.picture(wanted(pdfs, "gone.pdf")).detail
    for key, number in (("broken.pdf", 1), ("short.pdf", 99)):
        found = pictures.picture(wanted(pdfs, key, number=number))
        assert found.data == b"" and found.detail
    shape(pictures.picture(wanted(pdfs, "short.pdf")))


def test_a_page_is_drawn_only_from_the_version_that_was_read(pdfs: Path, pictures: Pictures) -> None:
    path = pdfs / "a.pdf"
    path.write_bytes(odd.text_page())
    read = as_read(pdfs, "a.pdf")
    path.write_bytes(odd.text_page() + b"\n")
    assert "has changed since" in pictures.picture(read).detail
    path.write_bytes(odd.text_page())  # the same content at another time
    shape(pictures.picture(read))


def test_a_page_that_takes_too_long_is_given_up(tmp_path: Path, pdfs: Path, loaded_children: None) -> None:
    (pdfs / "slow.pdf").write_bytes(odd.many_paths())
    (tmp_path / "scratch").mkdir()
    with Pictures(tmp_path / "scratch", seconds=0.01) as pictures:
        assert "killed" in pictures.picture(wanted(pdfs, "slow.pdf")).detail
