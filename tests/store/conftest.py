"""Both stores, empty, and faults injected into the S3 server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pdfbatch import aws
from pdfbatch.store import S3Store, Store, open_store
from tests.conftest import tell_s3

Faults = Callable[..., None]


@pytest.fixture(params=["local", "s3"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty folder or prefix that exists, as a person would name it."""
    if request.param == "s3":
        return f"s3://{request.getfixturevalue('bucket')}/some/prefix"
    (tmp_path / "store").mkdir()
    return str(tmp_path / "store")


@pytest.fixture(scope="session")
def s3_client(s3_endpoint: str) -> Any:
    """One client for many tests: making one takes longer than most tests."""
    return aws.client("s3")


@pytest.fixture
def store(location: str, request: pytest.FixtureRequest) -> Store:
    store = open_store(location)
    if isinstance(store, S3Store):
        return S3Store(store.bucket, store.prefix, request.getfixturevalue("s3_client"))
    return store


@pytest.fixture
def faults(s3_endpoint: str) -> Iterator[Faults]:
    """`faults({"method": "PUT", "key": "a.md", "status": 503, "code": "SlowDown"}, …)`; see s3_server.py."""

    def order(*wanted: dict[str, Any]) -> None:
        tell_s3(s3_endpoint, "_faults", wanted)

    yield order
    order()
