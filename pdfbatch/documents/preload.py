"""Imported once by the server that children are forked from: they find the libraries and models loaded.

Safe because every session has one thread (threads.py), so the server that is forked has no thread but its own.
"""

from pdfbatch.documents.children import be_silent, die_with_parent
from pdfbatch.documents.reading import warm

be_silent()
die_with_parent()
warm()
