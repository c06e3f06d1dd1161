"""The contract that both stores keep."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pdfbatch.errors import NotFound, PdfbatchError, PreconditionFailed
from pdfbatch.store import Entry, S3Store, Store, open_store
from tests.conftest import tell_s3

ODD_KEYS = [
    "plain.pdf",
    "with space.pdf",
    "a+b.pdf",
    "100%.pdf",
    "%41.pdf",
    "?query=1&b#fragment.pdf",
    "日本語/文書.pdf",
    "emoji-😀.pdf",
    "e\u0301.pdf",
    "é.pdf",
    "'quotes'\"and\"<angle>&amp;.pdf",
    "back\\slash.pdf",
    " leading and trailing .pdf ",
    "~tilde.pdf",
    "*star[a-z].pdf",
    ".hidden/.file.pdf",
    "...",
    "s3:/x.pdf",
    "private-\ue000-\uef41.pdf",
    "x" * 255,
    "/".join(["deep"] * 150) + "/file.pdf",
]


def keys_of(store: Store, prefix: str = "") -> list[str]:
    return [entry.key for entry in store.list(prefix)]


def test_get_returns_what_was_put(store: Store) -> None:
    store.put("a/b.md", b"one")
    store.put("a/b.md", b"two")
    store.put("empty", b"")
    assert store.get("a/b.md") == b"two"
    assert store.get("empty") == b""


def test_head_list_and_writes_agree_on_the_entry(store: Store) -> None:
    etags = {
        "put": store.put("put", b"1"),
        "put_new": store.put_new("put_new", b"22"),
        "put_if": store.put_if("put_if", b"333", store.put("put_if", b"")),
    }
    expected = [Entry(key, size, etags[key]) for key, size in [("put", 1), ("put_if", 3), ("put_new", 2)]]
    assert list(store.list()) == expected
    assert [store.head(entry.key) for entry in expected] == expected


def test_an_etag_stays_while_the_content_stays_and_changes_when_it_changes(store: Store) -> None:
    etags = [store.put("key", b"%d" % (number % 2)) for number in range(2)]
    assert etags[0] != etags[1]
    assert {store.head("key").etag for _ in range(3)} == {etags[1]}  # type: ignore[union-attr]


def test_equal_content_has_equal_versions_by_etag_or_digest(store: Store) -> None:
    versions = []
    for key, data in [("a", b"same"), ("b", b"same"), ("c", b"else")]:
        etag = store.put(key, data)
        versions.append(store.digest(key) or etag)
    assert versions[0] == versions[1] != versions[2]


@pytest.mark.parametrize(
    "key", ["missing", "missing/deeper", "there/below-a-file", "folder", "", "a//b", "../up", "x" * 300]
)
def test_a_key_that_is_not_there_is_not_found(store: Store, tmp_path: Path, key: str) -> None:
    store.put("there", b"")
    store.put("folder/file", b"")
    with pytest.raises(NotFound):
        store.get(key or "none")
    with pytest.raises(NotFound):
        store.fetch(key or "none", tmp_path / "scratch" / "file")
    assert store.head(key or "none") is None
    assert not (tmp_path / "scratch" / "file").exists()


def test_fetch_gives_a_local_file_with_the_bytes(store: Store, tmp_path: Path) -> None:
    data = os.urandom(3 * 1024 * 1024 + 17)
    store.put("big.pdf", data)
    assert store.fetch("big.pdf", tmp_path / "new" / "folder" / "big.pdf").read_bytes() == data


def test_list_is_sorted_by_code_points_at_any_depth(store: Store) -> None:
    keys = [
        "a/z.md",
        "a.md",
        "a-b.md",
        "a/b/c.md",
        "a0.md",
        "A.md",
        "é.md",
        "z.md",
        "\U0001f600.md",
        "\uffee.md",
        "a/b.md",
    ]
    for key in keys:
        store.put(key, b"")
    assert keys_of(store) == sorted(keys, key=str.encode)


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("", ["a.md", "a/b.md", "a/bc/d.md", "b.md"]),
        ("a", ["a.md", "a/b.md", "a/bc/d.md"]),
        ("a/", ["a/b.md", "a/bc/d.md"]),
        ("a/b", ["a/b.md", "a/bc/d.md"]),
        ("a/bc/", ["a/bc/d.md"]),
        ("a/b.md", ["a/b.md"]),
        ("a.md/", []),
        ("none/at/all", []),
        ("a//", []),
        ("../", []),
    ],
)
def test_list_of_a_prefix_is_cut_by_characters_not_by_folders(store: Store, prefix: str, expected: list[str]) -> None:
    for key in ["a.md", "a/b.md", "a/bc/d.md", "b.md"]:
        store.put(key, b"")
    assert keys_of(store, prefix) == expected


def test_list_of_an_empty_store_is_empty(store: Store) -> None:
    assert keys_of(store) == []


def test_put_new_keeps_an_existing_object(store: Store) -> None:
    store.put_new("key", b"first")
    with pytest.raises(PreconditionFailed):
        store.put_new("key", b"second")
    assert store.get("key") == b"first"


def test_put_new_file_writes_a_file_and_keeps_an_existing_object(store: Store, tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).write_bytes(name.encode() * 100_000)
    etag = store.put_new_file("key", tmp_path / "first")
    with pytest.raises(PreconditionFailed):
        store.put_new_file("key", tmp_path / "second")
    assert store.get("key") == b"first" * 100_000
    assert store.head("key") == Entry("key", 500_000, etag)


def test_put_new_works_again_after_a_delete(store: Store) -> None:
    store.put_new("key", b"first")
    store.delete(["key"])
    store.put_new("key", b"second")
    assert store.get("key") == b"second"


def test_put_if_replaces_only_the_named_version(store: Store) -> None:
    old = store.put("key", b"one")
    new = store.put_if("key", b"two", old)
    with pytest.raises(PreconditionFailed):
        store.put_if("key", b"three", old)
    assert store.get("key") == b"two"
    store.put_if("key", b"four", new)
    assert store.get("key") == b"four"


def test_put_if_on_an_object_that_is_gone_fails(store: Store) -> None:
    etag = store.put("key", b"one")
    store.delete(["key"])
    with pytest.raises(PreconditionFailed):
        store.put_if("key", b"two", etag)
    assert store.head("key") is None


def test_delete_removes_objects_and_ignores_missing_ones(store: Store) -> None:
    for key in ["a/1", "a/2", "b", "odd key +%é"]:
        store.put(key, b"")
    store.delete(key for key in ["a/1", "a/2", "missing", "a/1/below", "a//b", "odd key +%é"])
    assert keys_of(store) == ["b"]
    store.delete([])


def test_a_folder_left_empty_by_delete_is_no_obstacle(store: Store) -> None:
    store.put("name/file", b"")
    store.delete(["name/file"])
    store.put("name", b"now a file")
    assert store.get("name") == b"now a file"


@pytest.mark.parametrize("key", ODD_KEYS)
def test_odd_keys_make_the_round_trip(store: Store, tmp_path: Path, key: str) -> None:
    etag = store.put_new(key, b"data")
    assert store.get(key) == b"data"
    assert store.fetch(key, tmp_path / "scratch").read_bytes() == b"data"
    assert list(store.list()) == list(store.list(key)) == [Entry(key, 4, etag)]
    assert json.loads(json.dumps(key)) == key
    store.delete([key])
    assert keys_of(store) == []


def test_a_line_break_in_a_file_name_makes_the_round_trip(tmp_path: Path) -> None:
    """moto cannot route such a key, so only the local store is asked."""
    store = open_store(str(tmp_path))
    store.put("line\nbreak\tand tab.pdf", b"data")
    assert [store.get(key) for key in keys_of(store)] == [b"data"]


PARTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=12)


@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    parts=st.lists(PARTS.filter(lambda part: part not in (".", "..")), min_size=1, max_size=3),
    data=st.binary(max_size=9),
)
@example(parts=["\uef80\uefff"], data=b"")
def test_any_key_makes_the_round_trip(store: Store, parts: list[str], data: bytes) -> None:
    key = "/".join(parts)
    etag = store.put(key, data)
    assert (store.get(key), list(store.list())) == (data, [Entry(key, len(data), etag)])
    store.delete([key])
    assert keys_of(store) == []


def winners(attempt: Callable[[int], object], count: int) -> list[int]:
    """The numbers of those among `count` threads whose attempt did not meet a failed condition."""

    def try_it(number: int) -> bool:
        try:
            attempt(number)
        except PreconditionFailed:
            return False
        return True

    with ThreadPoolExecutor(count) as pool:
        return [number for number, won in enumerate(pool.map(try_it, range(count))) if won]


def test_put_new_has_exactly_one_winner_among_threads(store: Store) -> None:
    for round_ in range(5):
        key = f"claim-{round_}"
        (winner,) = winners(lambda number, key=key: store.put_new(key, b"%d" % number), 16)  # type: ignore[misc]
        assert store.get(key) == b"%d" % winner


def test_put_if_has_exactly_one_winner_among_threads(store: Store) -> None:
    etag = store.put("lease", b"start")
    for round_ in range(5):
        data = [b"round %d by %2d" % (round_, number) for number in range(16)]
        (winner,) = winners(lambda number, etag=etag, data=data: store.put_if("lease", data[number], etag), 16)  # type: ignore[misc]
        assert store.get("lease") == data[winner]
        etag = store.head("lease").etag  # type: ignore[union-attr]


CLAIM_AND_COUNT = """
import sys
from pdfbatch.errors import PreconditionFailed
from pdfbatch.store import open_store
store, me, rounds = open_store(sys.argv[1]), sys.argv[2], int(sys.argv[3])
won = 0
for number in range(rounds):
    try:
        store.put_new(f"claims/{number}", me.encode())
        won += 1
    except PreconditionFailed:
        pass
