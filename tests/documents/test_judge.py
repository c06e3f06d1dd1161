import csv
from pathlib import Path

import pymupdf
import pytest

from pdfbatch.demo import pdfs as demo
from pdfbatch.documents.judge import judge
from pdfbatch.records import Reason
from tests.documents.sample_pages import saved, text_pdf, write_lines

CORPUS = Path(__file__).parents[3] / "shared" / "pdfs"


def written(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def encrypted(path: Path, user: str) -> str:
    document = pymupdf.open()
    write_lines(document.new_page(), ["secret"])
    document.save(path, encryption=pymupdf.PDF_ENCRYPT_AES_256, owner_pw="owner", user_pw=user)
    return str(path)


def test_a_readable_file_is_judged_by_its_pages(tmp_path):
    assert judge(text_pdf(tmp_path / "a.pdf", pages=3))[:3] == (3, None, "")


def test_an_empty_file_has_a_reason_of_its_own(tmp_path):
    assert judge(written(tmp_path / "a.pdf", b"")).reason is Reason.EMPTY_FILE


def test_html_named_pdf_is_not_a_pdf(tmp_path):
    page = b"<!DOCTYPE html><html><body><h1>404</h1><p>Not found</p></body></html>"
    assert judge(written(tmp_path / "a.pdf", page)).reason is Reason.NOT_A_PDF


def test_an_image_named_pdf_is_read_as_an_image(tmp_path):
    picture = pymupdf.Pixmap(pymupdf.csRGB, pymupdf.IRect(0, 0, 4, 4)).tobytes("png")
    assert judge(written(tmp_path / "a.pdf", picture)) == (1, None, "", [])


def test_a_header_without_objects_is_corrupt(tmp_path):
    assert judge(written(tmp_path / "a.pdf", b"%PDF-1.4\n%%EOF\n")).reason is Reason.CORRUPT


def test_a_file_that_needs_a_password_is_encrypted(tmp_path):
    assert judge(encrypted(tmp_path / "a.pdf", user="user")).reason is Reason.ENCRYPTED


def test_an_owner_password_does_not_block_reading(tmp_path):
    assert judge(encrypted(tmp_path / "a.pdf", user=""))[:3] == (1, None, "")


def test_an_empty_page_tree_has_no_pages(tmp_path):
    assert judge(written(tmp_path / "a.pdf", demo.zero_pages())).reason is Reason.NO_PAGES


def test_a_file_that_lost_its_page_tree_is_corrupt(tmp_path):
    assert judge(written(tmp_path / "a.pdf", demo.cut_off())).reason is Reason.CORRUPT


def test_a_truncated_upload_is_read_as_far_as_it_goes(tmp_path):
    whole = Path(text_pdf(tmp_path / "whole.pdf")).read_bytes()
    assert judge(written(tmp_path / "a.pdf", whole[:-200])).reason is None


def test_garbage_before_the_header_does_no_harm(tmp_path):
    whole = Path(text_pdf(tmp_path / "whole.pdf")).read_bytes()
    assert judge(written(tmp_path / "a.pdf", b"HTTP/1.1 200 OK\r\n\r\n" + whole))[:3] == (1, None, "")


def test_a_file_that_is_gone_is_missing(tmp_path):
    assert judge(str(tmp_path / "a.pdf")).reason is Reason.MISSING


def test_a_changed_file_is_judged_again(tmp_path):
    path = tmp_path / "a.pdf"
    assert judge(text_pdf(path, pages=1)).pages == 1
    assert judge(text_pdf(path, pages=2)).pages == 2


def test_a_library_error_names_no_temporary_file(tmp_path):
    assert str(tmp_path) not in judge(written(tmp_path / "a.pdf", b"%PDF-1.4\n%%EOF\n")).detail


def test_judging_prints_nothing(tmp_path, capfd):
    judge(written(tmp_path / "a.pdf", b"%PDF-1.4\n1 0 obj<</broken\n%%EOF\n"))
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not CORPUS.exists(), reason="the test PDFs are not here")
def test_the_corpus_is_judged_as_its_manifest_expects():
    with (CORPUS / "MANIFEST.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        verdict = judge(str(CORPUS / row["file"]))
        if row["expected_outcome"] == "failed":
            assert verdict.reason in row["expected_reason"].split("|"), row["file"]
        else:
            assert verdict[:3] == (int(row["pages"]), None, ""), row["file"]


def test_a_saved_document_of_many_pages_is_counted(tmp_path):
    document = pymupdf.open()
    for _ in range(300):
        document.new_page()
    assert judge(saved(document, tmp_path / "a.pdf")).pages == 300
