"""A seccomp filter: a process gives up system calls that no reading of a page needs, for ever.

It opens no socket, starts no program, and looks into no other process. The calls fail with EPERM, so that the error
says which step was refused. Source: Linux's Documentation/userspace-api/seccomp_filter.rst, include/uapi/linux/
{audit,filter,seccomp}.h; the numbers are those of its system call tables.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable
from itertools import chain

_X86_64, _AARCH64, _I386 = 0xC000003E, 0xC00000B7, 0x40000003
_X32 = 0x40000000
"""Calls of the x32 kind have this bit; they would get around a filter by number."""
DENIED = {  # name: numbers on x86_64 and aarch64
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "io_uring_setup": (425, 425),
    "execve": (59, 221),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "open_by_handle_at": (304, 265),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "unshare": (272, 97),
    "setns": (308, 268),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
}
_SET_SECCOMP, _FILTER = 22, 2  # prctl(2)
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4
"""Offsets in the data that a filter sees."""
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def deny_calls() -> None:
    """Refuses the calls in `DENIED` from now on. `prctl.no_new_privileges` comes first.

    Raises:
        OSError: the kernel does not allow it.
    """
    code = _filter()
    program = _Program(len(code) // 8, code)
    if ctypes.CDLL(None, use_errno=True).prctl(_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")


def _filter() -> bytes:
    """Returns the filter's code. It knows both architectures, because a translator may run one on the other; calls of
    32 bits are refused, and those of an unknown architecture allowed."""
    x86 = [_step(_AT_LEAST, _X32, 0, 1), _step(_RETURN, _REFUSE), *_refusing(numbers[0] for numbers in DENIED.values())]
    arm = _refusing(numbers[1] for numbers in DENIED.values())
    steps = [
        _step(_LOAD, _ARCHITECTURE_AT),
        _step(_EQUAL, _I386, 0, 1),
        _step(_RETURN, _REFUSE),
        _step(_EQUAL, _X86_64, 0, len(x86) + 1),
        _step(_LOAD, _NUMBER_AT),
        *x86,
        _step(_EQUAL, _AARCH64, 0, len(arm) + 1),
        _step(_LOAD, _NUMBER_AT),
        *arm,
        _step(_RETURN, _ALLOW),
    ]
    return b"".join(steps)


def _refusing(numbers: Iterable[int]) -> list[bytes]:
    """Returns steps that refuse these calls and allow all others."""
    refusals = [[_step(_EQUAL, number, 0, 1), _step(_RETURN, _REFUSE)] for number in numbers]
    return [*chain.from_iterable(refusals), _step(_RETURN, _ALLOW)]


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
