"""Translates errors of the operating system into ours."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from pdfbatch.errors import AccessDenied, NotFound, StoreError, StoreFull

_MAKE_ROOM = "Free up space or choose another folder, then run the same command again; finished documents are kept."
_GET_RIGHTS = "Choose another folder, or run as a user with permission for this one (`ls -ld`)."
_MOVE_IT = "Move it, or choose another folder."

_MEANINGS: dict[int, tuple[type[StoreError], str]] = {
    errno.ENOSPC: (StoreFull, _MAKE_ROOM),
    errno.EDQUOT: (StoreFull, _MAKE_ROOM),
    errno.EROFS: (AccessDenied, "Choose a writable folder."),
    errno.EACCES: (AccessDenied, _GET_RIGHTS),
    errno.EPERM: (AccessDenied, _GET_RIGHTS),
    errno.ENOENT: (NotFound, "Check the spelling; it may also have been deleted in the meantime."),
    errno.ENOTDIR: (StoreError, f"A file is in the way of a folder. {_MOVE_IT}"),
    errno.EEXIST: (StoreError, f"A file is in the way of a folder. {_MOVE_IT}"),
    errno.EISDIR: (StoreError, f"A folder is in the way of a file. {_MOVE_IT}"),
    errno.ENAMETOOLONG: (StoreError, "Shorten the folder names, or choose a folder closer to the root."),
    errno.ENOLCK: (StoreError, "This file system does not support file locks: choose a folder on another one."),
    errno.EMFILE: (StoreError, "Raise the open file limit (`ulimit -n 4096`), then run again."),
}
_OTHERWISE = (StoreError, "Check the disk and the folder, then run again.")


@contextmanager
def file_errors(what: str) -> Iterator[None]:
    """Turns an OSError inside the block into a StoreError; `what` completes "Cannot …", for example "write /a/b"."""
    try:
        yield
    except OSError as error:
        kind, hint = _MEANINGS.get(error.errno or 0, _OTHERWISE)
        raise kind(f"Cannot {what}: {error.strerror or error}.", hint) from error
