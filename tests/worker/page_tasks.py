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
from pdfbatch.documents.sandbox.server import READING
from pdfbatch.engines.base import ChildEngine, PageTask
from pdfbatch.records import Box, Element, Label, PageResult, ReadOptions, Span, plain_text
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


def hang_or_wait(path: str, number: int, options: ReadOptions, attempt: int = 0) -> PageRead:
    """Of the pages after the first, one hangs, and the others wait until there is a file `go` beside the document."""
    if number not in (1, BAD_PAGE):
        Path(path).with_name("waits").touch()
        while not Path(path).with_name("go").exists():
            time.sleep(0.02)
    return hang(path, number, options, attempt)


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


HOSTILE = "<script>document.title='owned'</script> [x](javascript:alert(1)) ![y](http://evil.example/y.png)"


def show(path: str, number: int, options: ReadOptions, attempt: int = 0) -> PageRead:
    """Reads every page as a heading, a formula and a text of a stranger; the first pages of documents are doubtful."""
    boxes: list[Box] = [(72, 60, 400, 80), (72, 100, 300, 130), (72, 150, 523, 200)]
    heading = Element(label=Label.HEADING, box=boxes[0], spans=plain_text(f"Heading of page {number}"))
    formula = Element(
        label=Label.FORMULA, box=boxes[1], spans=[Span(text=r"\frac{a}{b}", math=True)], source="dolphin", score=0.7
    )
    text = Element(label=Label.PARAGRAPH, box=boxes[2], spans=plain_text(HOSTILE), source="ocr", score=0.8)
    score = 0.5 if number == 1 else 1.0
    elements = [heading, formula, text]
    page = PageResult(number=number, width=595, height=842, read_by="text", score=score, elements=elements)
    return PageRead(page)


def show_when_told(path: str, number: int, options: ReadOptions, attempt: int = 0) -> PageRead:
    """Waits with the first page of documents named z… until there is a file `go` beside them."""
    while number == 1 and Path(path).name.startswith("z") and not Path(path).with_name("go").exists():
        time.sleep(0.05)
    return show(path, number, options, attempt)
