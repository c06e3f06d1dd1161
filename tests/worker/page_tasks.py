"""Page tasks for tests, named by what they do to their child process; each is an engine by `engine(task)`.

Page N of a document is special by its number: page 2 is the one that fails.
"""

import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pdfbatch.documents.page_read import PageRead
from pdfbatch.documents.sandbox.children import READING
from pdfbatch.engines.base import ChildEngine, PageTask
from pdfbatch.records import ReadOptions
from tests.pages import page_of

BAD_PAGE = 2
Task = Callable[..., PageRead]


def engine(task: PageTask, preload: str = READING) -> ChildEngine:
    return ChildEngine(task.__name__, task, preload, [Path(tempfile.gettempdir())])


def note(path: str, number: int, options: ReadOptions, attempt: int = 0) -> PageRead:
    """Reads nothing, and notes beside the PDF that it was asked for this page."""
    with Path(path + ".read").open("a") as log:
        log.write(f"{number}\n")
    return PageRead(page_of(f"{Path(path).name} page {number}.", number, read_by="note"))


def note_slowly(path: str, number: int, options: ReadOptions, attempt: int = 0) -> PageRead:
    time.sleep(0.03)
    return note(path, number, options, attempt)


def segfault(path: str, number: int, options: ReadOptions, attempt: int = 0) -> PageRead:
    if number == BAD_PAGE:
        os.kill(os.getpid(), signal.SIGSEGV)
    return note(path, number, options, attempt)


def segfault_once(path: str, number: int, options: ReadOptions, attempt: int = 0) -> PageRead:
    result = note(path, number, options, attempt)
    if number == BAD_PAGE and pages_read(Path(path)).count(BAD_PAGE) == 1:
        os.kill(os.getpid(), signal.SIGSEGV)
    return result


def hang(path: str, number: int, options: ReadOptions, attempt: int = 0) -> PageRead:
    if number == BAD_PAGE:
        while True:
            time.sleep(60)
    return note(path, number, options, attempt)


def eat_memory(path: str, number: int, options: ReadOptions, attempt: int = 0) -> PageRead:
    eaten = []
    while number == BAD_PAGE:
        eaten.append(bytearray(64 << 20))
    return note(path, number, options, attempt)


def raise_error(path: str, number: int, options: ReadOptions, attempt: int = 0) -> PageRead:
    if number == BAD_PAGE:
        raise ValueError("no such glyph")
    return note(path, number, options, attempt)


def raise_always(path: str, number: int, options: ReadOptions, attempt: int = 0) -> PageRead:
    raise ValueError("no such device")


def pages_read(pdf: Path) -> list[int]:
    """What `note` noted: page numbers in the order they were asked for."""
    log = Path(f"{pdf}.read")
    return [int(number) for number in log.read_text().split()] if log.exists() else []


def hang_in_full(path: str, number: int, options: ReadOptions, attempt: int = 0) -> PageRead:
    return (note if attempt else hang)(path, number, options)


def die_in_full(path: str, number: int, options: ReadOptions, attempt: int = 0) -> PageRead:
    return (note if attempt else segfault)(path, number, options)


def eat_memory_in_full(path: str, number: int, options: ReadOptions, attempt: int = 0) -> PageRead:
    return (note if attempt else eat_memory)(path, number, options)


def hang_in_bombs(path: str, number: int, options: ReadOptions, attempt: int = 0) -> PageRead:
    while "bomb" in path:
        time.sleep(60)
    return note(path, number, options)
