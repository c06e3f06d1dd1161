"""Write PDF files from bare objects, for files that no library would write, or not fast enough."""

from __future__ import annotations

HEADER = b"%PDF-1.7\n"


def raw_pdf(*objects: str | bytes) -> bytes:
    """A PDF of these objects, numbered from 1, with a right cross-reference table; object 1 is the catalog."""
    parts, offsets, size = [HEADER], [], len(HEADER)
    for number, body in enumerate(objects, start=1):
        offsets.append(size)
        parts.append(b"%d 0 obj\n%s\nendobj\n" % (number, _encoded(body)))
        size += len(parts[-1])
    parts.append(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    parts += [b"%010d 00000 n \n" % offset for offset in offsets]
    parts.append(b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, size))
    return b"".join(parts)


def stream(content: bytes | str, entries: str = "") -> bytes:
    """A stream object; `entries` are further keys of its dictionary."""
    data = _encoded(content)
    return b"<</Length %d%s>>stream\n%s\nendstream" % (len(data), entries.encode("ascii"), data)


def one_page(
    content: str,
    *,
    box: str = "0 0 595 842",
    contents: str = "4 0 R",
    fonts: str = "",
    resources: str = "",
    page: str = "",
    more: tuple[str | bytes, ...] = (),
) -> bytes:
    """A one-page PDF. Object 4 is the content, 5 the font /F (Helvetica), `more` are objects from 6 on.

    `contents` names other content streams, `fonts`, `resources` and `page` add to those dictionaries.
    """
    resources = f"/Resources<</Font<</F 5 0 R{fonts}>>{resources}>>"
    return raw_pdf(
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[{box}]/Contents {contents}{resources}{page}>>",
        stream(content),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        *more,
    )


def _encoded(text: str | bytes) -> bytes:
    """In WinAnsi, which the fonts above use."""
    return text.encode("cp1252") if isinstance(text, str) else text
