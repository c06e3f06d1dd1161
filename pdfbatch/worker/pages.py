"""The pages of an open document, compressed: a page's elements take 90 KiB as objects and 3 KiB compressed."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from pdfbatch.records import PageResult


class Pages:
    """Results by page number. `bare` returns a page without its elements, `whole` with them."""

    def __init__(self) -> None:
        self._bare: dict[int, PageResult] = {}
        self._packed: dict[int, bytes] = {}

    def add(self, page: PageResult) -> None:
        """Adds a page; replaces an earlier result for its number."""
        self._bare[page.number] = page.model_copy(update={"elements": []})
        self._packed.pop(page.number, None)
        if page.elements:
            data = page.model_dump_json(exclude_defaults=True).encode("utf-8", "surrogatepass")
            self._packed[page.number] = zlib.compress(data, 1)

    def whole(self, number: int) -> PageResult:
        if number not in self._packed:
            return self._bare[number]
        return PageResult.model_validate_json(zlib.decompress(self._packed[number]).decode("utf-8", "surrogatepass"))

    def bare(self, number: int) -> PageResult:
        return self._bare[number]

    def has_elements(self, number: int) -> bool:
        return number in self._packed

    def __contains__(self, number: int) -> bool:
        return number in self._bare

    def __len__(self) -> int:
        return len(self._bare)

    def __iter__(self) -> Iterator[int]:
        """Yields the numbers in order."""
        return iter(sorted(self._bare))
