"""Images are documents by their content: each page as large as its resolution says, and the right way up."""

from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from pdfbatch.documents.judge import judge
from pdfbatch.documents.pdf.document_cache import open_page
from pdfbatch.documents.picture import draw_page
from pdfbatch.documents.reading import read_page
from pdfbatch.records import PageResult, Reason


def drawn(text: str = "Hello harbour") -> Image.Image:
    image = Image.new("RGB", (850, 1100), "white")
    ImageDraw.Draw(image).text((80, 80), text, fill="black", font_size=40)
    return image


def saved(path: Path, **more: object) -> str:
    drawn().save(path, **more)  # type: ignore[arg-type]
    return str(path)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "named.pdf"])
def test_a_picture_is_one_page_whatever_its_name(tmp_path: Path, name: str) -> None:
    kind = {"png": "PNG", "jpg": "JPEG", "tif": "TIFF", "pdf": "PNG"}[name[-3:]]
    path = saved(tmp_path / name, format=kind, dpi=(100, 100))
    assert judge(path) == (1, None, "", [])
    assert open_page(path, 1).page.rect[2:] == pytest.approx((612, 792), abs=1)


def test_a_picture_is_read_by_ocr(tmp_path: Path) -> None:
    read = read_page(saved(tmp_path / "a.png", dpi=(100, 100)), 1)
    assert (read.page.read_by, read.page.text) == ("ocr", "Hello harbour")


def test_the_pages_of_a_tiff_are_pages(tmp_path: Path) -> None:
    pages = [drawn(f"Harbour {number}") for number in "ABC"]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:], dpi=(100, 100), compression="tiff_lzw")
    path = str(tmp_path / "a.tif")
    assert judge(path).pages == 3
    assert [read_page(path, number).page.text for number in (3, 1)] == ["Harbour C", "Harbour A"]
    third = draw_page(path, 3, 100, 100)
    assert not isinstance(third, PageResult) and third.pixels.shape == (1100, 850, 3)


def test_a_photo_is_turned_by_its_exif_rotation(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path / "a.jpg", exif=exif, dpi=(100, 100))
    assert open_page(path, 1).page.rect[2:] == pytest.approx((792, 612), abs=1)


def test_a_truncated_image_has_a_reason_and_nothing_crashes(tmp_path: Path) -> None:
    path = Path(saved(tmp_path / "a.tif"))
    path.write_bytes(path.read_bytes()[:40])
    verdict = judge(str(path))
    assert verdict.reason in (Reason.CORRUPT, Reason.NO_PAGES) or read_page(str(path), 1).page.reason is Reason.CORRUPT
