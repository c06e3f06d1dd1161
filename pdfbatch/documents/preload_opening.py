"""Imported once by the server that children are forked from which open PDFs and read no page; see preload.py."""

import pdfbatch.documents.judge  # noqa: F401 (what a child is first asked for)
from pdfbatch.documents.sandbox.children import be_silent, die_with_parent

be_silent()
die_with_parent()
