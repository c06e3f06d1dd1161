"""The samples are what they claim to be, so that a test that uses them tests the trouble it names."""

from __future__ import annotations

from pathlib import Path

import pymupdf
import pytest

from pdfbatch.demo.pdfs import DEMO, USER_PASSWORD, Sample, write_demo
from pdfbatch.records import Reason
from samples import odd
from samples.many import long_pdf, many_pdfs

READABLE = [sample for sample in DEMO if sample.outcome == "ok"]
TEXTS = [sample for sample in READABLE if "scan" not in sample.name]


@pytest.fixture(autouse=True)
def quiet_mupdf() -> None:
    pymupdf.TOOLS.mupdf_display_errors(False)
    pymupdf.TOOLS.mupdf_display_warnings(False)


def opened(data: bytes) -> pymupdf.Document:
    return pymupdf.open(stream=data)


def text_of(data: bytes) -> str:
    with opened(data) as document:
        return "\n".join(page.get_text() for page in document)


@pytest.mark.slow
def test_the_demo_set_is_written_whole_and_its_names_are_distinct(tmp_path: Path) -> None:
    paths = write_demo(tmp_path / "made")
    assert len({path.name for path in paths}) == len(DEMO)
    assert all(path.is_file() for path in paths)


@pytest.mark.parametrize(
    "sample", [s for s in DEMO if s.reason is not Reason.ENCRYPTED], ids=lambda sample: sample.name
)
def test_a_demo_file_is_the_same_each_time(sample: Sample) -> None:
    assert sample.make() == sample.make()


@pytest.mark.parametrize("sample", READABLE, ids=lambda sample: sample.name)
def test_a_readable_demo_file_has_the_pages_it_promises(sample: Sample) -> None:
    with opened(sample.make()) as document:
        assert document.page_count == sample.pages
        blank = {page.number + 1 for page in document if not page.get_text() and not page.get_images()}
    assert blank == set(sample.blank_pages)


@pytest.mark.parametrize("sample", TEXTS, ids=lambda sample: sample.name)
def test_the_phrases_of_a_text_file_are_on_its_pages(sample: Sample) -> None:
    text = " ".join(text_of(sample.make()).replace("-\n", "").split())
    missing = [phrase for phrase in sample.phrases if not phrase.startswith("|") and phrase not in text]
    assert missing == []
    assert all(phrase in text for phrase in sample.absent), "a header that is not there cannot be dropped"


def test_the_scans_have_no_text_layer_and_lie_as_they_should() -> None:
    scans = {sample.name: sample.make() for sample in READABLE if "scan" in sample.name}
    assert all(text_of(data) == "" for data in scans.values())
    with opened(scans["sideways-scan.pdf"]) as document:
        assert document[0].rotation == 180
        assert document[0].rect.width > document[0].rect.height


def test_the_paper_breaks_words_at_line_ends() -> None:
    paper = next(sample for sample in DEMO if sample.name == "two-column-paper.pdf")
    assert "elec-\n" in text_of(paper.make())


def test_the_broken_files_are_broken_in_their_own_ways() -> None:
    broken = {sample.reason: sample.make() for sample in DEMO if sample.reason}
    with opened(broken[Reason.ENCRYPTED]) as locked:
        assert locked.needs_pass
        assert locked.authenticate(USER_PASSWORD)
    with opened(broken[Reason.CORRUPT]) as cut:
        assert (cut.page_count, cut.is_repaired) == (0, True)
    with opened(broken[Reason.NO_PAGES]) as sound:
        assert (sound.page_count, sound.is_repaired) == (0, False)
    with opened(broken[Reason.NOT_A_PDF]) as page:
        assert not page.is_pdf
    assert broken[Reason.EMPTY_FILE] == b""


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_turned_text_keeps_its_words_and_runs_as_told(turn: int, rotate: int) -> None:
    with opened(odd.turned_text(turn, rotate)) as document:
        page = document[0]
        lines = [line for block in page.get_text("dict")["blocks"] for line in block["lines"]]
        assert " ".join(page.get_text().split()) == " ".join(odd.LINES)
    direction = {0: (1, 0), 90: (0, -1), 180: (-1, 0), 270: (0, 1)}[turn]  # on the sheet as it is without /Rotate
    assert {tuple(round(part) for part in line["dir"]) for line in lines} == {direction}


def test_the_layers_of_scans_are_what_they_claim() -> None:
    assert set(text_of(odd.garbled_layer())) == {"\ufffd", " ", "\n"}
    assert text_of(odd.hidden_layer()).split("\n")[:4] == list(odd.LINES)
    assert text_of(odd.stamp_only()) == "Downloaded on 3 May 2021\n"
    with opened(odd.hidden_layer()) as document:
        spans = document[0].get_texttrace()
    assert {span["type"] for span in spans} == {3}


def test_the_huge_ones_are_small_files() -> None:
    assert len(odd.huge_bitmap()) < 60_000
    assert len(odd.tall_page()) < 100_000
    with opened(odd.huge_bitmap()) as document:
        assert document[0].get_images()[0][2:4] == (20_000, 20_000)
    with opened(odd.poster()) as document:
        assert document[0].rect.width == 36_000


@pytest.mark.parametrize("make", [odd.owner_password, odd.recursive_forms, odd.text_page, odd.tall_page])
def test_files_that_look_difficult_but_can_be_read(make: object) -> None:
    data = make()  # type: ignore[operator]
    assert odd.LINES[0] in text_of(data)


def test_titles_and_accents_are_set_as_papers_set_them() -> None:
    assert odd.RIGHT_TO_LEFT_TITLE in text_of(odd.right_to_left())
    assert "J´an" in text_of(odd.accents_apart())


def test_a_long_file_has_as_many_different_pages_as_asked_for(tmp_path: Path) -> None:
    with pymupdf.open(long_pdf(tmp_path / "long.pdf", 300)) as document:
        assert document[299].get_text().startswith("Sheet 300 of 300\n")
        assert len({page.get_text() for page in document}) == 300


def test_many_files_differ_from_each_other(tmp_path: Path) -> None:
    paths = many_pdfs(tmp_path, 1_200)
    assert len({path.read_bytes() for path in paths}) == 1_200
    assert {path.parent.name for path in paths} == {"000", "001"}
