"""Where documents come from and results go: a folder or an S3 prefix under one contract.

Keys are relative to the store's root, with "/" between their parts, and always valid Unicode, so that JSON and S3 can
carry them. What is visible under a key was written whole: a process killed at any moment leaves no half object.

A conditional write (`put_new`, `put_if`) has one winner among all processes. If it raises PreconditionFailed it did not
happen; if it raises another StoreError (the network was lost for good) it may have happened: read the key to know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

PROBE_PREFIX = ".pdfbatch/probe/"
TEMPORARY_PREFIX = ".pdfbatch/tmp/"
"""Where a local store keeps half-written files and its lock; never listed."""


class Entry(NamedTuple):
    """One object of a store. `size` in bytes; `etag` is opaque and changes with the content."""

    key: str
    size: int
    etag: str


class Store(Protocol):
    """What both stores can do. Every method may raise AccessDenied, StoreFull, NotReady or another StoreError."""

    url: str
    """As shown to people and as `open_store` takes it: "s3://bucket/prefix/" or "/abs/folder/"."""

    def list(
        self, prefix: str = "", locked: Callable[[str], object] | None = None, *, deep: bool = True
    ) -> Iterator[Entry]:
        """Everything whose key starts with `prefix`, at any depth or (`deep` False) in that one folder, by the keys'
        code points (S3's order).

        `locked` is called with each folder, as in "a/b/", that may not be read, and files of which nothing may be known
        are listed with size 0; without it both are AccessDenied. S3 has neither."""

    def get(self, key: str) -> bytes:
        """The whole content, or NotFound."""

    def fetch(self, key: str, to: Path) -> Path:
        """A local file with the content, or NotFound: `to`, freshly written, or the very file where it is local."""

    def head(self, key: str) -> Entry | None:
        """The entry alone, None if there is no such object."""

    def put(self, key: str, data: bytes) -> str:
        """Writes whole or not at all, over whatever is there; returns the new etag, as do the other two."""

    def put_new(self, key: str, data: bytes) -> str:
        """Writes only where nothing is, else PreconditionFailed."""

    def put_if(self, key: str, data: bytes, etag: str) -> str:
        """Writes only over the version `etag`, else PreconditionFailed, also when the object is gone.

        S3's etag is that of the content: writers who must tell their versions apart put something of their own in.
        """

    def delete(self, keys: Iterable[str]) -> None:
        """Removes; keys that are not there are fine."""

    def check_readable(self) -> None:
        """Raises what would keep a run from reading: no such folder or bucket, no permission."""

    def check_writable(self) -> None:
        """Makes a missing folder and proves by a probe that conditional writes and deletes work here."""
