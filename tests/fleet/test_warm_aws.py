"""The `aws` of machines that are processes does what the real one does, and ends with them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.machine.processes import SHIMS
from tests.fleet.machine.warm_aws import warm_aws

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="machines of the fleet run Linux")
VENV = Path(sys.executable).parent
HEAD = ("s3api", "head-object", "--bucket", "b", "--key", "k")


@pytest.fixture(scope="module")
def address() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="aws") as path, warm_aws(Path(path)) as address:
        yield address


def start(program: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    known = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    environment = known | {"PATH": f"{VENV}:/usr/bin:/bin"} | environment
    pipe = subprocess.PIPE
    return subprocess.Popen([program, *words], env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


@pytest.mark.parametrize(
    "words",
    [("--version",), ("s3api", "no-such-call"), (*HEAD, "--endpoint-url", "http://127.0.0.1:9")],
    ids=["an answer", "a mistake", "no connection"],
)
def test_it_says_what_the_real_one_says_and_ends_with_its_code(address: Path, words: tuple[str, ...]) -> None:
    once = {"AWS_MAX_ATTEMPTS": "1"}
    warm = start(SHIMS / "warm" / "aws", *words, WARM_AWS=str(address), **once)
    real = start(VENV / "aws", *words, **once)
    assert (warm.communicate(), warm.returncode) == (real.communicate(), real.returncode)


def test_a_call_ends_with_the_process_that_made_it(address: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as endpoint:
        url = f"http://127.0.0.1:{endpoint.getsockname()[1]}"
        with start(SHIMS / "warm" / "aws", *HEAD, "--endpoint-url", url, WARM_AWS=str(address)) as caller:
            connection, _ = endpoint.accept()
            with connection:
                assert b"HEAD /b/k" in connection.recv(1 << 16)
                caller.kill()
                connection.settimeout(60)
                assert connection.recv(1 << 16) == b"", "closed, as the process that asked is gone"
