"""The pages that a person marked for another try: kept in a file, which `retry-failures --pages` takes as it is."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

from pdfbatch.errors import UsageError
from pdfbatch.records import PageSet, page_list, read_page_list
from pdfbatch.store.file_errors import file_errors

_COMMENT = "Pages to read again, marked in `pdfbatch view`; for `pdfbatch retry-failures --pages`. Output: "
_FIRST = "# "
_MOST_PAGES = 10_000


class Marks:
    """The marked pages by key. Several threads may use it; every change is in the file before it returns."""

    def __init__(self, path: Path, output: str) -> None:
        """Reads the marks of an earlier visit.

        Raises:
            UsageError: the file is not a list of pages, or is one of another output.
        """
        self.path = path
        self._comment = _COMMENT + output
        self._lock = threading.Lock()
        self._pages = {key: set(numbers) for key, numbers in _read(path, self._comment).items()}

    def pages_of(self, key: str) -> frozenset[int]:
        with self._lock:
            return frozenset(self._pages.get(key, ()))

    def count(self) -> int:
        """Returns the number of marked pages."""
        with self._lock:
            return sum(map(len, self._pages.values()))

    def listed(self) -> Mapping[str, str]:
        """Returns the marked pages of each document, such as `1-3,7`."""
        with self._lock:
            return self._listed()

    def set(self, key: str, page: int, marked: bool) -> None:
        """Marks a page, or takes its mark away."""
        with self._lock:
            pages = self._pages.setdefault(key, set())
            (pages.add if marked else pages.discard)(page)
            if not pages:
                del self._pages[key]
            self._save()

    def _listed(self) -> Mapping[str, str]:
        return {key: str(PageSet.read(",".join(map(str, sorted(pages))))) for key, pages in self._pages.items()}

    def _save(self) -> None:
        """Replaces the file at once: a reader sees the old list or the new one."""
        with file_errors(f"write {self.path}"):
            beside = self.path.with_name(f".{self.path.name}.new")
            beside.write_text(page_list(self._listed(), self._comment), "utf-8")
            beside.replace(self.path)


def _read(path: Path, comment: str) -> Mapping[str, list[int]]:
    if not path.exists():
        return {}
    with file_errors(f"read {path}"):
        text = path.read_bytes().decode("utf-8", "replace")
    hint = "Choose another file with --marks, or move this one."
    if text.startswith(_FIRST + _COMMENT) and text.split("\n", 1)[0] != _FIRST + comment:
        raise UsageError(f"{path} has the marks of another output.", hint)
    try:
        return {key: _numbers(pages) for key, pages in read_page_list(text).items()}
    except ValueError as error:
        raise UsageError(f"{path} is not a list of pages: {error}.", hint) from error


def _numbers(pages: str) -> list[int]:
    """Returns the pages of a list; all pages of a document, and very many, are marked by the first one."""
    spans = PageSet.read(pages).spans
    if not spans or any(last is None or last - first >= _MOST_PAGES for first, last in spans):
        return [1]
    return [number for first, last in spans for number in range(first, (last or first) + 1)]
