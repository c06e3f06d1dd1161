"""What was found about a file before any page of it is read. Light: the parent process imports it too."""

from typing import NamedTuple

from pdfbatch.records import Heading, Reason


class Judgement(NamedTuple):
    """`reason` None: `pages` pages can be tried. Otherwise why not, and in `detail` what the library said."""

    pages: int
    reason: Reason | None = None
    detail: str = ""
    outline: list[Heading] = []  # noqa: RUF012 (a tuple's default, never changed)
