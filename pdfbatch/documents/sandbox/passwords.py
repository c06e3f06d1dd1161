"""Passwords of encrypted documents, on their way to child processes and inside them.

They go through the pipe that starts a child, never through its command line or environment, and `repr` never shows
them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Passwords:
    """Passwords to try in turn."""

    _values: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def read(cls, text: str) -> Passwords:
        """Parse one password per line. Blanks are part of a password; empty lines are skipped."""
        lines = (line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n"))
        return cls(tuple(dict.fromkeys(line for line in lines if line)))

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


_known = Passwords()


def remember(passwords: Passwords) -> None:
    """Use these passwords for all documents that this process opens."""
    global _known  # a child process keeps one set for its lifetime
    _known = passwords


def known() -> Passwords:
    return _known
