"""A few pages show how many pages have a text layer worth reading."""

from __future__ import annotations

from pathlib import Path

import pymupdf
import pytest

from pdfbatch.documents.layer_sample import sample_layers
from tests.documents.sample_pages import saved, scan_of, text_pdf


@pytest.mark.parametrize(
    ("kinds", "sample"),
    [
        ("t", (1, 1)),
        ("s", (0, 1)),
        ("ts", (1, 2)),
        ("ttsst", (2, 3)),
        ("b", (1, 1)),
        ("sbbbs", (1, 3)),
    ],
)
def test_the_first_middle_and_last_page_are_sampled(tmp_path: Path, kinds: str, sample: tuple[int, int]) -> None:
    text = pymupdf.open(text_pdf(tmp_path / "text.pdf"))
    scan = scan_of(text)
    document = pymupdf.open()
    for kind in kinds:
        if kind == "b":
            document.new_page()
        else:
            document.insert_pdf(text if kind == "t" else scan)
    assert sample_layers(saved(document, tmp_path / "a.pdf")) == sample


@pytest.mark.parametrize("content", [b"", b"not a PDF", b"%PDF-1.7 and then nothing"])
def test_a_file_that_cannot_be_opened_gives_an_empty_sample(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pdf").write_bytes(content)
    assert sample_layers(str(tmp_path / "a.pdf")) == (0, 0)
