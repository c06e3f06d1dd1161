"""The command of the engine `command`, as frozen in a manifest."""

from __future__ import annotations

import shlex
from pathlib import Path

from pydantic import Field

from pdfbatch.records.base import Record

IN, OUT = "{in}", "{out}"


class Command(Record):
    """What to run for a batch of documents. `line` is a shell command with `{in}` and `{out}`, the folders of its
    inputs and outputs; "" for every other engine."""

    line: str = ""
    batch: int = Field(default=20, ge=1)
    """The most documents in one batch."""
    seconds: float = Field(default=3600.0, gt=0)
    """Time limit of a batch."""
    memory_mib: int = Field(default=0, ge=0)
    """Memory limit of each of its processes, in MiB; 0: none."""

    @property
    def lacks(self) -> list[str]:
        """The placeholders that are missing from the line."""
        return [placeholder for placeholder in (IN, OUT) if placeholder not in self.line]

    def shell_line(self, inputs: Path, outputs: Path) -> str:
        """Returns the line for a shell, with quoted folders."""
        return self.line.replace(IN, shlex.quote(str(inputs))).replace(OUT, shlex.quote(str(outputs)))
