"""What a child hands back of a page. Light: the parent process imports it too."""

from collections.abc import Mapping
from typing import NamedTuple

from pdfbatch.records import PageResult


class PageRead(NamedTuple):
    """What became of a page, and its figures, PNG files by name."""

    page: PageResult
    figures: Mapping[str, bytes] = {}
