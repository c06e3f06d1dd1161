"""LocalStack in host mode, a second AWS with its own S3 and CloudFormation; `make check-localstack` installs it.

PDFBATCH_LOCALSTACK names the Python that has it; without it these tests are skipped.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from samples.many import many_pdfs

PYTHON = os.environ.get("PDFBATCH_LOCALSTACK", "")
VERSION = "4.13.1"
START_SECONDS = 60
COMMAND_SECONDS = 180


class LocalStack:
    """A running LocalStack; AWS_ENDPOINT_URL names it."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._buckets = 0

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.endpoint)  # type: ignore[call-overload]

    def bucket(self) -> str:
        """The name of a new, empty bucket."""
        self._buckets += 1
        name = f"bucket-{self._buckets}"
        self.client("s3").create_bucket(Bucket=name)
        return name

    def upload(self, folder: Path, count: int) -> str:
        """The name of a new bucket with `count` small PDFs under `in/`."""
        bucket, s3 = self.bucket(), self.client("s3")
        for path in many_pdfs(folder, count):
            s3.put_object(Bucket=bucket, Key=f"in/{path.relative_to(folder)}", Body=path.read_bytes())
        return bucket

    def markdown(self, bucket: str, prefix: str) -> dict[str, str]:
        """The Markdown under a prefix: name of the document and text."""
        s3, found = self.client("s3"), dict[str, str]()
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                if entry["Key"].endswith(".md"):
                    body = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
                    found[entry["Key"].removeprefix(prefix)] = body.decode()
        return found


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Starts a pdfbatch command in its own process, with additional environment variables."""
    command = [sys.executable, "-m", "pdfbatch.cli", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env={**os.environ, **environment}, text=True, **pipes)  # type: ignore[call-overload,no-any-return]


def output_of(process: subprocess.Popen[str], code: int = 0) -> str:
    """Returns a command's stdout; checks its exit code."""
    out, errors = process.communicate(timeout=COMMAND_SECONDS)
    assert process.returncode == code, errors
    return out


def pdfbatch(*arguments: str, code: int = 0) -> Any:
    """The JSON that a command prints."""
    return json.loads(output_of(start(*arguments, "--json"), code))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(endpoint: str, process: subprocess.Popen[bytes], log: Path) -> str:
    """The version that answers."""
    for _ in range(START_SECONDS * 2):
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{endpoint}/_localstack/health", timeout=2) as answer:
                return str(json.load(answer)["version"])
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"LocalStack does not answer: {log.read_text()}")


@pytest.fixture(scope="session")
def localstack(no_account: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    folder, port = tmp_path_factory.mktemp("localstack"), _free_port()
    settings = {
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DISABLE_EVENTS": "1",
        "DNS_ADDRESS": "0",
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "FILESYSTEM_ROOT": str(folder),
    }
    log, endpoint = folder / "log", f"http://127.0.0.1:{port}"
    with log.open("w") as output:
        command = [str(Path(PYTHON).absolute()), "-m", "localstack.runtime.main"]
        environment = {**os.environ, **settings}
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        assert _wait_for(endpoint, process, log) == VERSION
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", endpoint)
            yield LocalStack(endpoint)
    finally:
        process.terminate()
        process.wait(timeout=START_SECONDS)
