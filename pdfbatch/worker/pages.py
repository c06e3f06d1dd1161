"""The pages of an open document, packed: as objects the elements of a page take 90 KiB, packed 3."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from pdfbatch.records import PageResult


class Pages:
    """Results by page number. `bare` is a page without its elements, `whole` unpacks them."""

    def __init__(self) -> None:
        self._bare: dict[int, PageResult] = {}
        self._packed: dict[int, bytes] = {}

    def add(self, page: PageResult) -> None:
        """Replaces what was there under the number."""
        self._bare[page.number] = page.model_copy(update={"elements": []})
        self._packed.pop(page.number, None)
        if page.elements:
            told = page.model_dump_json(exclude_defaults=True).encode("utf-8", "surrogatepass")
            self._packed[page.number] = zlib.compress(told, 1)

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
        """The numbers, in order."""
        return iter(sorted(self._bare))
