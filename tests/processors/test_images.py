"""`images`: what is drawn, where it is cut, and in which format and size."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pymupdf
import pytest
from PIL import Image

from pdfbatch.processors import ReadDocument
from pdfbatch.processors.images import ImageOptions, Images
from pdfbatch.records import Element, Label, Page, Reason

WIDTH, HEIGHT = 300, 400
BOX = (50.0, 100.0, 150.0, 180.0)
SIGNATURES = {"webp": b"RIFF", "png": b"\x89PNG", "jpeg": b"\xff\xd8"}


def drawn(folder: Path, pages: list[Page], rotation: int = 0, **options: object) -> dict[str, Image.Image]:
    """The images of a PDF with a red box on each of its two pages."""
    pdf = pymupdf.open()
    for _ in range(2):
        page = pdf.new_page(width=WIDTH, height=HEIGHT)
        page.draw_rect(pymupdf.Rect(BOX), color=None, fill=(1, 0, 0))
        page.set_rotation(rotation)
    pdf.save(folder / "a.pdf")
    lines = [page.model_dump_json(exclude_defaults=True).encode() + b"\n" for page in pages]
    (folder / "pages").write_bytes(b"skipped\n" + b"".join(lines))
    (folder / "out").mkdir()
    document = ReadDocument(
        *("a.pdf", "etag", "cpu", len(pages), folder / "a.pdf", folder / "out", folder / "pages", 8, len(pages)),
        folder / "markdown",
    )
    Images(ImageOptions.model_validate(options)).process(document)
    return {path.name: Image.open(io.BytesIO(path.read_bytes())) for path in (folder / "out").iterdir()}


def page(number: int, *labels: Label, rotation: int = 0, width: int = WIDTH, height: int = HEIGHT) -> Page:
    elements = [Element(label=label, box=BOX) for label in labels]
    return Page(number=number, width=width, height=height, rotation=rotation, elements=elements)


def is_red(image: Image.Image) -> bool:
    red, green, blue = np.asarray(image.convert("RGB")).reshape(-1, 3).mean(axis=0)
    return bool(red > 230 and green < 40 and blue < 40)


@pytest.mark.parametrize("kind", sorted(SIGNATURES))
def test_each_page_is_one_file_in_the_format_and_resolution_that_was_asked_for(tmp_path: Path, kind: str) -> None:
    found = drawn(tmp_path, [page(1), page(2)], format=kind, dpi=144)
    assert set(found) == {f"page-0001.{kind}", f"page-0002.{kind}"}
    assert found[f"page-0001.{kind}"].size == (2 * WIDTH, 2 * HEIGHT)
    assert (tmp_path / "out" / f"page-0001.{kind}").read_bytes().startswith(SIGNATURES[kind])


def test_figures_and_tables_are_cut_out_where_the_engine_saw_them(tmp_path: Path) -> None:
    pages = [page(1, Label.FIGURE, Label.PARAGRAPH, Label.TABLE, Label.FIGURE), page(2, Label.PARAGRAPH)]
    found = drawn(tmp_path, pages, what="figures+tables", format="png", dpi=72)
    assert set(found) == {"page-0001-figure-1.png", "page-0001-figure-2.png", "page-0001-table-1.png"}
    assert all(image.size == (100, 80) and is_red(image) for image in found.values())


def test_a_page_is_turned_as_its_elements_are(tmp_path: Path) -> None:
    turned = drawn(tmp_path, [page(1, Label.FIGURE)], rotation=90, what="pages+figures", format="png", dpi=72)
    assert turned["page-0001.png"].size == (WIDTH, HEIGHT) and is_red(turned["page-0001-figure-1.png"])


def test_a_page_that_no_engine_opened_is_drawn_as_viewers_show_it(tmp_path: Path) -> None:
    shown = drawn(tmp_path, [page(1, width=0, height=0)], rotation=90, format="png", dpi=72)
    assert shown["page-0001.png"].size == (HEIGHT, WIDTH)


def test_a_page_that_is_read_must_be_drawn_and_one_that_failed_need_not(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    failed = page(9).model_copy(update={"reason": Reason.CORRUPT})
    assert set(drawn(tmp_path / "one", [page(1), failed])) == {"page-0001.webp"}
    with pytest.raises(ValueError, match="page 9 cannot be drawn"):
        drawn(tmp_path, [page(1), page(9)])
    assert (tmp_path / "out" / "page-0001.webp").exists(), "the others are drawn all the same"
