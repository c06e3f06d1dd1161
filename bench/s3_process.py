"""The S3 server of this benchmark in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice

_SEEDED_AT_ONCE = 20_000


class S3Process:
    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which boto3 uses this server, and nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def seed(self, bucket: str, objects: Iterable[tuple[str, str | int]]) -> None:
        """Makes objects: keys with their content, or with their size if nobody reads them."""
        rest = iter(objects)
        while some := dict(islice(rest, _SEEDED_AT_ONCE)):
            self._ask(f"_seed/{bucket}", json.dumps(some).encode())

    def requests(self) -> Mapping[str, int]:
        """Returns the number of requests by kind since the last call."""
        found: dict[str, int] = json.loads(self._ask("_requests"))
        return found

    def get(self, bucket: str, key: str) -> bytes:
        return self._ask(f"{bucket}/{key}")

    def put(self, bucket: str, key: str, body: bytes) -> None:
        self._ask(f"{bucket}/{key}", body, "PUT")

    def _ask(self, what: str, body: bytes | None = None, method: str | None = None) -> bytes:
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/{what}", body, method=method)) as answer:
            return bytes(answer.read())


@contextmanager
def s3_process(*options: str) -> Iterator[S3Process]:
    """Runs the server; `options` as in s3_server.py."""
    command = [sys.executable, "-m", "bench.s3_server", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None and server.stdout is not None
        try:
            yield S3Process(f"http://127.0.0.1:{int(server.stdout.readline())}")
        finally:
            server.stdin.close()
