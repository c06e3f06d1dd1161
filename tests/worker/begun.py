"""Begins a run over a store, for tests and their processes; imports little, because processes start often."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pdfbatch.records import ReadOptions
from pdfbatch.runs.begin import Begun, Request, begin, check_places
from pdfbatch.runs.partition import Slice
from pdfbatch.store import Store

ALL = Slice(0, 1)


def now() -> datetime:
    return datetime.now(UTC)


def begin_at(
    source: Store, output: Store, engine: str, options: ReadOptions, part: Slice = ALL, events: Sequence[str] = ()
) -> Begun:
    check_places(source, output)
    return begin(source, output, Request(part, engine, options, events=events), now)
