"""Imported once by the server that children are forked from, so that they start with libraries and models loaded.

Forking is safe because every session runs in one thread (one_thread.py), so the server has no thread but its main one.
Creating the sessions in two threads would save 0.3 s, but a thread that has been joined may still hold a lock of a C
library while it ends, and a child forked then would never get it.
"""

# ruff: noqa: E402 (a server that is told to end while it loads must end at once)
from pdfbatch.documents.sandbox.children import be_silent, die_with_parent

be_silent()
die_with_parent()

import gc

import pdfbatch.documents.judge
import pdfbatch.documents.tasks  # noqa: F401 (what a child runs)
from pdfbatch.documents.layout.regions import load_model
from pdfbatch.documents.ocr.scan import load
from pdfbatch.documents.pdf.silence import silenced

with silenced():
    load_model()
    load()  # it also checks fonts, so nearly every document needs it

gc.freeze()  # or each child would search all of it for garbage, and so get a copy of its own
