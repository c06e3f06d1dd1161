"""Special cases of folders: odd names, links, permissions, full and read-only disks, foreign files."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pdfbatch.errors import AccessDenied, NotFound, PreconditionFailed, StoreError, StoreFull
from pdfbatch.store import LocalStore
from pdfbatch.store.local import ABANDONED_SECONDS, key_to_name, name_to_key
from tests.conftest import Mount


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    (tmp_path / "store").mkdir()
    return LocalStore(tmp_path / "store")


def keys_of(store: LocalStore, prefix: str = "") -> list[str]:
    return [entry.key for entry in store.list(prefix)]


def leftovers(store: LocalStore) -> list[str]:
    """Temporary files that are still there."""
    return [path.name for path in (store.root / ".pdfbatch" / "tmp").iterdir() if path.name != "lock"]


NAMES = st.binary(min_size=1, max_size=20).filter(lambda name: b"\0" not in name and b"/" not in name)


@given(NAMES)
@example(b"caf\xe9.pdf")
@example("\uef80\uefff".encode())
@example(b"\xee\xbe")
@example(b"\xed\xb2\x80")
def test_every_file_name_has_a_key_of_its_own_that_utf8_can_carry(name: bytes) -> None:
    key = name_to_key(os.fsdecode(name))
    key.encode()
    assert json.loads(json.dumps(key)) == key
    assert os.fsencode(key_to_name(key)) == name


def test_a_file_whose_name_is_not_utf8_is_listed_read_and_answered(store: LocalStore, tmp_path: Path) -> None:
    raw = os.fsencode(store.root) + b"/caf\xe9.pdf"
    Path(os.fsdecode(raw)).write_bytes(b"data")
    Path(os.fsdecode(raw.replace(b"\xe9", "é".encode()))).write_bytes(b"other")
    keys = keys_of(store)
    assert sorted(store.get(key) for key in keys) == [b"data", b"other"]
    for key in keys:
        assert store.fetch(key, tmp_path / "unused").exists()
        store.put_new(key[:-4] + ".md", b"")
    assert b"caf\xe9.md" in [os.fsencode(path.name) for path in store.root.iterdir()]


def test_fetch_does_not_copy(store: LocalStore, tmp_path: Path) -> None:
    store.put("a.pdf", b"data")
    assert store.fetch("a.pdf", tmp_path / "copy") == store.root / "a.pdf"
    assert not (tmp_path / "copy").exists()


def test_links_to_files_and_folders_are_followed_but_not_in_a_ring(store: LocalStore, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "deep").mkdir(parents=True)
    (elsewhere / "deep" / "a.pdf").write_bytes(b"a")
    (elsewhere / "deep" / "back").symlink_to(elsewhere)
    (store.root / "folder").symlink_to(elsewhere)
    (store.root / "file.pdf").symlink_to(elsewhere / "deep" / "a.pdf")
    (store.root / "self").symlink_to(store.root)
    (store.root / "ring").symlink_to("ring")
    assert keys_of(store) == ["file.pdf", "folder/deep/a.pdf", "ring"]
    assert store.get("folder/deep/a.pdf") == b"a"


def test_a_dangling_link_is_listed_and_then_not_found(store: LocalStore, tmp_path: Path) -> None:
    """So that a run reports the document as missing rather than passing over it."""
    (store.root / "gone.pdf").symlink_to(tmp_path / "unplugged" / "gone.pdf")
    assert [(entry.key, entry.size) for entry in store.list()] == [("gone.pdf", 0)]
    with pytest.raises(NotFound):
        store.fetch("gone.pdf", tmp_path / "unused")


def test_pipes_and_sockets_are_no_objects(store: LocalStore) -> None:
    os.mkfifo(store.root / "pipe.pdf")
    assert keys_of(store) == []
    assert store.head("pipe.pdf") is None
    with pytest.raises(NotFound):
        store.get("pipe.pdf")


def test_files_that_vanish_while_the_folder_is_listed_are_left_out(store: LocalStore) -> None:
    for number in range(5):
        store.put(f"{number}/file", b"")
    listing = store.list()
    assert next(listing).key == "0/file"
    store.delete(["1/file", "3/file"])
    assert [entry.key for entry in listing] == ["2/file", "4/file"]


def test_listing_a_folder_that_is_not_there_yet_gives_nothing(tmp_path: Path) -> None:
    assert keys_of(LocalStore(tmp_path / "not" / "yet")) == []


def test_the_listing_shows_state_but_not_half_written_files(store: LocalStore) -> None:
    store.put(".pdfbatch/run/manifest.json", b"{}")
    (store.root / ".pdfbatch" / "tmp" / "half").write_bytes(b"")
    assert keys_of(store) == keys_of(store, ".pdfbatch/") == [".pdfbatch/run/manifest.json"]
    assert keys_of(store, ".pdfbatch/tmp/") == []


@pytest.mark.parametrize(
    "key", ["../up", "a/../../up", "/etc/x", "a//b", "a/", "", ".", "a/./b", "nul\0", "x" * 256, "é" * 128]
)
def test_a_key_that_cannot_be_a_file_below_the_root_is_not_written(store: LocalStore, key: str) -> None:
    for write in (store.put, store.put_new):
        with pytest.raises(StoreError) as caught:
            write(key, b"")
        assert caught.value.hint
    assert list(store.root.parent.iterdir()) == [store.root]


@pytest.mark.parametrize("key", ["file/below", "file/below/deeper", "folder"])
def test_a_file_where_a_folder_is_needed_is_an_error_not_a_lost_race(store: LocalStore, key: str) -> None:
    store.put("file", b"")
    store.put("folder/file", b"")
    for write in (store.put, store.put_new):
        with pytest.raises(StoreError, match=key) as caught:
            write(key, b"")
        assert not isinstance(caught.value, PreconditionFailed)
    assert leftovers(store) == []


def test_new_files_honour_the_umask(store: LocalStore) -> None:
    for umask, mode in [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)]:
        before = os.umask(umask)
        try:
            store.put(f"put-{umask}", b"")
            store.put_new(f"new-{umask}", b"")
        finally:
            os.umask(before)
        modes = {(store.root / name).stat().st_mode & 0o777 for name in (f"put-{umask}", f"new-{umask}")}
        assert modes == {mode}


def test_two_writes_of_the_same_size_never_share_an_etag(store: LocalStore) -> None:
    etags = [store.put("key", b"same size") for _ in range(50)]
    assert len(set(etags)) == len(etags)


def test_a_folder_of_a_deleted_key_goes_when_it_is_empty_but_the_root_stays(store: LocalStore) -> None:
    store.put("a/b/c", b"")
    store.put("a/d", b"")
    store.delete(["a/b/c"])
    assert not (store.root / "a" / "b").exists()
    store.delete(["a/d"])
    assert not (store.root / "a").exists()
    assert store.root.is_dir()


def test_a_full_disk_is_reported_and_leaves_no_partial_file(mount: Mount) -> None:
    store = LocalStore(mount("size=256k"))
    store.put("small", b"x" * 1000)
    for write in (store.put, store.put_new):
        with pytest.raises(StoreFull, match="No space left") as caught:
            write("big", b"x" * 1_000_000)
        assert "space" in caught.value.hint
    assert keys_of(store) == ["small"]
    assert leftovers(store) == []
    store.put("again", b"x" * 1000)


def test_a_disk_without_free_inodes_is_reported(mount: Mount) -> None:
    store = LocalStore(mount("nr_inodes=12"))
    with pytest.raises(StoreFull):
        for number in itertools.count():
            store.put(f"{number}", b"")


def test_a_read_only_file_system_is_reported_before_any_work(mount: Mount) -> None:
    folder = mount("size=256k")
    (folder / "there.pdf").write_bytes(b"data")
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    for store in (LocalStore(folder), LocalStore(folder / "deeper")):
        with pytest.raises(AccessDenied, match="Read-only file system") as caught:
            store.check_writable()
        assert "writable" in caught.value.hint
    LocalStore(folder).check_readable()
    assert LocalStore(folder).get("there.pdf") == b"data"


AS_NOBODY = """
import os, sys
from pathlib import Path
from pdfbatch.errors import AccessDenied
from pdfbatch.store import LocalStore
os.setgid(65534); os.setuid(65534)
store, tried = LocalStore(Path(sys.argv[1])), []
for attempt in (
    store.check_readable,
    lambda: list(store.list()),
    lambda: store.get("closed/a.pdf"),
    lambda: store.fetch("secret.pdf", Path("unused")),
    lambda: store.put("new", b""),
    store.check_writable,
):
    try:
        attempt()
        tried.append("allowed")
    except AccessDenied as error:
        tried.append("denied with a hint" if error.hint else "denied")
