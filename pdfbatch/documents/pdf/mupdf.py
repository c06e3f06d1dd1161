"""The one door to pymupdf.

Importing pymupdf makes the layout model's sessions at once, which takes most of the import, with a thread for each
core; forking a process that has such threads is not safe either. So it is imported without them, layout/model.py makes
its own, and nobody imports pymupdf but through here.
"""

from __future__ import annotations

import sys

from pdfbatch.documents.pdf.one_thread import use_one_thread

_LAYOUT = "pymupdf.layout"

use_one_thread()
sys.modules.setdefault(_LAYOUT, None)  # type: ignore[arg-type] # as if it were not installed, for pymupdf's import

import pymupdf  # noqa: E402

if sys.modules[_LAYOUT] is None:
    del sys.modules[_LAYOUT]

__all__ = ["pymupdf"]
