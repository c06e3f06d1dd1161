"""A processor of a run, as frozen in its manifest, and what processors did for a document."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import NamedTuple

from pdfbatch.records.base import Record

OptionValue = bool | int | float | str


class ProcessorSpec(Record):
    """Which processor, in which version, with which options; all of them, so that a later default changes nothing."""

    name: str
    """As installed, `images`, or `module:Class`."""
    version: str
    options: dict[str, OptionValue] = {}

    @property
    def folder(self) -> str:
        """The name of its folder beside a document's Markdown, which no other processor of the run has."""
        return self.name.rpartition(":")[2]

    @property
    def stamp(self) -> str:
        """Version and options in one line: files of another stamp are made again."""
        return " ".join([self.version, *(f"{name}={_text(self.options[name])}" for name in sorted(self.options))])


def _text(value: OptionValue) -> str:
    return value if isinstance(value, str) and value.isprintable() and " " not in value else json.dumps(value)


class ProcessorResults(NamedTuple):
    """What processors did for a document, by their folders: the stamps of those that succeeded, and why others did
    not."""

    processed: Mapping[str, str] = {}
    unprocessed: Mapping[str, str] = {}

    def after(self, before: ProcessorResults, asked: Collection[str]) -> ProcessorResults:
        """Returns them together with what earlier runs did that `asked` for other processors."""
        kept = ProcessorResults(
            {name: stamp for name, stamp in before.processed.items() if name not in asked},
            {name: why for name, why in before.unprocessed.items() if name not in asked},
        )
        return ProcessorResults(
            {**kept.processed, **self.processed},
            {**kept.unprocessed, **self.unprocessed},
        )

    @property
    def detail(self) -> str:
        """One sentence for a person; "" if all succeeded."""
        return "; ".join(f"{name}: {why}" for name, why in self.unprocessed.items())
