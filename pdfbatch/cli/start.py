"""The console script. It starts what takes longest before it imports the program."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

_ANOTHER_ENGINE = ("--engine", "--command")
_ONLY_HELP = ("-h", "--help")


def main() -> NoReturn:
    """Runs the program with the words of the command line."""
    if reads_pages(sys.argv[1:]):
        from pdfbatch.documents.sandbox.server import READING, warm_up

        warm_up(READING)
    from pdfbatch.cli.app import run

    run()


def reads_pages(words: Sequence[str]) -> bool:
    """Whether this command surely reads pages in children of this process. Their libraries and models take two
    seconds to load, the program most of one."""
    return words[:1] == ["local-run"] and not any(
        word.startswith(_ANOTHER_ENGINE) or word in _ONLY_HELP for word in words
    )
