"""Imported once by the server that children are forked from: they find the libraries and models loaded.

Safe because every session has one thread (one_thread.py), so the server that is forked has no thread but its own.
"""

from pdfbatch.documents.ocr.scan import load
from pdfbatch.documents.pdf.silence import silenced
from pdfbatch.documents.reading import warm
from pdfbatch.documents.sandbox.children import be_silent, die_with_parent

be_silent()
die_with_parent()
warm()
with silenced():
    load()  # fonts are checked by it, so that nearly every document needs it
