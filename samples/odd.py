"""One-page PDFs that each hold one trouble of real files. Every function gives the bytes of a whole file.

Sizes in points. What a reader should make of each is in its docstring; `LINES` is what most of them say.
"""

from __future__ import annotations

import zlib

import pymupdf

from pdfbatch.demo import texts
from pdfbatch.demo.pdfs import single_page
from pdfbatch.demo.raw import one_page, stream
from pdfbatch.demo.scans import put_picture, scan_of
from pdfbatch.demo.typeset import new_document, to_bytes, width_of

LINES = (
    "The night train to the coast leaves at nine and carries letters, milk and sleeping people.",
    "Between the tunnel and the viaduct the driver sounds the whistle twice for the signalman.",
    "Snow is cleared by hand as far as the second bridge, and by plough from there to the summit.",
    "Passengers who miss the connection may stay in the waiting room, which is heated until six.",
)
OWNER_PASSWORD = "only-for-the-owner"
Turn = int
"""Degrees, one of 0, 90, 180, 270."""


def lines_at(x: float = 72, y: float = 720, size: float = 11, mode: int = 0, lines: tuple[str, ...] = LINES) -> str:
    """Content that shows the lines from (x, y) downwards; `mode` 3 is invisible."""
    body = " ".join(f"({line}) Tj T*" for line in lines)
    return f"BT {mode} Tr /F {size} Tf {size * 1.4} TL {x} {y} Td {body} ET"


def text_page(lines: tuple[str, ...] = LINES) -> bytes:
    """A healthy page of Helvetica in one column."""
    return one_page(lines_at(lines=lines))


def blank_page() -> bytes:
    """A page that shows nothing: `ok`, and empty."""
    return one_page("")


def scanned_page(skew: float = 0.5) -> bytes:
    """A picture of a typed page without a text layer; it says what `texts.LETTER` says."""
    typed = single_page(texts.LETTER_TITLE, texts.LETTER)
    document = pymupdf.open()
    put_picture(document, scan_of(typed[0], skew=skew))
    return to_bytes(document)


def turned_scan(turn: Turn, rotate: Turn = 0) -> bytes:
    """A scan whose picture is turned by `turn` degrees anticlockwise, under /Rotate `rotate`."""
    typed = single_page(texts.LETTER_TITLE, texts.LETTER)
    document = pymupdf.open()
    page = put_picture(document, scan_of(typed[0], skew=0).rotate(turn, expand=True))
    page.set_rotation(rotate)
    return to_bytes(document)


def turned_text(turn: Turn, rotate: Turn = 0) -> bytes:
    """Text whose lines run turned by `turn` degrees anticlockwise on the unrotated sheet, under /Rotate `rotate`."""
    matrix = {0: "1 0 0 1 0 0", 90: "0 1 -1 0 842 0", 180: "-1 0 0 -1 595 842", 270: "0 -1 1 0 0 595"}[turn]
    box = "0 0 595 842" if turn % 180 == 0 else "0 0 842 595"
    return one_page(f"q {matrix} cm {lines_at()} Q", box=box, page=f"/Rotate {rotate}")


def garbled_layer() -> bytes:
    """Text that looks right and whose ToUnicode gives half a surrogate pair for every sign: MuPDF reads U+FFFD."""
    cmap = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Broken def /CMapType 2 def "
        "1 begincodespacerange <00> <FF> endcodespacerange "
        "1 beginbfrange <21> <7E> [" + " ".join(["<D800>"] * (0x7E - 0x21 + 1)) + "] endbfrange endcmap end end"
    )
    font = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding/ToUnicode 6 0 R>>"
    return one_page(lines_at().replace("/F ", "/G "), fonts="/G 7 0 R", more=(stream(cmap), font))


def hidden_layer(lines: tuple[str, ...] = LINES) -> bytes:
    """A scan of `LINES` with its OCR text laid invisibly over it: `lines`, by default all of them."""
    document = _picture_of_lines()
    for number, line in enumerate(lines):
        document[0].insert_text((72, 122 + number * 15.4), line, fontname="helv", fontsize=11, render_mode=3)
    return to_bytes(document)


def stamp_only() -> bytes:
    """A scan of `LINES` whose only text is the stamp of a download site: the page needs OCR."""
    document = _picture_of_lines()
    document[0].insert_text((200, 820), "Downloaded on 3 May 2021", fontname="helv", fontsize=8)
    return to_bytes(document)


