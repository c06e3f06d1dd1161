"""A command is run with limits, and ends whole: with all processes that it started."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pdfbatch.worker.command_run import Ended, run_command


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Ended]:
    def run(line: str, seconds: float = 60, memory_mib: int = 0, stops_at: float = float("inf")) -> Ended:
        return run_command(line, seconds, memory_mib, tmp_path / "log", lambda: time.monotonic() >= stops_at)

    return run


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("true", 0, ""),
        ("echo one; echo two; exit 3", 3, "two"),
        ("echo wrong >&2; exit 75", 75, "wrong"),
        ("no-such-tool", 127, "not found"),
        ("kill -KILL $$", -9, ""),
        ("printf 'no end of line'", 0, "no end of line"),
        ("cat", 0, ""),
    ],
)
def test_its_end_is_an_exit_code_and_its_last_line(run: Callable[..., Ended], line: str, code: int, said: str) -> None:
    ended = run(line)
    assert ended.code == code and said in ended.last_line and not ended.is_late and not ended.is_stopped


@pytest.mark.slow
def test_after_its_time_it_is_killed_with_everything_that_it_started(run: Callable[..., Ended], tmp_path: Path) -> None:
    ended = run(f"sh -c 'echo $$ > {tmp_path}/inner; sleep 600' & trap '' TERM; wait; sleep 600", seconds=0.5)
    assert ended.is_late and not ended.is_stopped
    assert _is_gone(int((tmp_path / "inner").read_text()))


def test_a_stop_ends_it(run: Callable[..., Ended]) -> None:
    ended = run("sleep 600", stops_at=time.monotonic() + 0.3)
    assert ended.is_stopped and ended.code == -15


def test_nothing_that_it_left_running_goes_on(run: Callable[..., Ended], tmp_path: Path) -> None:
    assert run(f"sleep 600 & echo $! > {tmp_path}/left").code == 0
    assert _is_gone(int((tmp_path / "left").read_text()))


def test_a_process_that_needs_more_memory_than_allowed_fails(run: Callable[..., Ended]) -> None:
    line = "python3 -c 'print(len(bytearray({} << 20)))'"
    assert run(line.format(600), memory_mib=300).code != 0
    assert run(line.format(100), memory_mib=300).code == 0


def _is_gone(process: int) -> bool:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            os.kill(process, 0)
            if (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False
