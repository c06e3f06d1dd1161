"""Whether an input has changed: its content decides, and most files are not read to find out."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from pdfbatch.errors import AccessDenied
from pdfbatch.runs.ledger import Final
from pdfbatch.runs.versions import recognised
from pdfbatch.store import Entry, LocalStore


class CountingStore(LocalStore):
    """A folder that counts how many files were read for their digest."""

    read = 0

    def digest(self, key: str) -> str:
        self.read += 1
        return super().digest(key)


class UnreadableStore(LocalStore):
    """A folder of files that nobody may read."""

    def digest(self, key: str) -> str:
        raise AccessDenied("Cannot read.", "Ask.")


@pytest.fixture
def source(tmp_path: Path) -> CountingStore:
    (tmp_path / "a.pdf").write_bytes(b"one")
    return CountingStore(tmp_path)


def past_of(source: LocalStore, digest: str | None = None) -> dict[str, Final]:
    (entry,) = source.list()
    known = LocalStore.digest(source, entry.key) if digest is None else digest
    return {entry.key: Final("ok", None, entry.etag, 1, 1, "run", size=entry.size, digest=known)}


def etags(source: LocalStore, history: dict[str, Final]) -> list[str]:
    return [entry.etag for entry in recognised(source, source.list(), history)]


def touch(source: LocalStore) -> None:
    os.utime(source.root / "a.pdf", ns=(1, 1))


def test_a_touched_file_has_not_changed(source: CountingStore) -> None:
    history = past_of(source)
    touch(source)
    assert etags(source, history) == [history["a.pdf"].etag]


def test_a_fresh_copy_has_not_changed(source: CountingStore) -> None:
    history = past_of(source)
    shutil.move(source.root / "a.pdf", source.root / "b.pdf")
    shutil.copyfile(source.root / "b.pdf", source.root / "a.pdf")
    touch(source)
    assert history["a.pdf"].etag in etags(source, history)


def test_another_content_of_the_same_size_has_changed(source: CountingStore) -> None:
    history = past_of(source)
    (source.root / "a.pdf").write_bytes(b"two")
    touch(source)
    assert etags(source, history) == [next(source.list()).etag] != [history["a.pdf"].etag]
    assert source.read == 1


def test_a_file_is_read_only_if_its_time_differs_and_its_size_does_not(source: CountingStore) -> None:
    history = past_of(source)
    assert etags(source, history) == [history["a.pdf"].etag]
    (source.root / "a.pdf").write_bytes(b"longer")
    assert etags(source, history) != [history["a.pdf"].etag]
    assert etags(source, {}) == [next(source.list()).etag]
    assert source.read == 0


def test_a_record_of_an_earlier_version_knows_no_content(source: CountingStore) -> None:
    history = past_of(source, digest="")
    touch(source)
    assert etags(source, history) != [history["a.pdf"].etag]
    assert source.read == 0


def test_a_file_that_cannot_be_read_keeps_its_version(source: CountingStore) -> None:
    history = past_of(source)
    touch(source)
    (entry,) = recognised(UnreadableStore(source.root), source.list(), history)
    assert entry == Entry("a.pdf", 3, next(source.list()).etag)
