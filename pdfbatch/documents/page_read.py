"""What a child process returns for a page. Light, because the parent process imports it too."""

from collections.abc import Mapping
from typing import NamedTuple

from pdfbatch.records import PageResult


class PageRead(NamedTuple):
    """The result for a page, and its figures as PNG files by name."""

    page: PageResult
    figures: Mapping[str, bytes] = {}
