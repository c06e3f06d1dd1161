"""Imported once by the server that forks children which open PDFs but read no page; see preload.py."""

import pdfbatch.documents.judge
import pdfbatch.documents.tasks  # noqa: F401 (what a child runs)
from pdfbatch.documents.sandbox.children import be_silent, die_with_parent

be_silent()
die_with_parent()
