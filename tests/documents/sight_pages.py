"""Generate pages whose text layer and picture differ."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pymupdf

SENTENCES = [
    "The harbour master writes the tide into a green book.",
    "Every captain may look at it before the ship casts off.",
    "In winter the book is kept in a warm office upstairs.",
    "Twelve pupils copy the oldest pages again each spring.",
    "A lamp burns on the pier from dusk until the morning.",
    "Nobody has counted the gulls that follow the boats.",
    "The quick fox jumps over lazy dogs beside the river.",
    "Bakers carry bread to the market square at sunrise.",
]


def blank(width: float = 420, height: float = 400) -> pymupdf.Page:
    return pymupdf.open().new_page(width=width, height=height)


def write(page: pymupdf.Page, lines: Sequence[str], top: float = 60, size: float = 11, **how: object) -> None:
    for number, line in enumerate(lines):
        page.insert_text((40, top + 1.6 * size * number), line, fontsize=size, **how)


def saved(page: pymupdf.Page, path: Path) -> str:
    page.parent.save(path)
    return str(path)


# Text that is painted but is no text to a program. Each takes a page and the lines to paint.


def picture_of(lines: Sequence[str], dpi: int = 150, gray: bool = False) -> pymupdf.Pixmap:
    source = blank(420, 18 * len(lines) + 20)
    write(source, lines, top=20)
    return source.get_pixmap(dpi=dpi, colorspace=pymupdf.csGRAY if gray else pymupdf.csRGB)


def as_image(page: pymupdf.Page, lines: Sequence[str], top: float) -> None:
    page.insert_image(pymupdf.Rect(0, top, 420, top + 18 * len(lines) + 20), pixmap=picture_of(lines))


def as_strips(page: pymupdf.Page, lines: Sequence[str], top: float) -> None:
    picture = picture_of(lines)
    step = picture.height // 5 + 1
    for start in range(0, picture.height, step):
        part = pymupdf.Pixmap(picture, picture.width, picture.height, None)
        box = pymupdf.IRect(0, start, picture.width, min(picture.height, start + step))
        strip = pymupdf.Pixmap(part.colorspace, box, False)
        strip.copy(part, box)
        scale = 72 / 150
        page.insert_image(pymupdf.Rect(0, top + box.y0 * scale, 420, top + box.y1 * scale), pixmap=strip)


def as_inline_image(page: pymupdf.Page, lines: Sequence[str], top: float) -> None:
    picture = picture_of(lines, gray=True)
    data = zlib.compress(picture.samples).hex().encode() + b">"
    height = 18 * len(lines) + 20
    append(
        page,
        b"q 420 0 0 %d 0 %d cm BI /W %d /H %d /CS /G /BPC 8 /F [/AHx /Fl] ID "
        % (height, page.rect.height - top - height, picture.width, picture.height)
        + data
        + b" EI Q",
    )


def as_outlines(
    page: pymupdf.Page, lines: Sequence[str], top: float, colour: tuple[float, float, float] = (0, 0, 0)
) -> None:
    source = blank(420, 18 * len(lines) + 20)
    write(source, lines, top=20, color=colour)
    svg = source.get_svg_image(text_as_path=True)
    art = pymupdf.open("pdf", pymupdf.open(stream=svg.encode(), filetype="svg").convert_to_pdf())
    page.show_pdf_page(pymupdf.Rect(0, top, 420, top + 18 * len(lines) + 20), art, 0)


def as_annotation(page: pymupdf.Page, lines: Sequence[str], top: float) -> None:
    """Add a stamp whose appearance is a picture."""
    page.add_stamp_annot(pymupdf.Rect(0, top, 420, top + 18 * len(lines) + 20), stamp=picture_of(lines))


def as_meaningless_glyphs(page: pymupdf.Page, lines: Sequence[str], top: float) -> None:
    """Write real glyphs that their font maps to blanks."""
    write_mapped(page, lines, top, lambda char: " ")


PAINTERS = [as_image, as_strips, as_inline_image, as_outlines, as_annotation, as_meaningless_glyphs]


# Fonts with all kinds of character maps.


def write_mapped(page: pymupdf.Page, lines: Sequence[str], top: float, meaning: Callable[[str], str]) -> None:
    """Show the lines in a font of its own whose map gives `meaning(letter)` for each letter."""
    font = pymupdf.Font("tiro")
    name = f"F{top:.0f}"
    page.insert_font(fontname=name, fontbuffer=font.buffer)
    write(page, lines, top + 20, fontname=name)
    entries = [(font.has_glyph(code), meaning(chr(code)) if code > 32 else " ") for code in range(32, 127)]
    rows = "\n".join(f"<{glyph:04x}> <{ord(letter):04x}>" for glyph, letter in entries)
    cmap = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def\n"
        f"1 begincodespacerange <0000><ffff> endcodespacerange\n{len(entries)} beginbfchar\n{rows}\nendbfchar\n"
        "endcmap end end"
    )
    document = page.parent
    (xref,) = [entry[0] for entry in page.get_fonts() if entry[4] == name]
    fresh = document.get_new_xref()
    document.update_object(fresh, "<<>>")
    document.update_stream(fresh, cmap.encode())
    document.xref_set_key(xref, "ToUnicode", f"{fresh} 0 R")


def shifted(by: int) -> Callable[[str], str]:
    return lambda char: chr(33 + (ord(char) - 33 + by) % 94)


def swapped(letters: str, others: str) -> Callable[[str], str]:
    table = str.maketrans(letters + others, others + letters)
    return lambda char: char.translate(table)


def shuffled(seed: int) -> Callable[[str], str]:
    small = list("abcdefghijklmnopqrstuvwxyz")
    mixed = small[:]
    random.Random(seed).shuffle(mixed)
    return lambda char: dict(zip(small, mixed, strict=True)).get(char, char)


def half_missing(char: str) -> str:
    return char if ord(char) % 2 else " "


def honest(char: str) -> str:
    return char


def append(page: pymupdf.Page, content: bytes) -> None:
    """Append drawing instructions to the page's own."""
    document = page.parent
    xref = document.get_new_xref()
    document.update_object(xref, "<<>>")
    document.update_stream(xref, content)
    parts = " ".join(f"{part} 0 R" for part in [*page.get_contents(), xref])
    document.xref_set_key(page.xref, "Contents", f"[{parts}]")


