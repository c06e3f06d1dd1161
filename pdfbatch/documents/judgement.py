"""What is known about a file before any page of it is read. Light, because the parent process imports it too."""

from typing import NamedTuple

from pdfbatch.records import Heading, Reason


class Judgement(NamedTuple):
    """The verdict on a file. With `reason` None it has `pages` pages to read; otherwise `detail` has the library's
    message."""

    pages: int
    reason: Reason | None = None
    detail: str = ""
    outline: list[Heading] = []  # noqa: RUF012 (a tuple's default, never changed)


AS_SHOWN = -1
"""In place of a rotation: as a viewer shows the page."""


class PagePicture(NamedTuple):
    """A page drawn as WebP; without `data`, `detail` says why there is none."""

    data: bytes
    detail: str = ""