print(tried)
"""


def test_missing_permissions_are_reported_and_never_ignored() -> None:
    """A folder that cannot be read must not look empty: its documents would be lost without a word."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become somebody with fewer rights")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "closed").mkdir(0o700)
        (folder / "closed" / "a.pdf").write_bytes(b"")
        (folder / "secret.pdf").touch(0o600)
        result = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, folder], stdout=subprocess.PIPE, text=True, check=True
        )
    assert result.stdout.strip() == str(["allowed", *["denied with a hint"] * 5])


def test_only_abandoned_temporary_files_are_swept(store: LocalStore) -> None:
    store.check_writable()
    folder = store.root / ".pdfbatch" / "tmp"
    (folder / "old").write_bytes(b"")
    (folder / "fresh").write_bytes(b"")
    old = (folder / "old").stat().st_mtime - ABANDONED_SECONDS - 1
    with store._temporary(b"in use") as (in_use, _):
        for path in (folder / "old", in_use):
            os.utime(path, (old, old))
        store.check_writable()
        assert sorted(leftovers(store)) == sorted(["fresh", in_use.name])


def test_check_writable_creates_the_folder(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "a" / "b")
    store.check_writable()
    assert store.root.is_dir()


FORK_WHILE_LOCKED = """
import os, sys, time
from pathlib import Path
from pdfbatch.store import LocalStore
store = LocalStore(Path(sys.argv[1]))
with store._lock():
    child = os.fork()
    if child == 0:
        time.sleep(30)
        os._exit(0)
store.put("key", b"")
os.kill(child, 9)
"""


def test_a_child_forked_while_the_lock_is_held_does_not_keep_it(store: LocalStore) -> None:
    subprocess.run([sys.executable, "-c", FORK_WHILE_LOCKED, store.root], check=True, timeout=20)
