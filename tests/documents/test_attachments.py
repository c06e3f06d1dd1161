"""Embedded files are named on the first page, and their password is not the document's."""

import re
from pathlib import Path

import pymupdf
import pytest

from pdfbatch.documents.judge import judge
from pdfbatch.documents.reading import read_page
from pdfbatch.records import Reason
from samples import odd


def with_files(*names: str, portfolio: bool = False) -> bytes:
    document = pymupdf.open(stream=odd.text_page())
    for name in names:
        document.embfile_add(name, b"data", filename=name)
    if portfolio:
        document.xref_set_key(document.pdf_catalog(), "Collection", "<</Type/Collection>>")
    return document.tobytes()


def locked(*, streams: str = "/Identity", direct: bool = True) -> bytes:
    """Return a page under encryption with an unknown password; by default only embedded files are encrypted."""
    code = f"<</Filter/Standard/V 4/R 4/Length 128/P -1/O<{'ab' * 32}>/U<{'cd' * 32}>"
    code += f"/CF<</StdCF<</CFM/AESV2/AuthEvent/EFOpen/Length 16>>>>/EFF/StdCF/StmF{streams}/StrF{streams}>>"
    page = odd.text_page() if direct else odd.one_page(odd.lines_at(), more=(code,))
    entry = (code if direct else "6 0 R").encode()
    return re.sub(rb"/Root 1 0 R", b"/Root 1 0 R/ID[<00><00>]/Encrypt " + entry, page)


@pytest.mark.parametrize(
    ("names", "portfolio", "note"),
    [
        ((), False, ""),
        (("sums.xlsx",), False, ""),
        (("part.pdf", "sums.xlsx"), False, "1 embedded file is not read: part.pdf"),
        (("part.pdf", "sums.xlsx"), True, "2 embedded files are not read: part.pdf, sums.xlsx"),
    ],
)
def test_embedded_pdfs_and_portfolios_are_named(
    names: tuple[str, ...], portfolio: bool, note: str, tmp_path: Path
) -> None:
    (tmp_path / "a.pdf").write_bytes(with_files(*names, portfolio=portfolio))
    page = read_page(str(tmp_path / "a.pdf"), 1).page
    assert (page.reason, page.detail) == (None, note)
    assert page.flags == (["attachments"] if note else [])


@pytest.mark.parametrize("direct", [True, False])
def test_a_password_for_attachments_only_does_not_block_reading(direct: bool, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(locked(direct=direct))
    assert judge(str(tmp_path / "a.pdf"))[:3] == (1, None, "")
    assert odd.LINES[0] in read_page(str(tmp_path / "a.pdf"), 1).page.text.replace("\n", " ")


@pytest.mark.parametrize("direct", [True, False])
def test_a_password_for_the_pages_blocks_reading(direct: bool, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(locked(streams="/StdCF", direct=direct))
    assert judge(str(tmp_path / "a.pdf")).reason is Reason.ENCRYPTED