def add_resource(page: pymupdf.Page, kind: str, name: str, xref: int) -> None:
    """Add an object to the page's resources under a `kind` such as /XObject."""
    held, value = page.parent.xref_get_key(page.xref, "Resources")
    holder, path = (int(value.split()[0]), kind) if held == "xref" else (page.xref, f"Resources/{kind}")
    page.parent.xref_set_key(holder, f"{path}/{name}", f"{xref} 0 R")


# Ways to hide a line. Each takes a page, the line and its position.


def hide_white(page: pymupdf.Page, line: str, top: float) -> None:
    page.insert_text((40, top), line, fontsize=11, color=(1, 1, 1))


def hide_nearly_white(page: pymupdf.Page, line: str, top: float) -> None:
    page.insert_text((40, top), line, fontsize=11, color=(0.98, 0.98, 0.97))


def hide_under_bar(page: pymupdf.Page, line: str, top: float) -> None:
    page.insert_text((40, top), line, fontsize=11)
    page.draw_rect(pymupdf.Rect(38, top - 11, 400, top + 4), color=(0, 0, 0), fill=(0, 0, 0))


def hide_under_red_bar(page: pymupdf.Page, line: str, top: float) -> None:
    page.insert_text((40, top), line, fontsize=11)
    page.draw_rect(pymupdf.Rect(38, top - 11, 400, top + 4), color=(0.7, 0, 0), fill=(0.7, 0, 0))


def hide_by_paper(page: pymupdf.Page, line: str, top: float) -> None:
    page.insert_text((40, top), line, fontsize=11)
    page.draw_rect(pymupdf.Rect(38, top - 11, 400, top + 4), color=None, fill=(1, 1, 1))


def hide_unpainted(page: pymupdf.Page, line: str, top: float) -> None:
    page.insert_text((40, top), line, fontsize=11, render_mode=3)


