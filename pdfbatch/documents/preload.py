"""Imported once by the server that children are forked from, so that they start with libraries and models loaded.

Forking is safe because the server has no thread but its main one: every session runs in one thread (one_thread.py), and
the two that create the sessions have ended. Python joins a thread before the kernel has ended it, and until then it may
hold a lock of a C library, which a child forked meanwhile would never get: in a loop of such forks, 7 of 4,000 children
waited for ever for one inside OpenCV. So this waits for the kernel; then it was none of 4,000.
"""

# ruff: noqa: E402 (a server that is told to end while it loads must end at once)
from pdfbatch.documents.sandbox.children import be_silent, die_with_parent

be_silent()
die_with_parent()

import gc
from concurrent.futures import ThreadPoolExecutor

import pdfbatch.documents.judge
import pdfbatch.documents.tasks  # noqa: F401 (what a child runs)
from pdfbatch.documents.layout.regions import load_model
from pdfbatch.documents.ocr.scan import load
from pdfbatch.documents.pdf.silence import silenced
from pdfbatch.documents.sandbox.server import wait_for_threads

# OCR also checks fonts, so nearly every document needs it. Creating a session leaves Python to other threads.
with silenced(), ThreadPoolExecutor(2) as threads:
    for loading in [threads.submit(load_model), threads.submit(load)]:
        loading.result()

wait_for_threads()
gc.freeze()  # or each child would search all of it for garbage, and so get a copy of its own
