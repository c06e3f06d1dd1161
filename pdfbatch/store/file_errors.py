"""What the operating system refuses, in our words."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from pdfbatch.errors import AccessDenied, NotFound, StoreError, StoreFull

_MAKE_ROOM = "Make room there or choose another folder, then run the same command again; finished documents are kept."
_GET_RIGHTS = "Choose another folder, or run as a user who may use this one (`ls -ld`)."
_MOVE_IT = "Move it away, or choose another folder."

_MEANINGS: dict[int, tuple[type[StoreError], str]] = {
    errno.ENOSPC: (StoreFull, _MAKE_ROOM),
    errno.EDQUOT: (StoreFull, _MAKE_ROOM),
    errno.EROFS: (AccessDenied, "Choose a folder that can be written to."),
    errno.EACCES: (AccessDenied, _GET_RIGHTS),
    errno.EPERM: (AccessDenied, _GET_RIGHTS),
    errno.ENOENT: (NotFound, "Check its spelling; it may also have been removed meanwhile."),
    errno.ENOTDIR: (StoreError, f"A file is where a folder is needed. {_MOVE_IT}"),
    errno.EEXIST: (StoreError, f"A file is where a folder is needed. {_MOVE_IT}"),
    errno.EISDIR: (StoreError, f"A folder is where a file is needed. {_MOVE_IT}"),
    errno.ENAMETOOLONG: (StoreError, "Shorten the folder names, or choose a folder nearer to the root."),
    errno.ENOLCK: (StoreError, "This file system has no file locks: choose a folder on another."),
    errno.EMFILE: (StoreError, "Raise the limit of open files (`ulimit -n 4096`), then run again."),
}
_OTHERWISE = (StoreError, "Check the disk and the folder, then run again.")


@contextmanager
def file_errors(what: str) -> Iterator[None]:
    """Turns an OSError inside into ours; `what` completes "Cannot …", as in "write /a/b"."""
    try:
        yield
    except OSError as error:
        kind, hint = _MEANINGS.get(error.errno or 0, _OTHERWISE)
        raise kind(f"Cannot {what}: {error.strerror or error}.", hint) from error
