"""What reaches a terminal, a pipe and a log."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from samples.many import long_pdf

LONG = "s3://papers/" + "very-long-folder-names/" * 40
COMMAND = [sys.executable, "-m", "pdfbatch.cli"]


def bare(**more: str) -> dict[str, str]:
    """The environment without COLUMNS: as a script has it."""
    return {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "TERM", "FORCE_COLOR")} | more


def test_a_pipe_gets_every_row_of_a_table_whole(tmp_path: Path) -> None:
    environment = bare(PDFBATCH_INPUT=LONG)
    shown = subprocess.run(
        [*COMMAND, "config", "--all"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    rows = shown.stdout.splitlines()
    assert [row.split() for row in rows if row.startswith("input ")] == [["input", LONG, "PDFBATCH_INPUT"]]
    assert all(row == row.rstrip() and row[0] != " " for row in rows)


TO_STDERR = """
from rich.table import Table
from pdfbatch.cli.console import say, waiting
table = Table("name", "value", box=None)
table.add_row("short", "x" * 300)
table.add_row("b", "y")
with waiting("Checking the account"):
    say(table)
"""


def test_a_log_gets_tables_whole_and_without_padding() -> None:
    shown = subprocess.run([sys.executable, "-c", TO_STDERR], env=bare(), capture_output=True, text=True, check=True)
    head, first, second = shown.stderr.splitlines()
    assert first.endswith(" " + "x" * 300)
    assert [line for line in (head, first, second) if line != line.rstrip()] == []


@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
def test_a_terminal_shows_what_takes_some_seconds(term: str) -> None:
    controller, terminal = pty.openpty()
    subprocess.run([sys.executable, "-c", TO_STDERR], env=bare(TERM=term), stderr=terminal, check=True)
    os.close(terminal)
    assert b"Checking the account" in os.read(controller, 100_000)
    os.close(controller)


@pytest.mark.slow
def test_a_second_ctrl_c_leaves_the_prompt_on_a_line_of_its_own(tmp_path: Path) -> None:
    long_pdf(tmp_path / "long.pdf", 1000)
    command = [*COMMAND, "local-run", "long.pdf", "out", "--engine", "cpu", "--processes", "1"]
    controller, terminal = pty.openpty()
    with subprocess.Popen(command, cwd=tmp_path, env=bare(TERM="xterm"), stderr=terminal) as program:
        os.close(terminal)
        shown = b""
        for awaited in (b"reading ", b"again to quit", b"again to quit"):
            shown = _read_until(controller, awaited)
            program.send_signal(signal.SIGINT)
        shown = _rest(controller)
    os.close(controller)
    assert program.returncode == 130
    assert shown.endswith(b"\x1b[?25h\r\n"), shown[-200:]


def _read_until(controller: int, awaited: bytes) -> bytes:
    shown = b""
    while awaited not in shown:
        shown += os.read(controller, 10_000)
    return shown


def _rest(controller: int) -> bytes:
    """Everything up to the end: Linux reports the end of a terminal as an error."""
    shown = b""
    try:
        while more := os.read(controller, 10_000):
            shown += more
    except OSError:
        pass
    return shown
