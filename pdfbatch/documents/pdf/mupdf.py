"""The one door to pymupdf.

Importing pymupdf makes the layout model's sessions at once, with a thread for each core; forking a process that has
such threads is not safe either. So the number is set before, and nobody imports pymupdf but through here.
"""

from __future__ import annotations

from pdfbatch.documents.pdf.one_thread import use_one_thread

use_one_thread()

import pymupdf  # noqa: E402

__all__ = ["pymupdf"]
