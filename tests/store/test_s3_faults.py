"""Special cases of S3: lost responses, busy servers, broken bodies, other S3 servers, and keys no folder can hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pdfbatch.errors import AccessDenied, NotFound, NotReady, PreconditionFailed, StoreError
from pdfbatch.store import Entry, S3Store

Faults = Callable[..., None]


@pytest.fixture
def store(bucket: str, s3_client: Any) -> S3Store:
    return S3Store(bucket, "pre/", s3_client)


def put_fault(times: int = 1, **fault: Any) -> list[dict[str, Any]]:
    return [{"method": "PUT", "key": "/key", **fault}] * times


@pytest.mark.parametrize("write", ["put", "put_new"])
def test_a_busy_server_is_asked_again(store: S3Store, faults: Faults, write: str) -> None:
    faults(*put_fault(2, status=503, code="ServiceUnavailable"))
    getattr(store, write)("key", b"data")
    assert store.get("key") == b"data"


def test_put_new_whose_answer_was_lost_knows_its_own_object(store: S3Store, faults: Faults) -> None:
    faults(*put_fault(lose=True))
    etag = store.put_new("key", b"mine")
    assert store.head("key") == Entry("key", 4, etag)


def test_put_if_whose_answer_was_lost_knows_its_own_object(store: S3Store, faults: Faults) -> None:
    etag = store.put("key", b"old")
    faults(*put_fault(lose=True))
    etag = store.put_if("key", b"new", etag)
    assert store.head("key") == Entry("key", 3, etag)


def test_a_lost_response_does_not_claim_another_writers_identical_object(store: S3Store, faults: Faults) -> None:
    store.put_new("key", b"same")
    faults(*put_fault(status=503, code="ServiceUnavailable"))
    with pytest.raises(PreconditionFailed):
        store.put_new("key", b"same")


def test_a_conflict_with_a_write_under_way_is_tried_again(store: S3Store, faults: Faults) -> None:
    faults(*put_fault(2, status=409, code="ConditionalRequestConflict"))
    store.put_new("key", b"data")
    assert store.get("key") == b"data"


def test_a_conflict_that_lasts_is_a_lost_race(store: S3Store, faults: Faults) -> None:
    faults(*put_fault(5, status=409, code="ConditionalRequestConflict"))
    with pytest.raises(PreconditionFailed):
        store.put_new("key", b"data")


def test_a_server_that_knows_only_bare_etags_is_served(store: S3Store, faults: Faults) -> None:
    old = store.put("key", b"old")
    faults(*put_fault(bare_etags=True))
    store.put_if("key", b"new", old)
    assert store.get("key") == b"new"
    with pytest.raises(PreconditionFailed):
        store.put_if("key", b"newer", old)


def test_a_server_that_ignores_conditions_is_found_out_before_any_work(store: S3Store, faults: Faults) -> None:
    faults({"method": "PUT", "key": "", "ignore_conditions": True})
    with pytest.raises(NotReady, match="ignores If-None-Match") as caught:
        store.check_writable()
    assert "AWS_ENDPOINT_URL" in caught.value.hint
    assert list(store.list()) == []


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_denied_writes_or_deletes_are_reported_before_any_work(store: S3Store, faults: Faults, method: str) -> None:
    faults({"method": method, "key": "", "status": 403, "code": "AccessDenied"})
    with pytest.raises(AccessDenied) as caught:
        store.check_writable()
    assert {"PUT": "s3:PutObject", "POST": "s3:DeleteObject"}[method] in caught.value.hint


def test_a_denied_listing_is_reported(store: S3Store, faults: Faults) -> None:
    faults({"method": "GET", "key": "", "status": 403, "code": "AccessDenied"})
    with pytest.raises(AccessDenied) as caught:
        store.check_readable()
    assert "s3:ListBucket" in caught.value.hint


def test_a_body_that_breaks_off_is_read_again(store: S3Store, faults: Faults, tmp_path: Path) -> None:
    data = bytes(range(256)) * 8192
    store.put("key", data)
    cut = {"method": "GET", "key": "/key", "cut": 1_500_000}
    faults(cut, cut)
    assert store.get("key") == data
    faults(cut, cut)
    assert store.fetch("key", tmp_path / "scratch").read_bytes() == data


def test_a_body_that_always_breaks_off_is_an_error_and_leaves_no_file(
    store: S3Store, faults: Faults, tmp_path: Path
) -> None:
    store.put("key", b"data" * 1000)
    faults(*[{"method": "GET", "key": "/key", "cut": 100}] * 4)
    with pytest.raises(StoreError, match="damaged"):
        store.fetch("key", tmp_path / "scratch")
    assert list(tmp_path.iterdir()) == []


def test_fetch_blames_the_scratch_folder_where_that_is_at_fault(store: S3Store, tmp_path: Path) -> None:
    store.put("key", b"data")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="file/scratch"):
        store.fetch("key", tmp_path / "file" / "scratch")


def test_a_refused_delete_is_reported(store: S3Store, faults: Faults) -> None:
    store.put("key", b"")
    faults({"method": "POST", "key": "", "status": 403, "code": "AccessDenied"})
    with pytest.raises(AccessDenied):
        store.delete(["key"])


def test_put_if_into_a_missing_bucket_names_the_bucket(s3_client: Any) -> None:
    store = S3Store("nobody-made-this", "", s3_client)
    for write in (lambda: store.put_new("key", b""), lambda: store.put_if("key", b"", "etag")):
        with pytest.raises(NotFound, match="bucket does not exist"):
            write()


def test_folder_markers_are_no_objects(store: S3Store, s3_client: Any) -> None:
    for key in ["pre/", "pre/folder/", "pre/folder/a.pdf"]:
        s3_client.put_object(Bucket=store.bucket, Key=key, Body=b"")
    assert [entry.key for entry in store.list()] == ["folder/a.pdf"]


def test_keys_that_no_folder_can_hold_are_fine_on_s3(store: S3Store) -> None:
    keys = ["//x", "/x", "a//b", "a/./b", "x" * 600]
    for key in keys:
        store.put(key, key.encode())
    assert [(entry.key, store.get(entry.key)) for entry in store.list()] == [
        (key, key.encode()) for key in sorted(keys)
    ]
    store.delete(keys)
    assert list(store.list()) == []


def test_markdown_is_shown_by_a_browser_rather_than_saved(store: S3Store, s3_client: Any) -> None:
    store.put_new("a.md", "é".encode())
    answer = s3_client.head_object(Bucket=store.bucket, Key="pre/a.md")
    assert answer["ContentType"] == "text/markdown; charset=utf-8"
