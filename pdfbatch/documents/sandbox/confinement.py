"""What a child may touch: the documents, Python and its packages, and its scratch folder; no network, no programs.

Only Linux can do this without privileges; elsewhere a child is an ordinary process. What the kernel refuses is told to
the parent as `UNCONFINED_…`, and logged there.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pdfbatch.documents.sandbox import landlock, seccomp

UNCONFINED_FILES, UNCONFINED_CALLS = 2, 4
_SENTENCES = {
    UNCONFINED_FILES: "this kernel does not let reading processes give up access to other files (Landlock, Linux 5.13)",
    UNCONFINED_CALLS: "this kernel does not let reading processes give up the network (seccomp)",
}
_SET_NO_NEW_PRIVS = 38  # prctl(2)
_SYSTEM = (
    *("/usr", "/lib", "/lib64", "/nix/store", "/etc/ld.so.cache", "/etc/localtime", "/etc/ssl/openssl.cnf"),
    *("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu", "/dev/urandom", "/dev/zero"),
)
_DISCARD = "/dev/null"


class Bounds(NamedTuple):
    """The folders, besides Python's, in which a child may read, and those in which it may also write."""

    read: tuple[Path, ...] = ()
    write: tuple[Path, ...] = ()

    def reach(self, path: Path) -> bool:
        """Whether a child may read the file at `path`, wherever links lead to."""
        real = path.resolve()
        return any(real.is_relative_to(folder.resolve()) for folder in (*self.read, *self.write))


def is_wide(folder: Path) -> bool:
    """Whether a folder holds more than documents: the home folder, or one above it."""
    try:
        home = Path.home().resolve()
    except RuntimeError:  # a user without a home
        home = Path("/")
    return home.is_relative_to(folder.resolve())


def packages_elsewhere() -> Mapping[str, tuple[Path, ...]]:
    """Returns the loaded packages that are not below Python's own folders, with their folders: a checkout, for example.
    A child loads them before it can no longer look for them."""
    roots = tuple(f"{root}{os.sep}" for root in _python())
    found = {name: _places(module) for name, module in sys.modules.copy().items() if "." not in name}
    return {
        name: tuple(map(Path, places))
        for name, places in found.items()
        if not all(f"{place}{os.sep}".startswith(roots) for place in places)
    }


def confine(bounds: Bounds | None, packages: Mapping[str, tuple[Path, ...]]) -> int:
    """Confines this process for ever, and returns what the kernel did not allow, as a sum of `UNCONFINED_…`. With
    `bounds` None it keeps its access to files."""
    if sys.platform != "linux":
        return 0
    ctypes.CDLL(None, use_errno=True).prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    lacking = 0
    if bounds is not None:
        ours = [place for places in packages.values() for place in places]
        try:
            landlock.restrict([*_python(), *ours, *map(Path, _SYSTEM), *bounds.read], [Path(_DISCARD), *bounds.write])
        except OSError:
            lacking |= UNCONFINED_FILES
    try:
        seccomp.deny_calls()
    except OSError:
        lacking |= UNCONFINED_CALLS
    return lacking


def lacking(started: int) -> list[str]:
    """Returns one sentence for each `UNCONFINED_…` that a child reported when it started."""
    return [sentence for bit, sentence in _SENTENCES.items() if started & bit]


def _python() -> list[Path]:
    """Returns Python's own folders, and those on its path, except the current folder: it may be anything."""
    own = {Path(sys.prefix), Path(sys.base_prefix), Path(sys.exec_prefix), Path(sys.base_exec_prefix)}
    with suppress(OSError):
        here = Path.cwd()
        own.update(path for path in map(Path, filter(os.path.isabs, sys.path)) if path != here and not is_wide(path))
    return sorted(own)


def _places(module: object) -> list[str]:
    with suppress(Exception):  # a module may be any object
        return list(map(str, getattr(module, "__path__", ())))
    return []