def _picture_of_lines() -> pymupdf.Document:
    document = pymupdf.open()
    with pymupdf.open(stream=text_page()) as typed:
        put_picture(document, scan_of(typed[0], skew=0))
    return document


RIGHT_TO_LEFT_TITLE = "ספר השנה של המוזיאון הימי"


def right_to_left() -> bytes:
    """A Hebrew title over an English paragraph; the title's words must keep their order."""
    document = new_document()
    page = document[0]
    page.insert_htmlbox(pymupdf.Rect(72, 60, 523, 110), f"<h1 dir='rtl'>{RIGHT_TO_LEFT_TITLE}</h1>")
    for number, line in enumerate(LINES):
        page.insert_text((72, 150 + number * 16), line, fontname="helv", fontsize=11)
    document.subset_fonts()
    return to_bytes(document)


def accents_apart() -> bytes:
    """Accents set as signs of their own over the letter, as TeX did: it reads "Ján Déry and René Müller"."""
    pieces = ("J", ("´", "a"), "n D", ("´", "e"), "ry and Ren", ("´", "e"), " M", ("¨", "u"), "ller")
    content, x = [], 72.0
    for piece in pieces:
        if isinstance(piece, tuple):
            accent, letter = piece
            shift = (width_of(letter, "helv", 14) - width_of(accent, "helv", 14)) / 2
            content.append(_show(accent, x + shift))
            piece = letter
        content.append(_show(piece, x))
        x += width_of(piece, "helv", 14)
    return one_page(" ".join(content) + " " + lines_at(y=650))


def _show(text: str, x: float) -> str:
    return f"BT /F 14 Tf {x:.2f} 720 Td ({text}) Tj ET"


def huge_bitmap(side: int = 20_000) -> bytes:
    """A one-bit picture of side x side pixels in a file of some 50 KB: 400 megapixels once unpacked."""
    return _bitmap_page(side, "0 0 595 842", (595, 842))


def poster() -> bytes:
    """A page of 36,000 x 36,000 points with a line of text and a small picture."""
    return _bitmap_page(200, "0 0 36000 36000", (36_000, 36_000), lines_at(y=20_000, size=400))


def tall_page() -> bytes:
    """A page of 595 x 14,000 points, text from top to bottom: a web page printed in one piece."""
    return one_page(lines_at(y=13_900, lines=LINES * 220), box="0 0 595 14000")


def _bitmap_page(side: int, box: str, size: tuple[float, float], text: str = "") -> bytes:
    packer = zlib.compressobj(9)
    row = b"\xaa" * ((side + 7) // 8)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    entries = (
        f"/Type/XObject/Subtype/Image/Width {side}/Height {side}"
        "/BitsPerComponent 1/ColorSpace/DeviceGray/Filter/FlateDecode"
    )
    content = f"q {size[0]} 0 0 {size[1]} 0 0 cm /I Do Q {text}"
    return one_page(content, box=box, resources="/XObject<</I 6 0 R>>", more=(stream(packed, entries),))


def recursive_forms() -> bytes:
    """A form that draws a form that draws the first again, beside healthy text."""
    entries = "/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources<</XObject<</A 6 0 R/B 7 0 R>>>>"
    forms = (stream("/B Do /B Do", entries), stream("/A Do /A Do", entries))
    return one_page(f"/A Do {lines_at()}", resources="/XObject<</A 6 0 R>>", more=forms)


def many_paths(count: int = 200_000) -> bytes:
    """A drawing of `count` strokes and four lines of text: a map or a plot that layout analysis chokes on."""
    strokes = "\n".join(f"{n * 7 % 595} {n * 13 % 600} m {n * 11 % 595} {n * 17 % 600} l S" for n in range(count))
    packed = zlib.compress(f"0.1 w\n{strokes}\n".encode(), 6)
    return one_page(
        lines_at(),
        contents="[4 0 R 6 0 R]",
        more=(stream(packed, "/Filter/FlateDecode"),),
    )


def owner_password() -> bytes:
    """Encrypted against changes only: it opens without a password and must be converted."""
    with pymupdf.open(stream=text_page()) as document:
        return to_bytes(
            document,
            encryption=pymupdf.PDF_ENCRYPT_AES_256,
            owner_pw=OWNER_PASSWORD,
            user_pw="",
            permissions=pymupdf.PDF_PERM_PRINT,
        )
