"""Hand a child's result over in a file: pictures through a pipe are copied four times, and a child that is killed while
it sends them leaves the pipe's lock held. Through the pipe goes only the file's name.

The name is the parent's, so that the parent can delete the file of a child that was killed.
"""

from __future__ import annotations

import mmap
import pickle
from collections.abc import Callable
from contextlib import suppress
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Parcel(NamedTuple, Generic[T]):
    """A result in `file`: the pickled rest, then the arrays' bytes, `sizes` of them."""

    file: str
    sizes: tuple[int, ...]

    def opened(self) -> T:
        """Returns the result and deletes the file. Its arrays are read-only and map it while they live."""
        with Path(self.file).open("rb") as file:
            whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        Path(self.file).unlink(missing_ok=True)
        ends = accumulate(self.sizes, initial=0)
        rest, *arrays = (whole[start:end] for start, end in pairwise(ends))
        result: T = pickle.loads(rest, buffers=arrays)
        return result


def parcelled(name: str, task: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Parcel[T]:
    """Runs `task` in this child and puts its result into the file `name`."""
    arrays: list[Any] = []
    rest = pickle.dumps(task(*args, **kwargs), protocol=5, buffer_callback=arrays.append)
    parts = [memoryview(rest), *(array.raw() for array in arrays)]
    try:
        with Path(name).open("wb", buffering=0) as file:
            for part in parts:
                _write(file, part)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink(missing_ok=True)
        raise
    return Parcel(name, tuple(part.nbytes for part in parts))


def _write(file: Any, part: memoryview) -> None:
    """Writes all of a part; one call writes at most 2 GiB, and less if the disk is full."""
    while part.nbytes:
        part = part[file.write(part) :]
