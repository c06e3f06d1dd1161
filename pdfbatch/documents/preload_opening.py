"""Imported once by the server that forks children which open PDFs but read no page; see preload.py."""

# ruff: noqa: E402, F401 (as there)
from pdfbatch.documents.sandbox.children import be_silent, die_with_parent

be_silent()
die_with_parent()

import pdfbatch.documents.judge
import pdfbatch.documents.tasks
