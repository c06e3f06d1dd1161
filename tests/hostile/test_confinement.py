"""What a child of the sandbox may touch: its documents and its scratch folder, and nothing else of this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pdfbatch.documents.page_read import PageRead
from pdfbatch.documents.sandbox.children import Children, failure_of
from pdfbatch.documents.sandbox.confinement import Bounds, lacking
from pdfbatch.documents.sandbox.landlock import version
from pdfbatch.documents.tasks import judge_file, read_page
from pdfbatch.engines.base import ChildEngine
from pdfbatch.records import ReadOptions, Reason
from pdfbatch.runs.ledger import newest
from pdfbatch.store import open_store
from samples.many import many_pdfs
from tests.pages import page_of
from tests.worker.conftest import RunSlice
from tests.worker.conftest import out as out
from tests.worker.conftest import pdfs as pdfs
from tests.worker.conftest import run_slice as run_slice

MIB = 2048

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can confine a process without privileges")
needs_landlock = pytest.mark.skipif(sys.platform == "linux" and version() == 0, reason="this kernel has no Landlock")


class Room:
    """A folder of documents, a scratch folder and a secret, and children that may use the first two."""

    def __init__(self, folder: Path, children: Children) -> None:
        self.documents, self.scratch, self.secret = folder / "in", folder / "scratch", folder / "secret.txt"
        self._children = children

    def refused(self, task: Callable[..., object], *given: object) -> str:
        """The detail of the failure with which a task ends that does what it may not."""
        error = self._children.submit(60, task, *given).exception()
        assert error is not None, "it was allowed"
        failure = failure_of(error)
        assert failure.reason is Reason.ENGINE_ERROR, failure
        return failure.detail

    def allowed(self, task: Callable[..., object], *given: object) -> object:
        return self._children.submit(60, task, *given).result()


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory, loaded_children: None) -> Iterator[Room]:
    folder = tmp_path_factory.mktemp("room")
    bounds = Bounds((folder / "in",), (folder / "scratch",))
    for place in ("in", "scratch"):
        (folder / place).mkdir()
    many_pdfs(folder / "in", 1)
    (folder / "secret.txt").write_text("the key of the house")
    with Children(1, MIB, bounds=bounds) as children:
        yield Room(folder, children)


def connect(port: int) -> None:
    socket.create_connection(("127.0.0.1", port), timeout=5)


def open_unix_socket(path: str) -> None:
    socket.socket(socket.AF_UNIX).connect(path)


def start_a_program() -> None:
    os.execv("/bin/true", ["true"])


def start_a_process() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)


def trace_parent() -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, os.getppid(), 0, 0) != 0:  # PTRACE_ATTACH
        raise OSError(ctypes.get_errno(), "ptrace")


def read_environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def append_to(path: Path) -> None:
    with path.open("a") as file:
        file.write("x")


def test_a_child_opens_no_connection(room: Room) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert "may not do this: [Errno 1] Operation not permitted" in room.refused(connect, port)
        assert "may not do this" in room.refused(open_unix_socket, "/var/run/docker.sock")


@pytest.mark.parametrize("task", [start_a_program, start_a_process, trace_parent])
def test_a_child_starts_no_program_and_looks_into_no_process(room: Room, task: Callable[[], None]) -> None:
    assert "may not do this: [Errno 1]" in room.refused(task)


@needs_landlock
def test_a_child_reads_no_other_file_and_says_which_it_was_refused(room: Room) -> None:
    for path in (room.secret, Path("/etc/passwd"), Path.home() / ".bashrc"):
        if path.exists():
            assert f"may not do this: [Errno 13] Permission denied: '{path}'" in room.refused(Path.read_bytes, path)
    assert "Permission denied" in room.refused(read_environment_of, os.getpid())
    assert "Permission denied" in room.refused(os.listdir, str(room.secret.parent))


@pytest.mark.skipif(sys.platform == "linux" and version() < 6, reason="this kernel's Landlock has no scopes")
def test_a_child_signals_no_process_outside(room: Room) -> None:
    assert "may not do this: [Errno 1]" in room.refused(os.kill, os.getpid(), signal.SIGCONT)


@needs_landlock
def test_a_link_in_the_input_leads_a_child_to_no_other_file(room: Room) -> None:
    (room.documents / "link.pdf").symlink_to(room.secret)
    assert "Permission denied" in room.refused(Path.read_bytes, room.documents / "link.pdf")


@needs_landlock
def test_a_child_writes_only_into_its_scratch_folder(room: Room) -> None:
    document = next(room.documents.rglob("doc-*.pdf"))
    before = document.read_bytes()
    for task, path in ((append_to, document), (Path.unlink, document), (append_to, Path("/tmp/made-by-a-child"))):
        assert "may not do this" in room.refused(task, path)
    assert document.read_bytes() == before and not Path("/tmp/made-by-a-child").exists()
    room.allowed(append_to, room.scratch / "page")
    assert (room.scratch / "page").read_text() == "x"
    room.allowed(Path.unlink, room.scratch / "page")


def test_a_confined_child_still_judges_and_reads(room: Room) -> None:
    document = str(next(room.documents.rglob("doc-*.pdf")))
    assert room.allowed(judge_file, document).pages == 1  # type: ignore[attr-defined]
    read = room.allowed(read_page, document, 1, ReadOptions())
    assert isinstance(read, PageRead) and read.page.reason is None and read.page.read_by == "text"


def test_a_kernel_that_cannot_confine_is_told_in_one_sentence_each() -> None:
    assert lacking(1) == []
    assert [name in sentence for name, sentence in zip(("Landlock", "seccomp"), lacking(7), strict=True)] == [True] * 2


def call_home(path: str, number: int, options: ReadOptions, attempt: int = 0) -> PageRead:
    """Reads as an engine would that sends the second page to its maker."""
    if number == 2:
        connect(80)
    return PageRead(page_of("read", number, read_by="note"))


def test_an_engine_that_calls_home_fails_that_page_and_the_outcome_says_why(
    pdfs: Path, out: Path, run_slice: RunSlice, loaded_children: None
) -> None:
    many_pdfs(pdfs, 2, pages=3)
    assert run_slice(ChildEngine("caller", call_home)).counts.partial == 2
    for outcome in newest(open_store(str(out)), None).values():
        assert outcome.failed_pages == [(2, Reason.ENGINE_ERROR)]
        assert "the reading process may not do this: [Errno 1] Operation not permitted" in outcome.detail


@needs_landlock
def test_a_document_behind_a_link_out_of_the_input_is_read_from_a_copy(
    pdfs: Path, out: Path, tmp_path: Path, run_slice: RunSlice, loaded_children: None
) -> None:
    elsewhere = many_pdfs(tmp_path / "elsewhere", 1)[0]
    (pdfs / "link.pdf").symlink_to(elsewhere)
    assert run_slice(ChildEngine("cpu", read_page)).counts.ok == 1
    assert (out / "link.md").read_text().strip()