for _ in range(rounds):
    while True:
        entry = store.head("counter")
        try:
            store.put_if("counter", b"%d" % (int(store.get("counter")) + 1), entry.etag)
            break
        except PreconditionFailed:
            pass
print(won)
"""


@pytest.mark.slow
def test_processes_share_claims_and_lose_no_count(store: Store, location: str) -> None:
    """Each claim is won once; a counter kept by put_if alone counts every round of every process."""
    processes, rounds = 3, 12 if isinstance(store, S3Store) else 150
    store.put("counter", b"0")
    command = [sys.executable, "-c", CLAIM_AND_COUNT, location]
    running = [
        subprocess.Popen([*command, str(number), str(rounds)], stdout=subprocess.PIPE, text=True)
        for number in range(processes)
    ]
    won = [int(process.communicate()[0]) for process in running]
    assert sum(won) == rounds
    assert int(store.get("counter")) == processes * rounds
    owners = [store.get(entry.key).decode() for entry in store.list("claims/")]
    assert [owners.count(str(number)) for number in range(processes)] == won


WRITE_FOR_EVER = """
import itertools, sys
from pdfbatch.store import open_store
store = open_store(sys.argv[1])
for number in itertools.count():
    data = bytes([number % 256]) * 300_000
    store.put(f"rewritten/{number % 3}", data)
    store.put_new(f"new/{number}", data)
    print(number, flush=True)
