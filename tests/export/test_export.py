"""Exports of every format: resumed, repeated, killed and changed in between."""

from __future__ import annotations

import random
import string
from pathlib import Path

import pytest

from pdfbatch.errors import PdfbatchError, UsageError
from pdfbatch.export.shards import shard_name
from pdfbatch.records import EXPORT_KEY, ExportRecord, Reason, output_key
from pdfbatch.store import LocalStore, Store
from tests.export.outputs import RUN, Made, a_page, exported, files_of, finish, some_documents

LATER = "20260102T000000.000Z-0002"
SHARDED = ["parquet", "dolma"]


class _Killed(BaseException):
    """As if the process ended here."""


class DyingStore(LocalStore):
    """Its process ends at its `left`-th write."""

    left = 10**9

    def _write(self, *arguments: object) -> str:  # type: ignore[override]
        type(self).left -= 1
        if type(self).left < 0:
            raise _Killed
        return super()._write(*arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("form", [*SHARDED, "markdown"])
def test_a_second_export_does_nothing(form: str, places: tuple[Store, Store]) -> None:
    output, dest = places
    finish(output, some_documents(5))
    first = exported(output, dest, form)
    entries = list(dest.list())
    second = exported(output, dest, form)
    assert (first.written, second.written, second.removed) == (1, 0, 0)
    assert list(dest.list()) == entries
    assert second.record == first.record


@pytest.mark.parametrize("form", SHARDED)
def test_two_exports_of_the_same_records_have_the_same_files(form: str, output: Store, tmp_path: Path) -> None:
    finish(output, some_documents(30))
    stores = [LocalStore(tmp_path / name) for name in ("one", "two")]
    for store in stores:
        exported(output, store, form)
    assert files_of(stores[0]) == files_of(stores[1])


def test_new_documents_are_added_and_full_shards_stay(output: Store, dest: Store) -> None:
    big = [Made(f"{n}.pdf", [a_page(1, _noise(n, 20_000))]) for n in range(7)]
    finish(output, big)
    first = exported(output, dest, "parquet", shard_mb=0.1)
    assert len(first.record.shards) > 2
    finish(output, [Made("9.pdf", [a_page(1, "new")])], run=LATER)
    second = exported(output, dest, "parquet", shard_mb=0.1)
    full = [shard for shard in first.record.shards if shard.is_full]
    assert second.record.shards[: len(full)] == full
    assert sum(shard.documents for shard in second.record.shards) == 8
    assert set(files_of(dest)) == {key for shard in second.record.shards for key in shard.files}


def test_no_file_is_larger_than_asked(output: Store, dest: Store) -> None:
    finish(output, [Made(f"{n}.pdf", [a_page(1, _noise(n, 20_000))]) for n in range(10)])
    for form in SHARDED:
        record = exported(output, LocalStore(Path(dest.url) / form), form, shard_mb=0.1).record
        sizes = [size for shard in record.shards for size in shard.files.values()]
        assert max(sizes) <= 100_000
        assert sum(shard.documents for shard in record.shards) == 10


@pytest.mark.slow
@pytest.mark.parametrize("form", [*SHARDED, "markdown"])
def test_an_export_that_is_killed_anywhere_is_taken_up_with_the_same_bytes(
    form: str, output: Store, tmp_path: Path
) -> None:
    finish(output, [Made(f"{n}.pdf", [a_page(1, _noise(n, 20_000))]) for n in range(6)])
    whole = LocalStore(tmp_path / "whole")
    exported(output, whole, form, shard_mb=0.1)
    for writes in range(10):
        dest = DyingStore(tmp_path / f"killed-{writes}")
        DyingStore.left = writes
        try:
            exported(output, dest, form, shard_mb=0.1)
        except _Killed:
            DyingStore.left = 10**9
            exported(output, dest, form, shard_mb=0.1)
        DyingStore.left = 10**9
        assert files_of(dest) == files_of(whole)


@pytest.mark.parametrize("form", [*SHARDED, "markdown"])
def test_a_document_that_no_longer_counts_is_removed(form: str, output: Store, dest: Store) -> None:
    finish(output, some_documents(3))
    exported(output, dest, form)
    failed = {"outcome": "failed", "reason": Reason.TIMEOUT, "attempt": 2}
    finish(output, [Made("folder/0001.pdf", [], failed)], run=LATER)
    again = exported(output, dest, form)
    assert (again.record.left_out, again.removed) == ({"failed": 1}, 2 if form == "dolma" else 1)
    fresh = LocalStore(Path(dest.url).parent / "fresh")
    exported(output, fresh, form)
    assert files_of(dest) == files_of(fresh)


def test_a_lost_file_is_written_again(output: Store, dest: Store) -> None:
    finish(output, some_documents(3))
    files = list(exported(output, dest, "dolma").record.shards[0].files)
    before = files_of(dest)
    dest.delete(files[:1])
    assert exported(output, dest, "dolma").written == 1
    assert files_of(dest) == before


def test_only_documents_of_one_run_or_outcome(output: Store, dest: Store) -> None:
    finish(output, some_documents(3))
    partial = {"outcome": "partial", "failed_pages": [(1, Reason.TIMEOUT)], "reason": Reason.TIMEOUT}
    finish(output, [Made("x.pdf", [a_page(1, reason=Reason.TIMEOUT), a_page(2, "text")], partial)], run=LATER)
    of = {
        "run": exported(output, LocalStore(Path(dest.url) / "a"), "parquet", run=LATER).record,
        "ok": exported(output, LocalStore(Path(dest.url) / "b"), "parquet", only=["ok"]).record,
        "all": exported(output, LocalStore(Path(dest.url) / "c"), "parquet").record,
    }
    assert {name: sum(shard.documents for shard in record.shards) for name, record in of.items()} == {
        "run": 1,
        "ok": 3,
        "all": 4,
    }
    assert (of["run"].left_out, of["ok"].left_out) == ({"of another run": 3}, {"partial": 1})


def test_markdown_that_is_lost_is_counted(output: Store, dest: Store) -> None:
    finish(output, some_documents(2))
    output.delete([output_key("folder/0000.pdf")])
    record = exported(output, dest, "parquet").record
    assert (record.left_out, record.shards[0].documents) == ({"without Markdown": 1}, 1)


def test_a_destination_that_holds_something_else_is_refused(output: Store, dest: Store) -> None:
    finish(output, some_documents(1))
    dest.put("mine.txt", b"")
    with pytest.raises(UsageError, match="not empty"):
        exported(output, dest, "parquet")
    assert [entry.key for entry in dest.list()] == ["mine.txt"]


def test_another_format_or_option_needs_another_destination(output: Store, dest: Store) -> None:
    finish(output, some_documents(1))
    exported(output, dest, "parquet")
    with pytest.raises(UsageError, match="format 'parquet'"):
        exported(output, dest, "dolma")
    with pytest.raises(UsageError, match="shard_mb 256"):
        exported(output, dest, "parquet", shard_mb=100)


def test_a_destination_inside_the_output_is_refused(output: Store) -> None:
    finish(output, some_documents(1))
    with pytest.raises(UsageError, match="inside OUTPUT"):
        exported(output, LocalStore(Path(output.url) / "dataset"), "parquet")


def test_two_exports_at_once_to_one_destination_are_noticed(output: Store, dest: Store) -> None:
    class Intruded(LocalStore):
        """Another process writes its record just before this one does."""

        def put_new_file(self, key: str, path: Path) -> str:
            other = ExportRecord.model_validate_json(self.get(EXPORT_KEY))
            self.put(EXPORT_KEY, other.model_copy(update={"left_out": {"by the other": 1}}).model_dump_json().encode())
            return super().put_new_file(key, path)

    finish(output, some_documents(1))
    with pytest.raises(PdfbatchError, match="Another process"):
        exported(output, Intruded(Path(dest.url)), "parquet")


def test_a_damaged_record_is_named(output: Store, dest: Store) -> None:
    finish(output, some_documents(1))
    dest.put(EXPORT_KEY, b"{")
    with pytest.raises(PdfbatchError, match="damaged"):
        exported(output, dest, "parquet")


def test_the_name_of_a_shard_says_what_it_holds() -> None:
    assert shard_name(3, "0123456789abcdef") == "00003-0123456789abcdef"


def test_an_output_without_documents_gives_no_shard(output: Store, dest: Store) -> None:
    finish(output, [Made("a.pdf", [], {"outcome": "failed", "reason": Reason.CORRUPT})], run=RUN)
    done = exported(output, dest, "parquet")
    assert (done.record.shards, done.record.left_out) == ([], {"failed": 1})


def _noise(seed: int, length: int) -> str:
    """Words that hardly compress."""
    letters = "".join(random.Random(seed).choices(string.ascii_letters + string.digits, k=length))
    return " ".join(letters[at : at + 9] for at in range(0, length, 9))
