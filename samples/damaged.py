"""One-page PDFs whose content is lost, cut or undecodable, and some that only look so. Bytes of whole files by name."""

from __future__ import annotations

import random
import zlib

from pdfbatch.demo.raw import one_page, raw_pdf, stream

from .odd import lines_at

FLATE = "/Filter/FlateDecode"
FORM = "/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources<</Font<</F 5 0 R>>>>"
PICTURE = "/Type/XObject/Subtype/Image/Width 100/Height 100/BitsPerComponent 8/ColorSpace/DeviceGray"
PAGE = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>"
FONT = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"


def long_content() -> bytes:
    """Lines of their own each, so that a deflate stream of it is no short one."""
    letters = random.Random(5)
    words = ("".join(letters.choices("abcdefghijklmnop", k=40)) for _ in range(120))
    return "\n".join(
        f"BT /F 8 Tf 72 {800 - 6 * n} Td (Line {n} says {word}.) Tj ET" for n, word in enumerate(words)
    ).encode()


def packed(content: bytes, entries: str = FLATE) -> bytes:
    return one_page("", contents="6 0 R", more=(stream(content, entries),))


def _whole() -> dict[str, bytes]:
    text, deflated = lines_at().encode(), zlib.compress(long_content())
    flushed = zlib.compressobj()
    return {
        "an ordinary page": packed(deflated),
        "a wrong checksum": packed(deflated[:-4] + b"abcd"),
        "no checksum": packed(deflated[:-4]),
        "a stream that is flushed, not ended": packed(
            flushed.compress(long_content()) + flushed.flush(zlib.Z_SYNC_FLUSH)
        ),
        "a length too short": one_page("", contents="6 0 R", more=(b"<</Length 5>>stream\n" + text + b"\nendstream",)),
        "a length too long": one_page(
            "", contents="6 0 R", more=(b"<</Length 5000>>stream\n" + text + b"\nendstream",)
        ),
        "states restored too often": one_page(f"Q Q {lines_at()} Q Q"),
        "states never restored": one_page(f"q q {lines_at()}"),
        "a font that is not there": one_page(lines_at().replace("/F ", "/Q ")),
        "a lost form that is not drawn": one_page(lines_at(), resources="/XObject<</A 66 0 R>>"),
        "an unknown operator": one_page(f"1 2 zz {lines_at()}"),
    }


def _blank() -> dict[str, bytes]:
    return {
        "no content": one_page("", contents="null"),
        "an object that says null": one_page("", contents="6 0 R", more=("null",)),
        "no content streams": one_page("", contents="[]"),
        "an empty stream": one_page(""),
        "white space": one_page(" \n \n"),
    }


def _cut() -> dict[str, bytes]:
    deflated = zlib.compress(long_content())
    garbled = bytearray(deflated)
    garbled[len(garbled) // 2 : len(garbled) // 2 + 40] = bytes(40)
    whole = one_page(lines_at())
    return {
        "half a stream": packed(deflated[: len(deflated) // 2]),
        "a stream without its end": packed(deflated[:-60]),
        "a hole in a stream": packed(bytes(garbled)),
        "a file cut in its text": whole[: whole.index(b"Snow")],
        "one of two streams": one_page(lines_at(), contents="[4 0 R 66 0 R]"),
        "a lost form": one_page(f"/A Do {lines_at()}", resources="/XObject<</A 66 0 R>>"),
        "a form without a name": one_page(f"/A Do {lines_at()}"),
        "a lost picture": one_page(f"q 9 0 0 9 0 0 cm /I Do Q {lines_at()}", resources="/XObject<</I 66 0 R>>"),
        "half a form": one_page(
            f"{lines_at()} /A Do",
            resources="/XObject<</A 6 0 R>>",
            more=(stream(deflated[: len(deflated) // 2], FORM + FLATE),),
        ),
    }


def _lost() -> dict[str, bytes]:
    noise = bytes(random.Random(3).randrange(256) for _ in range(3000))
    drawn = {"content": "q 595 0 0 842 0 0 cm /I Do Q", "resources": "/XObject<</I 6 0 R>>"}
    return {
        "content that is not there": one_page("", contents="66 0 R"),
        "content that is no stream": one_page("", contents="6 0 R", more=("<</Length 30>>",)),
        "content that is a number": one_page("", contents="7"),
        "content that cannot be unpacked": packed(b"this is no deflate data" * 5),
        "a hole in the file": packed(bytes(5000), ""),
        "noise": packed(noise, ""),
        "a text that stops in its first word": packed(b"BT /F 11 Tf 72 700 Td (All the wor", ""),
        "nothing but a lost form": one_page("/A Do", resources="/XObject<</A 66 0 R>>"),
        "a picture that cannot be unpacked": one_page(**drawn, more=(stream(b"zz" * 99, PICTURE + FLATE),)),
        "a picture that is no JPEG": one_page(**drawn, more=(stream(b"zz" * 99, PICTURE + "/Filter/DCTDecode"),)),
    }


def _refused() -> dict[str, bytes]:
    def tree(catalog: str, pages: str) -> bytes:
        return raw_pdf(f"<</Type/Catalog{catalog}>>", f"<</Type/Pages{pages}>>", PAGE, stream(lines_at()), FONT)

    return {
        "a page that stands forty times": tree("/Pages 2 0 R", f"/Count 40/Kids[{'3 0 R ' * 40}]"),
        "too high a count": tree("/Pages 2 0 R", "/Count 7/Kids[3 0 R]"),
        "a negative count": tree("/Pages 2 0 R", "/Count -1/Kids[3 0 R]"),
        "a tree that is a page": tree("/Pages 3 0 R", "/Count 1/Kids[3 0 R]"),
    }


WHOLE, BLANK, CUT, LOST, REFUSED = _whole(), _blank(), _cut(), _lost(), _refused()
"""All text present; rightly blank; some of the text left; none of it left; refused by MuPDF."""


def cyclic_tree() -> bytes:
    """A page tree that holds one page and itself."""
    return raw_pdf(
        "<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Count 2/Kids[3 0 R 2 0 R]>>", PAGE, stream(lines_at()), FONT
    )


def page_named_often(levels: int = 6, times: int = 10) -> bytes:
    """A small file whose page tree names one page `times` to the power of `levels` times."""

    def node(level: int, kid: int) -> str:
        return f"<</Type/Pages/Count {times ** (levels - level)}/Kids[{f'{kid} 0 R ' * times}]>>"

    below = [node(level, 6 + level if level < levels - 1 else 3) for level in range(1, levels)]
    return raw_pdf("<</Type/Catalog/Pages 2 0 R>>", node(0, 6), PAGE, stream(lines_at()), FONT, *below)
