"""Parses the locations given as INPUT and OUTPUT, and tells whether one contains the other."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote

from pdfbatch.errors import UsageError
from pdfbatch.store.contract import Store
from pdfbatch.store.local import LocalStore, key_to_name
from pdfbatch.store.s3 import S3Store

_S3 = re.compile(r"s3://(?P<bucket>[A-Za-z0-9._-]{3,255})(?:/(?P<prefix>.*))?", re.DOTALL)
_LIKE_S3 = re.compile(r"s3[an]?:/*(?P<rest>.*)", re.DOTALL | re.IGNORECASE)
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://")
_WHAT_IS_A_PLACE = "Give s3://bucket/prefix/ or a local folder."


def open_store(location: str, *, create: bool = False) -> Store:
    """Returns the store at `s3://bucket/prefix/` or in a folder (`~` and file:///path too); it need not exist yet.

    `create` creates a missing folder.

    Raises:
        UsageError: the location is neither; the hint suggests what was probably meant.
    """
    if not location.strip() or "\0" in location:
        raise UsageError("The location is empty or not printable.", _WHAT_IS_A_PLACE)
    if match := _S3.fullmatch(location):
        prefix = (match["prefix"] or "").rstrip("/")
        return S3Store(match["bucket"], prefix + "/" if prefix else "")
    if is_s3(location):
        s3_parts(location)
    folder = local_path(location)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{location!r} is a file, not a folder.", f"Give the folder it is in: {folder.parent}")
    store = LocalStore(folder)
    if create:
        store.create()
    return store


def local_path(location: str) -> Path:
    """Returns the absolute path of a location, keeping symlinks; `~` and file:///path work too.

    Raises:
        UsageError: it is not a path, or not a valid one.
    """
    try:
        path = Path(os.path.abspath(Path(key_to_name(_local_path(location))).expanduser()))  # noqa: PTH100  # keeps links
        path.resolve()
        path.exists()
    except (OSError, RuntimeError, ValueError) as error:  # too long, a loop, no such user, no text, a deleted folder
        raise UsageError(f"{location!r} cannot be used: {error}.", _WHAT_IS_A_PLACE) from error
    return path


def is_s3(location: str) -> bool:
    """Whether the location is in S3, or is meant to be."""
    return _LIKE_S3.match(location) is not None


def s3_parts(location: str) -> tuple[str, str]:
    """Returns the bucket and key of an S3 location.

    Raises:
        UsageError: it is not valid.
    """
    match = _S3.fullmatch(location)
    if match is None:
        found = _LIKE_S3.match(location)
        raise UsageError(f"{location!r} is not a valid S3 location.", _s3_hint(found["rest"] if found else ""))
    return match["bucket"], match["prefix"] or ""


def inside(a: Store, b: Store) -> bool:
    """Whether the root of `a` is that of `b` or below it; symlinks are followed."""
    if isinstance(a, S3Store) and isinstance(b, S3Store):
        return a.bucket == b.bucket and a.prefix.startswith(b.prefix)
    if isinstance(a, LocalStore) and isinstance(b, LocalStore):
        upper, lower = b.root.resolve(), a.root.resolve()
        return any(_is_same_folder(folder, upper) for folder in (lower, *lower.parents))
    return False


def _is_same_folder(a: Path, b: Path) -> bool:
    """Compares device and inode where both exist: some file systems know one folder by several spellings."""
    try:
        return a == b or a.samefile(b)
    except OSError:
        return False


def _local_path(location: str) -> str:
    if location.startswith("file://"):
        path = unquote(location.removeprefix("file://"), errors="surrogateescape")
        if not path.startswith("/"):
            raise UsageError(
                f"{location!r} is on another host.", "Write file:///folder with three slashes, or just the folder."
            )
        return path
    if match := _SCHEME.match(location):
        raise UsageError(
            f"{match['scheme']}:// is not supported.",
            f"{_WHAT_IS_A_PLACE} For another S3 server, set AWS_ENDPOINT_URL. Download files from the web first.",
        )
    return location


def _s3_hint(rest: str) -> str:
    bucket = re.match(r"[A-Za-z0-9._-]{3,255}(/.*)?$", rest, re.DOTALL)
    if bucket:
        return f"Did you mean s3://{rest} ? A local folder of that name is ./s3:…"
    return "Write s3://bucket/prefix/ ; a bucket name has at least 3 letters, digits, dots or hyphens."
