"""Landlock: a process gives up access to all files but some, for ever. Linux 5.13 and newer; needs no privilege.

Source: Linux's Documentation/userspace-api/landlock.rst and include/uapi/linux/landlock.h.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""Numbers of the system calls, the same on every architecture."""
_VERSION = 1
_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG, _TRUNCATE = 1 << 4, 1 << 5, 1 << 7, 1 << 8, 1 << 14
_HANDLED = {1: (1 << 13) - 1, 2: 1 << 13, 3: _TRUNCATE}
"""Accesses to files that each version of Landlock can refuse, beyond those of the version before: `_EXECUTE` and all
kinds of making and removing, moving between folders, truncating."""
_TCP = 3
_TCP_SINCE = 4
_SCOPES = 3
"""Signals to processes outside, and their abstract sockets."""
_SCOPES_SINCE = 6

READ = _READ_FILE | _READ_DIR
WRITE = READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _TRUNCATE
_OF_A_FILE = _READ_FILE | _WRITE_FILE | _TRUNCATE


def version() -> int:
    """Returns the kernel's version of Landlock; 0 if it has none."""
    found: int = _libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    return max(0, found)


def restrict(read: Iterable[Path], write: Iterable[Path]) -> None:
    """Leaves this process access to nothing but these files and folders, to `write` also for making, changing and
    removing files and folders, but no links. It can start no program. `prctl.no_new_privileges` comes first.

    Raises:
        OSError: the kernel does not allow it.
    """
    known = version()
    handled = sum(access for since, access in _HANDLED.items() if since <= known)
    net, scopes = _TCP if known >= _TCP_SINCE else 0, _SCOPES if known >= _SCOPES_SINCE else 0
    attributes = struct.pack("QQQ", handled, net, scopes)
    size = 24 if scopes else 16 if net else 8
    ruleset = _checked(_libc().syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(size), ctypes.c_uint32(0)))
    try:
        for paths, access in ((read, READ), (write, WRITE)):
            for path in paths:
                _allow(ruleset, path, access & handled)
        _checked(_libc().syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0)))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, access: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError, NotADirectoryError):
        return  # it is not there, so there is nothing to allow
    try:
        if not path.is_dir():
            access &= _OF_A_FILE
        rule = struct.pack("=Qi", access, opened)
        call = (ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), rule, ctypes.c_uint32(0))
        _checked(_libc().syscall(_ADD_RULE, *call))
    finally:
        os.close(opened)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"Landlock: {os.strerror(number)}")
    return result
