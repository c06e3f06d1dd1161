"""A folder for downloaded PDFs that is removed with the process, or by the next one."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pdfbatch.store.file_errors import file_errors

_PREFIX = "pdfbatch-scratch-"
_LOCK = "lock"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yields an empty folder; folders that killed processes left behind are removed first.

    The kernel releases a dead process's lock, so a folder whose lock is free is no longer in use.
    """
    _sweep(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    with (folder / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def copied(path: Path, target: Path) -> Path:
    """Copies a file to `target`, and returns that.

    Raises:
        StoreError: it cannot be read, or there is no room.
    """
    with file_errors(f"copy {path} to {target}"):
        target.unlink(missing_ok=True)  # it may be a link
        return Path(shutil.copyfile(path, target))


def _sweep(temporary: Path) -> None:
    for lock in temporary.glob(f"{_PREFIX}*/{_LOCK}"):
        try:
            with lock.open("w") as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
        except OSError:
            continue  # it is in use, or we have no permission to remove it