"""


@pytest.mark.slow
def test_a_killed_writer_leaves_no_half_object(store: Store, location: str) -> None:
    for round_ in range(3):
        with subprocess.Popen([sys.executable, "-c", WRITE_FOR_EVER, location], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(0.037 * round_)
            writer.send_signal(signal.SIGKILL)
        entries = list(store.list())
        assert entries
        for entry in entries:
            data = store.get(entry.key)
            assert len(data) == entry.size == 300_000
            assert len(set(data)) == 1
        store.delete(entry.key for entry in entries)
    store.check_writable()


def test_readers_never_see_a_mixture_while_a_key_is_rewritten(store: Store) -> None:
    stop = False

    def rewrite() -> None:
        number = 0
        while not stop:
            number += 1
            store.put("heartbeat", bytes([number % 256]) * (1000 + number % 256))

    store.put("heartbeat", b"\0" * 1000)
    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(rewrite)
        seen = [store.get("heartbeat") for _ in range(100)]
        stop = True
        writer.result()
    assert all(len(data) == 1000 + data[0] and len(set(data)) == 1 for data in seen)


def test_many_objects_are_listed_and_deleted_over_several_pages(store: Store, s3_endpoint: str) -> None:
    keys = [f"{number:05d}" for number in range(1050)]
    if isinstance(store, S3Store):
        tell_s3(s3_endpoint, "_seed", {"bucket": store.bucket, "keys": [store.prefix + key for key in keys]})
    else:
        for key in keys:
            Path(store.url, key).touch()
    assert keys_of(store) == keys
    store.delete(keys)
    assert keys_of(store) == []


def test_checks_pass_and_leave_nothing(store: Store) -> None:
    store.check_writable()
    store.check_readable()
    assert keys_of(store) == []


def test_two_prefixes_do_not_see_each_other(store: Store, location: str) -> None:
    other = open_store(location + "-other")
    other.put("theirs", b"")
    store.put("ours", b"")
    assert (keys_of(store), keys_of(other)) == (["ours"], ["theirs"])


def test_the_url_opens_the_same_store(store: Store) -> None:
    store.put("key", b"data")
    assert open_store(store.url).get("key") == b"data"
    assert store.url.endswith("/")


def test_a_missing_location_is_named_with_a_hint(store: Store, location: str) -> None:
    missing = open_store("s3://no-such-bucket-here/x" if location.startswith("s3") else location + "/missing")
    with pytest.raises(NotFound) as caught:
        missing.check_readable()
    assert missing.url.split("/")[-2] in str(caught.value) or "no-such-bucket-here" in str(caught.value)
    assert isinstance(caught.value, PdfbatchError)
    assert caught.value.hint


def test_the_folders_of_a_folder_are_listed_without_what_is_in_them(store: Store) -> None:
    for key in ("b/1", "a/x/y", "a/z", "c.pdf", ".pdfbatch/run/ledger/1", ".pdfbatch/current.json"):
        store.put(key, b"")
    assert list(store.folders("")) == [".pdfbatch/", "a/", "b/"]
    assert list(store.folders("a/")) == ["a/x/"]
    assert list(store.folders(".pdfbatch/")) == [".pdfbatch/run/"]
    assert list(store.folders("nothing/")) == []