def hide_black_on_black(page: pymupdf.Page, line: str, top: float) -> None:
    page.draw_rect(pymupdf.Rect(38, top - 11, 400, top + 4), color=(0, 0, 0), fill=(0, 0, 0))
    page.insert_text((40, top), line, fontsize=11)


def hide_tiny(page: pymupdf.Page, line: str, top: float) -> None:
    page.insert_text((40, top), line, fontsize=0.6)


def hide_transparent(page: pymupdf.Page, line: str, top: float) -> None:
    page.insert_text((40, top), line, fontsize=11, fill_opacity=0.01)


def hide_in_layer(page: pymupdf.Page, line: str, top: float) -> None:
    page.insert_text((40, top), line, fontsize=11, oc=page.parent.add_ocg("Draft", on=False))


def hide_under_plain_picture(page: pymupdf.Page, line: str, top: float) -> None:
    page.insert_text((40, top), line, fontsize=11)
    grey = pymupdf.Pixmap(pymupdf.csRGB, pymupdf.IRect(0, 0, 8, 8), False)
    grey.clear_with(190)
    page.insert_image(pymupdf.Rect(38, top - 12, 400, top + 5), pixmap=grey, keep_proportion=False)


def hide_by_clip(page: pymupdf.Page, line: str, top: float) -> None:
    page.insert_text((5, 12), " ", fontname="helv")
    y = page.rect.height - top
    append(page, f"q 0 0 3 3 re W n BT /helv 11 Tf 1 0 0 1 40 {y} Tm ({line}) Tj ET Q".encode())


HIDERS = [
    hide_white,
    hide_nearly_white,
    hide_under_bar,
    hide_under_red_bar,
    hide_by_paper,
    hide_unpainted,
    hide_black_on_black,
    hide_tiny,
    hide_transparent,
    hide_in_layer,
    hide_under_plain_picture,
    hide_by_clip,
]


# Lines that look unusual but are visible.


def show_pale(page: pymupdf.Page, line: str, top: float) -> None:
    page.insert_text((40, top), line, fontsize=11, color=(0.8, 0.8, 0.8))


def show_white_on_dark(page: pymupdf.Page, line: str, top: float) -> None:
    page.draw_rect(pymupdf.Rect(38, top - 11, 400, top + 4), color=None, fill=(0.1, 0.1, 0.3))
    page.insert_text((40, top), line, fontsize=11, color=(1, 1, 1))


def show_black_on_grey(page: pymupdf.Page, line: str, top: float) -> None:
    page.draw_rect(pymupdf.Rect(38, top - 11, 400, top + 4), color=None, fill=(0.75, 0.75, 0.75))
    page.insert_text((40, top), line, fontsize=11)


def show_red_on_green(page: pymupdf.Page, line: str, top: float) -> None:
    """Show a line in a colour with nearly the same grey as its background."""
    page.draw_rect(pymupdf.Rect(38, top - 11, 400, top + 4), color=None, fill=(0, 0.45, 0))
    page.insert_text((40, top), line, fontsize=11, color=(0.88, 0, 0))


def show_highlighted(page: pymupdf.Page, line: str, top: float) -> None:
    page.insert_text((40, top), line, fontsize=11)
    page.add_highlight_annot(pymupdf.Rect(38, top - 10, 300, top + 3))


def show_small(page: pymupdf.Page, line: str, top: float) -> None:
    page.insert_text((40, top), line, fontsize=4)


def show_outlined(page: pymupdf.Page, line: str, top: float) -> None:
    """Show white letters with a black outline."""
    page.insert_text((40, top), line, fontsize=13, color=(0, 0, 0), fill=(1, 1, 1), render_mode=2, border_width=0.04)


def show_framed(page: pymupdf.Page, line: str, top: float) -> None:
    page.insert_text((40, top), line, fontsize=11)
    page.draw_rect(pymupdf.Rect(38, top - 11, 400, top + 4), color=(0, 0, 0), width=1.5)


def show_bold(page: pymupdf.Page, line: str, top: float) -> None:
    page.insert_text((40, top), line, fontsize=11, fontname="hebo")


SHOWERS = [
    show_pale,
    show_white_on_dark,
    show_black_on_grey,
    show_red_on_green,
    show_highlighted,
    show_small,
    show_outlined,
    show_framed,
    show_bold,
]
