"""XFA shells: the values in the packets become the page, and a shell without values has a reason of its own."""

from pathlib import Path

import pymupdf
import pytest

from pdfbatch.demo.raw import raw_pdf, stream
from pdfbatch.documents.picture import draw_page
from pdfbatch.documents.reading import read_page
from pdfbatch.records import PageResult, Reason
from samples import odd

WAIT = ("Please wait...", "If this message is not eventually replaced by the proper contents of the document, your PDF")
TEMPLATE = """<template xmlns="http://www.xfa.org/schema/xfa-template/3.3/"><subform name="f"><subform name="rows">
<field name="Boat"><caption><value><text>Name of the boat:</text></value></caption></field>
<field name="Fee"><caption><value><exData contentType="text/html"><body xmlns="http://www.w3.org/1999/xhtml">
<p>Fee for <b>one</b> year</p></body></exData></value></caption></field></subform></subform></template>"""
DATA = """<xfa:datasets xmlns:xfa="http://www.xfa.org/schema/xfa-data/1.0/"><xfa:data><f><rows><Boat>Grey Heron</Boat>
<Fee>120</Fee></rows><rows><Boat>Red *Kite*</Boat><Fee/></rows><Remark>
<body xmlns="http://www.w3.org/1999/xhtml"><p>Paid in <b>May</b>.</p></body></Remark></f></xfa:data></xfa:datasets>"""
OPEN, CLOSE = '<xdp:xdp xmlns:xdp="http://ns.adobe.com/xdp/">', "</xdp:xdp>"
VALUES = [
    "Name of the boat: Grey Heron",
    "Fee for one year: 120",
    "Name of the boat: Red *Kite*",
    "Remark: Paid in May.",
]


def form(packets: list[str], *, apart: bool, form: str = "", catalog: str = "", lines: tuple[str, ...] = WAIT) -> bytes:
    """Build the PDF. `apart`: each packet in a stream of its own, as PDF allows; from object 6 on."""
    parts = packets if apart else ["".join(packets)]
    names = " ".join(f"(part{number}) {number + 6} 0 R" for number in range(len(parts)))
    xfa = f"[{names}]" if apart else "6 0 R"
    return raw_pdf(
        f"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[]/XFA {xfa}{form}>>{catalog}>>",
        "<</Type/Pages/Count 1/Kids[3 0 R]>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        stream(odd.lines_at(lines=lines)),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        *(stream(part) for part in parts),
    )


def read(data: bytes, folder: Path) -> PageResult:
    (folder / "a.pdf").write_bytes(data)
    return read_page(str(folder / "a.pdf"), 1).page


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("catalog", ["", "/NeedsRendering true"])
def test_the_values_of_the_packet_are_the_page(apart: bool, catalog: str, tmp_path: Path) -> None:
    page = read(form([OPEN, TEMPLATE, DATA, CLOSE], apart=apart, catalog=catalog), tmp_path)
    assert (page.reason, page.flags) == (Reason.XFA_FORM, ["xfa"])
    assert page.text.split("\n") == VALUES
    drawn = draw_page(str(tmp_path / "a.pdf"), 1, 100, 100)
    assert isinstance(drawn, PageResult) and drawn.text == page.text, "a model would be shown the shell"


def test_a_form_in_an_object_of_its_own_is_found(tmp_path: Path) -> None:
    with pymupdf.open(stream=form([OPEN, TEMPLATE, DATA, CLOSE], apart=False)) as document:
        xref = document.get_new_xref()
        document.update_object(xref, "<</Fields[]/XFA[(datasets) 6 0 R]>>")
        document.xref_set_key(document.pdf_catalog(), "AcroForm", f"{xref} 0 R")
        page = read(document.tobytes(), tmp_path)
    assert "Name of the boat: Grey Heron" in page.text


@pytest.mark.parametrize(
    "packets",
    [
        [OPEN, TEMPLATE, CLOSE],
        [OPEN, TEMPLATE, DATA[:60]],
        ["no XML"],
        ['<!DOCTYPE x [<!ENTITY a "aaaa">]>', OPEN, DATA, CLOSE],
        [""],
    ],
    ids=["nothing filled in", "cut", "no XML", "entities", "empty"],
)
def test_a_shell_without_values_has_a_reason_of_its_own(packets: list[str], tmp_path: Path) -> None:
    page = read(form(packets, apart=False, catalog="/NeedsRendering true"), tmp_path)
    assert (page.reason, page.text) == (Reason.XFA_FORM, "") and page.detail


@pytest.mark.parametrize("lines", [odd.LINES, (*odd.LINES, "Please wait at the gate.")])
def test_a_form_with_a_real_page_is_read_from_the_page(lines: tuple[str, ...], tmp_path: Path) -> None:
    data = form([OPEN, TEMPLATE, DATA, CLOSE], apart=False, lines=lines).replace(b"/Fields[]", b"/Fields[3 0 R]")
    page = read(data, tmp_path)
    assert (page.reason, page.flags, page.read_by) == (None, [], "text")
    assert odd.LINES[0] in page.text.replace("\n", " ")
