"""What many tests need: an S3 server on loopback, and nothing that could reach a real account."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import itertools
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import settings

from pdfbatch.documents.sandbox.children import Children
from tests.program import NO_ACCOUNT, Program, within

for library in ("OMP", "OPENBLAS", "MKL"):
    # Tests run beside each other: threads that wait for others by spinning would take most of the time. Libraries read
    # this when they are imported.
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A suite that runs in the background would hand this on to the programs that it starts and interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

HERE = Path(__file__).parent
SERVER = HERE / "s3_server.py"
Mount = Callable[..., Path]
_COMPILED = "pdfbatch/compiled"
_bucket_numbers = itertools.count(1)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Imports all tests, with less work: what stays is not searched for garbage, neither now nor between tests."""
    gc.disable()
    try:
        with compiled_once(session.config):
            return (yield)
    finally:
        gc.freeze()
        gc.enable()


@contextlib.contextmanager
def compiled_once(config: pytest.Config) -> Iterator[None]:
    """In a fresh clone, of several workers one compiles the tests first, which is half of the work, and the others take
    what it has compiled."""
    cache = getattr(config, "cache", None)
    if cache is None or sys.dont_write_bytecode or not hasattr(config, "workerinput") or cache.get(_COMPILED, False):
        yield
        return
    with (Path(cache.mkdir("compiled")) / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(lock, fcntl.LOCK_SH)
            fcntl.flock(lock, fcntl.LOCK_UN)
        yield
    cache.set(_COMPILED, True)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: handed out last, one of them would run alone on one core of two. Among them
    those that wait are far from each other: two at a time would leave a core idle."""
    slow, waiting = (dict.fromkeys(i.path for i in items if i.get_closest_marker(name)) for name in ("slow", "waits"))
    computing = [path for path in slow if path not in waiting]
    places = {path: float(number) for number, path in enumerate(computing)}
    places |= {path: len(computing) * number / len(waiting) - 0.5 for number, path in enumerate(waiting)}
    last = len(places)
    items.sort(key=lambda item: places.get(item.path, last))


@pytest.fixture(scope="session", autouse=True)
def no_account() -> Iterator[None]:
    """No test, and no process a test starts, can find real credentials or ask a metadata service."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in NO_ACCOUNT.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def s3_endpoint(no_account: None) -> Iterator[str]:
    """The URL of an S3 server in a process of its own; AWS_ENDPOINT_URL names it for the rest of the session."""
    with subprocess.Popen([sys.executable, SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        endpoint = f"http://127.0.0.1:{int(server.stdout.readline())}"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", endpoint)
            yield endpoint
        server.kill()


@pytest.fixture(scope="session")
def loaded_children() -> None:
    """The server that forks the children of this process has all loaded, whichever engine asks for some first."""
    Children(1, 512, preload="tests.worker.loaded").kill()


@pytest.fixture(scope="session")
def pdfbatch(no_account: None, loaded_children: None) -> Program:
    """The program within this process; see program.py."""
    return within


def tell_s3(endpoint: str, what: str, wish: Any) -> None:
    """Gives the server an order for tests, `_seed` or `_faults`; see s3_server.py."""
    request = urllib.request.Request(f"{endpoint}/{what}", json.dumps(wish).encode(), method="PUT")
    urllib.request.urlopen(request).close()


@pytest.fixture
def bucket(s3_endpoint: str) -> str:
    """The name of a new, empty bucket."""
    name = f"bucket-{next(_bucket_numbers)}"
    boto3.client("s3", endpoint_url=s3_endpoint).create_bucket(Bucket=name)
    return name


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """A small file system of its own, mounted with these options; needs root."""
    mounted: list[Path] = []

    def mount_one(options: str) -> Path:
        folder = tmp_path / f"mount-{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:
            pytest.skip("needs the right to mount a small file system")
        mounted.append(folder)
        return folder

    yield mount_one
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)
