"""Passwords of encrypted documents, on their way to the child processes and in them.

They go through the pipe that starts a child, never through its command line or environment, and no representation of
them tells any.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Passwords:
    """To be tried in turn."""

    _values: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def read(cls, text: str) -> Passwords:
        """One a line, with the blanks that are in it; empty lines are none."""
        lines = (line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n"))
        return cls(tuple(dict.fromkeys(line for line in lines if line)))

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


_known = Passwords()


def remember(passwords: Passwords) -> None:
    """For all documents that this process opens."""
    global _known  # a child process has one set for its life
    _known = passwords


def known() -> Passwords:
    return _known
