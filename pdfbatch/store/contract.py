"""The contract that the local and the S3 store share.

Keys are relative to the store's root, use "/" as separator, and are always valid Unicode, so that JSON and S3 can carry
them. Writes are atomic: a process killed at any moment never leaves a partial object under a key.

A conditional write (`put_new`, `put_new_file`, `put_if`) has one winner among all processes. If it raises
PreconditionFailed, nothing was written. If it raises another StoreError (the network failed), it may have been written:
read the key to find out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

PROBE_PREFIX = ".pdfbatch/probe/"
TEMPORARY_PREFIX = ".pdfbatch/tmp/"
"""Where a local store keeps partially written files and its lock; never listed."""


DANGLING = "dangling"
"""The etag of a link to nothing, in a local store."""


class Entry(NamedTuple):
    """One object of a store. `size` in bytes; `etag` is opaque and changes with the content."""

    key: str
    size: int
    etag: str


class Store(Protocol):
    """A place with objects by key. Every method may raise AccessDenied, StoreFull, NotReady or another StoreError."""

    url: str
    """As shown to people and as `open_store` takes it: "s3://bucket/prefix/" or "/abs/folder/"."""

    def list(
        self, prefix: str = "", locked: Callable[[str], object] | None = None, *, deep: bool = True
    ) -> Iterator[Entry]:
        """Lists every entry whose key starts with `prefix`, at any depth or (`deep` False) in that one folder, ordered
        by the keys' code points (S3's order).

        `locked` is called with each folder, such as "a/b/", that permissions forbid to read, and files that cannot be
        inspected are listed with size 0. Without `locked` both raise AccessDenied. S3 has neither."""

    def folders(self, folder: str) -> Sequence[str]:
        """Returns the folders directly in a folder, such as "a/b/" in "a/", in order. "" is the root."""

    def get(self, key: str) -> bytes:
        """Returns the whole content, or raises NotFound."""

    def fetch(self, key: str, to: Path) -> Path:
        """Returns a local file with the content, or raises NotFound. It is `to`, newly written, or the object's own
        file in a local store."""

    def head(self, key: str) -> Entry | None:
        """Returns the entry without the content; None if there is no such object."""

    def digest(self, key: str) -> str:
        """Returns a digest of the content where the etag depends on more than the content, or raises NotFound; "" where
        the etag depends on it alone."""

    def put(self, key: str, data: bytes) -> str:
        """Writes atomically, replacing any existing object. All writes return the new etag."""

    def put_new(self, key: str, data: bytes) -> str:
        """Writes only if the key does not exist, else raises PreconditionFailed."""

    def put_new_file(self, key: str, path: Path) -> str:
        """Writes the content of a local file as `put_new` does, without reading it into memory at once."""

    def put_if(self, key: str, data: bytes, etag: str) -> str:
        """Writes only over the version `etag`, else raises PreconditionFailed, also if the object is gone.

        S3's etag depends on the content alone: writers that must tell their versions apart add something unique.
        """

    def cannot_hold(self, key: str) -> str:
        """Returns why no object of this key can be written here, as the end of a sentence about it; "" if it can."""

    def delete(self, keys: Iterable[str]) -> None:
        """Deletes the objects; missing keys are ignored."""

    def check_readable(self) -> None:
        """Checks that a run can read here: an error says that the folder, bucket or permission is missing."""

    def check_writable(self) -> None:
        """Creates a missing folder and checks with a probe object that conditional writes and deletes work."""
