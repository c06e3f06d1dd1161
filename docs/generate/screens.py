"""Draws the screen of `status` during a real local run, for light and dark readers."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from pdfbatch.demo.pdfs import DEMO, Sample
from samples.many import WORDS, many_pdfs

WIDTH = 100
WORKERS = 4
DOCUMENTS = 75
PAGES = 2
SHOWN_SHARE = 0.4
"""Share of the run that is done when its picture is taken."""
LONGEST_SECONDS = 600
FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"

_NORMAL_DARK = [(72, 79, 88), (255, 123, 114), (63, 185, 80), (210, 153, 34),
                (88, 166, 255), (188, 140, 255), (57, 197, 207), (177, 186, 196)]  # fmt: skip
_NORMAL_LIGHT = [(36, 41, 47), (207, 34, 46), (17, 99, 41), (124, 84, 0),
                 (9, 105, 218), (130, 80, 223), (27, 124, 131), (110, 119, 129)]  # fmt: skip
THEMES = {
    "dark": TerminalTheme((13, 17, 23), (230, 237, 243), _NORMAL_DARK),
    "light": TerminalTheme((255, 255, 255), (36, 41, 47), _NORMAL_LIGHT),
}


def draw(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as home:
        screen = _run_half_way(Path(home))
    for name, theme in THEMES.items():
        (folder / f"status-{name}.svg").write_text(_svg(screen, theme), encoding="utf-8")


def _run_half_way(home: Path) -> str:
    """Returns the coloured screen of `status` in the middle of a run of several slices."""
    _make_papers(home / "papers")
    with _workers(home):
        deadline = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < deadline:
            time.sleep(1)
            screen = _status(home)
            done = re.search(r"([\d,]+)/" + f"{DOCUMENTS + len(_broken()):,}", Text.from_ansi(screen).plain)
            if done and int(done[1].replace(",", "")) >= SHOWN_SHARE * DOCUMENTS:
                return screen
    raise TimeoutError(f"no picture after {LONGEST_SECONDS} s; the last screen was:\n{screen}")


def _make_papers(folder: Path) -> None:
    """Writes papers in folders by year, the broken ones in the first."""
    for number, path in enumerate(many_pdfs(folder, DOCUMENTS, pages=PAGES, lines=8)):
        year = folder / str(2015 + number // 8)
        year.mkdir(exist_ok=True)
        path.rename(year / f"{WORDS[number % len(WORDS)]}-{WORDS[7 * number % len(WORDS)]}-{number}.pdf")
    for sample in _broken():
        (folder / "2015" / sample.name).write_bytes(sample.make())


def _broken() -> list[Sample]:
    return [sample for sample in DEMO if sample.outcome == "failed"]


@contextmanager
def _workers(home: Path) -> Iterator[None]:
    slicing = ("--engine", "cpu", "--processes", "1", "--total-workers", str(WORKERS))
    started = [
        subprocess.Popen(
            _pdfbatch("local-run", "papers", "papers-md", *slicing, "--worker-id", str(worker)),
            cwd=home,
            env=_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for worker in range(WORKERS)
    ]
    try:
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()


def _status(home: Path) -> str:
    asked = subprocess.run(
        _pdfbatch("status", "papers-md"), cwd=home, capture_output=True, text=True, env=_environment(), check=False
    )
    return asked.stdout


def _pdfbatch(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pdfbatch", *arguments]


def _environment() -> dict[str, str]:
    return os.environ | {"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": str(WIDTH), "NO_COLOR": ""}


def _svg(screen: str, theme: TerminalTheme) -> str:
    """Draws the screen below its command, with local fonts instead of one from the network."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, legacy_windows=False)
    console.print(Text("$ pdfbatch status papers-md --watch", style="bold"))
    console.print(Text.from_ansi(screen.rstrip()), no_wrap=True, crop=True)
    drawn = console.export_svg(title="pdfbatch", theme=theme)
    drawn = re.sub(r"@font-face \{.*?\}", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r"font-family: *[^;]*;", f"font-family: {FONT};", drawn)
    return re.sub(r"[ \t]+$", "", drawn, flags=re.MULTILINE)
