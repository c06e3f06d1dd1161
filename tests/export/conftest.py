"""An empty output and an empty destination: in folders, or in a bucket."""

from __future__ import annotations

from pathlib import Path

import pytest

from pdfbatch.store import LocalStore, Store, open_store


@pytest.fixture
def output(tmp_path: Path) -> Store:
    return _folder(tmp_path / "output")


@pytest.fixture
def dest(tmp_path: Path) -> Store:
    return _folder(tmp_path / "dest")


@pytest.fixture(params=["folders", "bucket"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Store, Store]:
    """An output and a destination."""
    if request.param == "bucket":
        bucket = request.getfixturevalue("bucket")
        return open_store(f"s3://{bucket}/output/"), open_store(f"s3://{bucket}/dest/")
    return _folder(tmp_path / "output"), _folder(tmp_path / "dest")


def _folder(path: Path) -> LocalStore:
    path.mkdir()
    return LocalStore(path)


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache for `datasets`, which may not ask its hub."""
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_DATASETS_DISABLE_PROGRESS_BARS"):
        monkeypatch.setenv(name, "1")
    return tmp_path / "cache"
