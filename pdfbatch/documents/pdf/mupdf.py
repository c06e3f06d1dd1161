"""The only import of pymupdf.

Importing pymupdf creates the layout model's sessions at once, which takes most of the import time and starts a thread
for each core; forking a process with such threads is not safe. So pymupdf is imported without them here, and
layout/model.py creates its own. No other module imports pymupdf directly.
"""

from __future__ import annotations

import sys

from pdfbatch.documents.pdf.one_thread import use_one_thread

_LAYOUT = "pymupdf.layout"

use_one_thread()
sys.modules.setdefault(_LAYOUT, None)  # type: ignore[arg-type] # hides the module from pymupdf's import

import pymupdf  # noqa: E402

if sys.modules[_LAYOUT] is None:
    del sys.modules[_LAYOUT]

__all__ = ["pymupdf"]
