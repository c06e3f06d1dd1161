"""A folder as a store.

A write goes to a temporary file under `.pdfbatch/tmp/`, is synced to disk, and is then moved to its key in one step.
One file lock serialises the moves and deletions of all processes; it is held for microseconds, not during the write.

File names that are not UTF-8 (old archives, disks of other systems) have keys too: each byte that is not part of valid
UTF-8 becomes the private character U+EF00 + byte, and a real U+EF80…U+EFFF is encoded by its bytes in the same way, so
that names and keys map one to one.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import stat
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from pdfbatch.errors import AccessDenied, NotFound, PreconditionFailed, StoreError
from pdfbatch.store.contract import DANGLING, PROBE_PREFIX, TEMPORARY_PREFIX, Entry
from pdfbatch.store.file_errors import file_errors

ABANDONED_SECONDS = 60
"""An unlocked temporary file older than this belongs to a dead process."""

MOST_NAME_BYTES = 255

_BYTES = range(0x80, 0x100)
_TO_KEY: dict[int, int | str] = {0xDC00 + byte: 0xEF00 + byte for byte in _BYTES} | {
    0xEF00 + byte: "".join(chr(0xEF00 + part) for part in chr(0xEF00 + byte).encode()) for byte in _BYTES
}
_TO_NAME = {0xEF00 + byte: 0xDC00 + byte for byte in _BYTES}


def name_to_key(name: str) -> str:
    """Returns the key of a file name as Python gives it (bytes that are not UTF-8 as lone surrogates)."""
    return name if name.isascii() else name.translate(_TO_KEY)


def _is_text(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def key_to_name(key: str) -> str:
    return key if key.isascii() else key.translate(_TO_NAME)


class _Found(NamedTuple):
    """A file or folder found during the walk; its path is not kept, because a folder may have a million files. `above`:
    device and inode of each of its parent folders, to detect symlink loops."""

    key: str
    is_folder: bool
    above: tuple[tuple[int, int], ...]


class LocalStore:
    """A folder under the store contract. `etag` is size and modification time in nanoseconds.

    Our own writes set the time from the full clock, so two of them never share an etag. A foreign program that rewrites
    a file with the same size within one tick of the file system's clock (about 4 ms) goes unnoticed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = name_to_key(str(root)).rstrip("/") + "/"

    def __repr__(self) -> str:
        return f"LocalStore({self.url!r})"

    def create(self) -> None:
        with self._errors("make", ""):
            self.root.mkdir(parents=True, exist_ok=True)

    def list(
        self, prefix: str = "", locked: Callable[[str], object] | None = None, *, deep: bool = True
    ) -> Iterator[Entry]:
        """Lists as the contract says; a missing folder counts as empty. Symlinks are followed, but loops are not.

        A dangling link is listed with size 0, so that it is reported as missing instead of ignored. Pipes, sockets and
        devices are skipped.
        """
        top = prefix[: prefix.rfind("/") + 1]
        if top.startswith(TEMPORARY_PREFIX) or (top and not _is_possible(top[:-1])):
            return
        stack = [_Found(top, is_folder=True, above=())]
        while stack:
            found = stack.pop()
            if found.is_folder:
                if deep or found.key == top:
                    stack.extend(reversed(self._children_or_locked(found, prefix, locked)))
            elif entry := self._entry_or_locked(found, locked is not None):
                yield entry

    def folders(self, folder: str) -> Sequence[str]:
        if folder and not _is_possible(folder[:-1]):
            return []
        top = _Found(folder, is_folder=True, above=())
        return [child.key for child in self._children(top, folder) if child.is_folder]

    def get(self, key: str) -> bytes:
        with self._errors("read", key):
            return self._existing(key).read_bytes()

    def fetch(self, key: str, to: Path) -> Path:
        """Returns the file itself or, if its name is not valid text (C libraries cannot open it), a link at `to`."""
        with self._errors("read", key):
            path = self._existing(key)
            path.open("rb").close()
            if _is_text(path):
                return path
            to.symlink_to(path)
            return to

    def head(self, key: str) -> Entry | None:
        with self._errors("read", key):
            try:
                return _entry(key, self._existing(key).stat())
            except NotFound:
                return None

    def digest(self, key: str) -> str:
        with self._errors("read", key), self._existing(key).open("rb") as file:
            return hashlib.file_digest(file, _blake2b).hexdigest()

    def put(self, key: str, data: bytes) -> str:
        return self._write(key, data, lambda temporary, path: temporary.replace(path))

    def put_new(self, key: str, data: bytes) -> str:
        return self._put_new(key, data)

    def put_new_file(self, key: str, path: Path) -> str:
        return self._put_new(key, path)

    def _put_new(self, key: str, data: bytes | Path) -> str:
        def publish(temporary: Path, path: Path) -> None:
            try:
                path.hardlink_to(temporary)
            except FileExistsError as error:
                if path.is_dir():
                    raise IsADirectoryError(errno.EISDIR, "There is a folder with that name") from error
                if not path.exists():  # a link to nothing is no object
                    temporary.replace(path)
                    return
                raise self._lost(key) from None
            except OSError as error:
                if error.errno not in _NO_HARD_LINKS or path.exists():
                    raise
                temporary.replace(path)  # no other process can have created it: we hold the lock

        return self._write(key, data, publish)

    def put_if(self, key: str, data: bytes, etag: str) -> str:
        def publish(temporary: Path, path: Path) -> None:
            present = self.head(key)
            if present is None or present.etag != etag:
                raise self._lost(key)
            temporary.replace(path)

        return self._write(key, data, publish)

    def cannot_hold(self, key: str) -> str:
        return _fault_of(key)

    def delete(self, keys: Iterable[str]) -> None:
        """Deletes the files, and folders that become empty, as on S3."""
        for key in keys:
            with self._errors("remove", key):
                if not _is_possible(key) or not self.root.is_dir():
                    continue
                with self._lock():
                    path = self._path(key)
                    with suppress(FileNotFoundError, NotADirectoryError):
                        path.unlink()
                    self._remove_empty_folders(path.parent)

    def check_readable(self) -> None:
        with self._errors("read", ""):
            os.scandir(self.root).close()

    def check_writable(self) -> None:
        with self._errors("write to", ""):
            self.create()
            self._sweep()
        probe = f"{PROBE_PREFIX}{uuid.uuid4().hex}"
        self.put_new(probe, b"")
        self.delete([probe])

    def _path(self, key: str) -> Path:
        if fault := _fault_of(key):
            raise StoreError(
                f"{self.url}{key} cannot be a file: {fault}.", "Rename it in the input, or use an S3 prefix here too."
            )
        return self.root / key_to_name(key)

    def _place(self, found: _Found) -> Path:
        return self.root / key_to_name(found.key)

    def _existing(self, key: str) -> Path:
        """Returns the path of a regular file, or raises NotFound."""
        if _is_possible(key):
            path = self._path(key)
            with suppress(FileNotFoundError, NotADirectoryError):
                if stat.S_ISREG(path.stat().st_mode):
                    return path
        raise NotFound(
            f"No such file: {self.url}{key}.", "It may have been deleted in the meantime; list the folder again."
        )

    def _children_or_locked(
        self, folder: _Found, prefix: str, locked: Callable[[str], object] | None
    ) -> Sequence[_Found]:
        try:
            return self._children(folder, prefix)
        except AccessDenied:
            if locked is None or not folder.key:
                raise
            locked(folder.key)
            return []

    def _children(self, folder: _Found, prefix: str) -> Sequence[_Found]:
        with self._errors("list", folder.key):
            try:
                path = self._place(folder)
                status = path.stat()
                identity = (status.st_dev, status.st_ino)
                if identity in folder.above:
                    return []
                above = (*folder.above, identity)
                with os.scandir(path) as scan:
                    children = [self._child(folder.key, entry, above) for entry in scan]
            except (FileNotFoundError, NotADirectoryError):
                return []  # deleted since it was listed
        wanted = (c for c in children if c.key.startswith(prefix) and c.key != TEMPORARY_PREFIX)
        return sorted(wanted, key=lambda child: child.key)

    @staticmethod
    def _child(parent: str, entry: os.DirEntry[str], above: tuple[tuple[int, int], ...]) -> _Found:
        try:
            is_folder = entry.is_dir()
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.EACCES):
                raise
            is_folder = False
        return _Found(parent + name_to_key(entry.name) + "/" * is_folder, is_folder, above)

    def _entry_or_locked(self, found: _Found, may_be_locked: bool) -> Entry | None:
        try:
            return self._entry_or_dangling(found)
        except AccessDenied:
            if not may_be_locked:
                raise
            return Entry(found.key, 0, "locked")

    def _entry_or_dangling(self, found: _Found) -> Entry | None:
        with self._errors("read", found.key):
            path = self._place(found)
            try:
                status = path.stat()
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ELOOP):
                    raise
                return Entry(found.key, 0, DANGLING) if path.is_symlink() else None
        return _entry(found.key, status) if stat.S_ISREG(status.st_mode) else None

    def _write(self, key: str, data: bytes | Path, publish: Callable[[Path, Path], object]) -> str:
        """Writes a temporary file and lets `publish` move it to its key under the lock."""
        path = self._path(key)
        with self._errors("write", key), self._temporary(data) as (temporary, etag):
            with self._lock():
                path.parent.mkdir(parents=True, exist_ok=True)
                publish(temporary, path)
            return etag

    @contextmanager
    def _temporary(self, data: bytes | Path) -> Iterator[tuple[Path, str]]:
        """Yields a complete file on this file system and its etag. It is locked so that `_sweep` sees that it is in
        use, and removed at the end."""
        path = self._temporary_folder() / f"{os.getpid()}-{uuid.uuid4().hex}"
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666)
        try:
            with os.fdopen(descriptor, "wb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if isinstance(data, Path):
                    with data.open("rb") as content:
                        shutil.copyfileobj(content, file)
                else:
                    file.write(data)
                file.flush()
                now = time.time_ns()
                os.utime(descriptor, ns=(now, now))
                os.fsync(descriptor)  # after a power cut, an empty file would count as a finished document
                yield path, _etag(os.fstat(descriptor))
        finally:
            path.unlink(missing_ok=True)

    def _temporary_folder(self) -> Path:
        folder = self.root / TEMPORARY_PREFIX
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Holds the store's lock: one holder among all threads and processes."""
        path = self._temporary_folder() / "lock"
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # closing is not enough if a child was forked in the meantime
            os.close(descriptor)

    def _sweep(self) -> None:
        """Removes temporary files that killed processes left behind."""
        for path in self._temporary_folder().iterdir():
            with suppress(FileNotFoundError, BlockingIOError):
                if path.name == "lock" or time.time() - path.stat().st_mtime < ABANDONED_SECONDS:
                    continue
                with path.open("r+b") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()

    def _remove_empty_folders(self, folder: Path) -> None:
        while folder != self.root:
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent

    def _lost(self, key: str) -> PreconditionFailed:
        return PreconditionFailed(
            f"Cannot write {self.url}{key}: another process wrote it first.",
            "Nothing is lost: the existing file is complete.",
        )

    def _errors(self, verb: str, key: str) -> AbstractContextManager[None]:
        return file_errors(f"{verb} {self.url}{key}")


def _is_possible(key: str) -> bool:
    return not _fault_of(key)


def _fault_of(key: str) -> str:
    """Returns why a key cannot be a path below the root, and the only key of that path; "" if it can."""
    if "\0" in key:
        return "it holds a null character"
    for part in key.split("/"):
        if part in ("", ".", ".."):
            return f"a part of it is {part!r}" if part else "a part of it is empty"
        if (length := len(os.fsencode(key_to_name(part)))) > MOST_NAME_BYTES:
            return f"a part of it has {length} bytes, and a file name has at most {MOST_NAME_BYTES}"
    return ""


def _entry(key: str, status: os.stat_result) -> Entry:
    return Entry(key, status.st_size, _etag(status))


def _blake2b() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=16)


def _etag(status: os.stat_result) -> str:
    return f"{status.st_size:x}-{status.st_mtime_ns:x}"


_NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
