"""Processors of a user for tests, named by what they do to their child process."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

from pdfbatch.processors import NoOptions, Processor, ReadDocument, UnfitDocument


class FaultOptions(NoOptions):
    """`how` fails documents whose keys hold `where`; `by_name` fails each as it is called."""

    how: str = "none"
    where: str = "bad"
    page: int = 0


class Notes(Processor):
    """Writes a note of each page; bad documents fail in the way that is asked for."""

    version = "1"
    Options = FaultOptions
    pages_per_task = 3

    options: FaultOptions

    def validate(self, document: ReadDocument) -> None:
        if document.key == "unfit.pdf":
            raise UnfitDocument("there is nothing to note")

    def process(self, document: ReadDocument) -> None:
        for page in document.pages():
            if self.options.how == "by_name":
                FAULTS.get(document.key.removesuffix(".pdf"), FAULTS["none"])(document)
            elif self.options.where in document.key and self.options.page in (0, page.number):
                FAULTS[self.options.how](document)
            (document.folder / "pages").mkdir(exist_ok=True)
            note = f"{document.key} {page.number} of {document.length}: {page.text}\n"
            (document.folder / "pages" / f"{page.number}.txt").write_text(note)


class Whole(Processor):
    """Writes the document's Markdown once more, with a temporary folder on the way."""

    version = "2"

    def process(self, document: ReadDocument) -> None:
        (document.folder / "copy.md").write_text(document.markdown())
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "note").write_text("not published")


class Slow(Processor):
    """Takes its time for each page."""

    version = "1"
    pages_per_task = 1

    def process(self, document: ReadDocument) -> None:
        time.sleep(0.03)
        (page,) = document.pages()
        (document.folder / f"{page.number}.txt").write_text(page.text)


class NotOne:
    version = "1"


def _hang(_: ReadDocument) -> None:
    time.sleep(600)


def _kill(_: ReadDocument) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_once(document: ReadDocument) -> None:
    mark = document.folder.parent / "was-here"
    if not mark.exists():
        mark.touch()
        _kill(document)


def _crash(_: ReadDocument) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _eat(_: ReadDocument) -> None:
    eaten = []
    while True:
        eaten.append(bytearray(64 << 20))


def _raise(_: ReadDocument) -> None:
    class Strange(Exception):
        """Cannot be sent to another process."""

    raise Strange("no such\nword")


def _exit(_: ReadDocument) -> None:
    sys.exit(3)


def _look(_: ReadDocument) -> None:
    Path("/etc/passwd").read_text()


def _call(_: ReadDocument) -> None:
    socket.create_connection(("127.0.0.1", 9))


FAULTS = {
    "none": lambda _: None,
    "hang": _hang,
    "kill": _kill,
    "kill_once": _kill_once,
    "crash": _crash,
    "eat": _eat,
    "raise": _raise,
    "exit": _exit,
    "look": _look,
    "call": _call,
}
