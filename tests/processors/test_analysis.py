"""`analysis`: what is counted in a document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pdfbatch.processors import NoOptions, ReadDocument
from pdfbatch.processors.analysis import Analysis
from pdfbatch.processors.dates import dates_in
from pdfbatch.records import Cell, Element, Label, Page, Reason, Span, plain_text

PROSE = "The harbour master wrote down the height of the tide every morning, and nobody asked him why he did so."
PROSA = "Der Hafenmeister schrieb jeden Morgen die Höhe der Flut auf, und niemand fragte ihn, warum er das tat."


def summary(folder: Path, *pages: Page) -> dict[str, Any]:
    (folder / "pages").write_bytes(b"".join(page.model_dump_json().encode() + b"\n" for page in pages))
    document = ReadDocument(
        *("a.pdf", "etag", "cpu", len(pages), folder / "a.pdf", folder, folder / "pages", 0, len(pages)),
        folder / "markdown",
    )
    Analysis(NoOptions()).process(document)
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text("utf-8"))
    return found


def element(text: str, label: Label = Label.PARAGRAPH, **more: Any) -> Element:
    return Element(label=label, box=(0, 0, 1, 1), spans=plain_text(text), **more)


def test_elements_are_counted_once_and_dropped_ones_not_at_all(tmp_path: Path) -> None:
    cells = [Cell(row=0, column=0, spans=[Span(text="two words", link="https://example.org")])]
    table = Element(label=Label.TABLE, box=(0, 0, 1, 1), cells=cells)
    found = summary(
        tmp_path,
        Page(
            number=1,
            read_by="text",
            elements=[
                element("Tides", Label.TITLE, level=1),
                element("A page header", Label.PAGE_HEADER, dropped="repeated"),
                element("1. Gauges", Label.HEADING, level=2),
                element("It's a well-known fact.", flags=[]),
                table,
                element("", Label.FIGURE),
            ],
        ),
        Page(number=2, read_by="text", elements=[table.model_copy(update={"continues": True})]),
        Page(number=3, read_by="blank"),
        Page(number=4, reason=Reason.TIMEOUT),
    )
    assert (found["pages"], found["unread_pages"], found["blank_pages"]) == (4, 1, 1)
    assert (found["tables"], found["figures"], found["headings"], found["links"]) == (1, 1, 2, 2)
    assert found["words"] == len(["Tides", "1", "Gauges", "It's", "a", "well-known", "fact", *["two", "words"] * 2])
    assert found["outline"] == [
        {"level": 1, "text": "Tides", "page": 1},
        {"level": 2, "text": "1. Gauges", "page": 1},
    ]
    assert found["read_by"] == {"blank": 1, "text": 2}


def test_the_language_is_that_of_most_pages_and_each_pages_is_counted(tmp_path: Path) -> None:
    pages = [Page(number=n, elements=[element(text)]) for n, text in enumerate((PROSA, PROSE, PROSA), 1)]
    found = summary(tmp_path, *pages)
    assert found["language"] == "deu_Latn" and found["languages"] == {"deu_Latn": 2, "eng_Latn": 1}


def test_a_document_without_letters_has_no_language(tmp_path: Path) -> None:
    found = summary(tmp_path, Page(number=1, elements=[element("12 34")]))
    assert (found["language"], found["language_score"], found["words"]) == ("unknown", None, 2)


def test_a_chinese_character_is_a_word(tmp_path: Path) -> None:
    assert summary(tmp_path, Page(number=1, elements=[element("潮汐 gauge")]))["words"] == 3


def test_dates_are_listed_in_order_with_their_first_page(tmp_path: Path) -> None:
    pages = [
        Page(number=n, elements=[element(text)])
        for n, text in enumerate(("On 2024-12-24.", "Am 24. Dezember 2024 und 1.2.1999"), 1)
    ]
    assert summary(tmp_path, *pages)["dates"] == [
        {"date": "1999-02-01", "count": 1, "page": 2},
        {"date": "2024-12-24", "count": 2, "page": 1},
    ]


@pytest.mark.parametrize(
    ("text", "dates"),
    [
        ("2024-02-29 and 2023-02-29", ["2024-02-29"]),
        ("March 3rd, 2021; 3rd of March 2021; Mar. 3, 2021", ["2021-03-03"] * 3),
        ("le 1er août 2020", ["2020-08-01"]),
        ("el 5 de mayo de 2019", ["2019-05-05"]),
        ("il 25 aprile 1945, 7 de setembro de 1822", ["1945-04-25", "1822-09-07"]),
        ("3/4/2024, 1.2.3, 192.168.2024, part 12-2024-01-01, Mayhem 3 2020", []),
        ("am 3.10.1990 oder 03. 10. 1990", ["1990-10-03"] * 2),
    ],
)
def test_dates_are_found_in_the_forms_of_several_languages(text: str, dates: list[str]) -> None:
    assert [found.isoformat() for found in dates_in(text)] == dates
