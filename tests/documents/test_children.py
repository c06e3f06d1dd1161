"""The pool of child processes: a slow or failed start is no fault of the documents that wait for it."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future, wait
from pathlib import Path

import pytest

from pdfbatch.documents.sandbox.children import Children, failure_of
from pdfbatch.errors import NotReady
from pdfbatch.records import Reason

LOADED = "tests.worker.loaded"
FAILING = "tests.documents.start_fails"
MIB = 512


@pytest.fixture(autouse=True)
def started(loaded_children: None) -> None:
    """The server runs, so what a pool asks to preload is loaded by its children themselves."""


@pytest.fixture
def failing_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file: one child for each of its letters ends while it starts. Children are in this process's folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "starts"


def test_a_slow_start_is_no_death() -> None:
    from tests.documents.slow_to_load import double  # by the children too, each for itself

    with Children(3, MIB, preload=LOADED, lock_seconds=0.1) as children:
        told = [children.submit(30, double, number) for number in range(6)]
        assert [each.result() for each in told] == [0, 2, 4, 6, 8, 10]


def test_the_time_to_start_is_not_part_of_a_deadline() -> None:
    with Children(2, MIB, preload="tests.documents.slow_to_load") as children:
        assert children.submit(0.5, math.factorial, 3).result() == 6


def test_tasks_survive_children_that_end_while_they_start(failing_starts: Path) -> None:
    failing_starts.write_text("x")
    with Children(1, MIB, preload=FAILING) as children:
        told = [children.submit(30, math.factorial, number) for number in range(5)]
        assert [each.result() for each in told] == [1, 1, 2, 6, 24]
    assert failing_starts.read_text() == ""


def test_children_that_never_start_are_no_failure_of_a_document(failing_starts: Path) -> None:
    failing_starts.write_text("x" * 100)
    with Children(1, MIB, preload=FAILING) as children:
        told = [children.submit(30, math.factorial, number) for number in range(3)]
        for each in told:
            with pytest.raises(NotReady, match="ended while they were starting, 3 times"):
                each.result()


def test_tasks_survive_the_death_of_an_idle_child() -> None:
    with Children(1, MIB, preload=LOADED) as children:
        os.kill(children.submit(30, os.getpid).result(), signal.SIGKILL)
        assert children.submit(30, math.factorial, 4).result() == 24


def test_a_task_that_kills_its_child_every_time_fails() -> None:
    with Children(1, MIB, preload=LOADED) as children:
        error = children.submit(30, os._exit, 9).exception()
        assert error is not None and failure_of(error).reason is Reason.CRASHED
        assert children.submit(30, math.factorial, 4).result() == 24


def test_the_death_of_the_server_that_forks_children_costs_one_try() -> None:
    with Children(2, MIB, preload=LOADED) as children:
        os.kill(children.submit(30, os.getppid).result(), signal.SIGKILL)
        wait(_factorials(children))  # a child that dies with the server may have taken one of these
        for _ in range(2):
            assert [each.result() for each in _factorials(children)] == [1, 1, 2, 6]


def test_children_outlive_the_thread_that_made_them() -> None:
    made: list[Children] = []
    thread = threading.Thread(target=lambda: made.append(Children(1, MIB, preload=LOADED)))
    thread.start()
    thread.join()
    with made[0] as children:
        assert [each.result() for each in _factorials(children)] == [1, 1, 2, 6]


def test_children_are_loaded_beside_their_parent_once_it_asks_for_that(tmp_path: Path) -> None:
    script = """
import os, pathlib
from pdfbatch.documents.sandbox.children import Children
from pdfbatch.documents.sandbox.server import warm_up
PRELOAD = "tests.documents.waits_to_load"
warm_up(PRELOAD)
pathlib.Path("go").touch()  # it has not waited for what is loaded
with Children(1, 512, preload=PRELOAD) as children:
    print(children.submit(30, os.getppid).result(), end="")
"""
    places = os.pathsep.join(place or str(Path.cwd()) for place in sys.path)
    ran = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": places},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.stdout == (tmp_path / "loaded-by").read_text(), ran.stderr


def test_the_server_that_forks_children_has_one_thread_so_no_lock_is_held_when_it_forks() -> None:
    with Children(1, MIB, preload=LOADED) as children:
        server = children.submit(30, os.getppid).result()
        assert len(list(Path(f"/proc/{server}/task").iterdir())) == 1


def test_the_server_waits_until_the_threads_that_load_models_have_ended_for_the_kernel_too() -> None:
    script = """
import _thread, os, time
from pdfbatch.documents.sandbox.server import wait_for_threads
_thread.start_new_thread(time.sleep, (0.3,))
wait_for_threads()
print(len(os.listdir("/proc/self/task")), end="")
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert ran.stdout == "1", ran.stderr


def test_after_a_kill_nothing_is_started() -> None:
    children = Children(1, MIB, preload=LOADED)
    children.kill()
    error = children.submit(30, math.factorial, 4).exception()
    assert error is not None and failure_of(error).reason is Reason.CRASHED


def _factorials(children: Children) -> list[Future[int]]:
    return [children.submit(30, math.factorial, number) for number in range(4)]
