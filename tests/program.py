"""The whole program as a user types it, within this process or in one of its own: what it prints, and its exit code."""

from __future__ import annotations

import contextvars
import io
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import pytest

from pdfbatch.cli import main

NO_ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}
"""What a process needs so that it cannot find real credentials or ask a metadata service."""


def of_worker(bucket: str, run: str) -> dict[str, str]:
    """Returns the environment of the only worker of a run that reads `in/` of a bucket and writes `out/`."""
    return {
        "WORKER_ID": "0",
        "TOTAL_WORKERS": "1",
        "S3_INPUT_BUCKET": bucket,
        "S3_INPUT_PREFIX": "in/",
        "S3_OUTPUT_BUCKET": bucket,
        "S3_OUTPUT_PREFIX": "out/",
        "PDFBATCH_RUN": run,
    }


class Ended(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


Program = Callable[..., Ended]


def within(*words: object, folder: Path | None = None, typed: str = "", **environment: str) -> Ended:
    """Runs a command in `folder` within this process; `typed` is its stdin. Saves the second that a process imports.

    Use it through the fixture `pdfbatch`.
    """
    stdout, stderr, stdin = _text(), _text(), _text(typed)
    with ExitStack() as outside:
        outside.enter_context(chdir(folder or Path.cwd()))
        outside.enter_context(mock.patch.dict(os.environ, environment))
        outside.enter_context(mock.patch.multiple(sys, argv=["pdfbatch", *map(str, words)], stdin=stdin))
        outside.enter_context(redirect_stdout(stdout))
        outside.enter_context(redirect_stderr(stderr))
        with pytest.raises(SystemExit) as ended:
            contextvars.copy_context().run(main)
    return Ended(int(ended.value.code or 0), _read(stdout), _read(stderr))


def own_process(*words: object, folder: Path | None = None, typed: str = "", **environment: str) -> Ended:
    """Runs a command in a process of its own, for what only a process shows."""
    done = subprocess.run(
        [sys.executable, "-m", "pdfbatch.cli", *map(str, words)],
        input=typed,
        capture_output=True,
        text=True,
        timeout=300,
        cwd=folder,
        env=os.environ | {"COLUMNS": "200"} | environment,  # temporary folders may have long names
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def _text(content: str = "") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(content.encode()), "utf-8", write_through=True)


def _read(stream: io.TextIOWrapper) -> str:
    buffer = stream.detach()
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()
