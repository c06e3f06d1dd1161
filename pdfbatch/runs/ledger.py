"""The ledger: segments of outcome lines, and the final outcome of each document. A segment never changes; the segments
of a worker that has ended are joined into a few."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from hashlib import blake2b
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from pdfbatch.errors import NotFound, PdfbatchError, PreconditionFailed
from pdfbatch.records import (
    STATE_PREFIX,
    DoubtfulPage,
    FailureList,
    Outcome,
    OutcomeKind,
    ProcessorSpec,
    Reason,
    Record,
    RunKeys,
)
from pdfbatch.runs.in_order import in_order
from pdfbatch.runs.key_table import KeyTable, Row
from pdfbatch.store import Entry, Store

JOINED_BYTES = 2**20
"""About 2,000 outcomes: many such segments can be read at once."""
_SEGMENT = re.compile(
    re.escape(STATE_PREFIX)
    + r"(?P<run>[^/]+)/ledger/worker-(?P<worker>\d+)/(?P<first>\d+)(?:-(?P<last>\d+)-[0-9a-f]+)?\.jsonl$"
)
R = TypeVar("R", bound=Record)


class LedgerWriter:
    """Buffers one worker's outcomes and writes each batch as an immutable segment."""

    def __init__(self, store: Store, keys: RunKeys, worker: int, next_segment: int) -> None:
        self._store = store
        self._keys = keys
        self._worker = worker
        self.next_segment = next_segment
        self._lines: list[Outcome] = []

    def add(self, outcome: Outcome) -> None:
        self._lines.append(outcome)

    @property
    def pending(self) -> int:
        return len(self._lines)

    def withdraw(self, keys: Set[str]) -> list[Outcome]:
        """Takes the outcomes of these documents out of the buffer, and returns them."""
        out = [line for line in self._lines if line.key in keys]
        self._lines = [line for line in self._lines if line.key not in keys]
        return out

    def flush(self) -> None:
        """Writes the buffered lines; after a StoreError they stay buffered for the next try."""
        if not self._lines:
            return
        data = ("\n".join(line.model_dump_json() for line in self._lines) + "\n").encode()
        while True:
            try:
                self._store.put_new(self._keys.ledger_segment(self._worker, self.next_segment), data)
                break
            except PreconditionFailed:
                # Another process of this worker (a replacement that started while this one drained) used the number.
                self.next_segment += 1
        self.next_segment += 1
        self._lines.clear()


class Segment(NamedTuple):
    run: str
    worker: int
    first: int
    number: int
    """The last of the segments that it was joined from; `first` for one as it was written."""
    key: str
    size: int
    etag: str = ""

    @property
    def is_joined(self) -> bool:
        return "-" in self.name

    @property
    def name(self) -> str:
        """The file's name without its folder and extension."""
        return self.key[self.key.rfind("/") + 1 :].removesuffix(".jsonl")

    @property
    def identity(self) -> str:
        """The name and the ETag: after joining, a late process may write other lines under the same name."""
        return f"{self.name}:{self.etag}"

    def is_inside(self, other: Segment) -> bool:
        """Whether its numbers are all among those that another segment was joined from."""
        return other.is_joined and other.key != self.key and other.first <= self.first and self.number <= other.number


def segments(store: Store, prefix: str = STATE_PREFIX) -> list[Segment]:
    """Returns the segments under a prefix in the order of writing: by run, then number, then worker. Of the whole state
    only the ledgers are listed."""
    prefixes = [prefix]
    if prefix == STATE_PREFIX:
        prefixes = [f"{folder}ledger/" for folder in store.folders(STATE_PREFIX)]
    found = (each for place in prefixes for entry in store.list(place) if (each := _segment(entry)))
    return sorted(found, key=lambda s: (s.run, s.number, s.worker, s.key))


def _segment(entry: Entry) -> Segment | None:
    match = _SEGMENT.match(entry.key)
    if match is None:
        return None
    first, last = int(match["first"]), int(match["last"] or match["first"])
    return Segment(match["run"], int(match["worker"]), first, last, entry.key, entry.size, entry.etag)


def outcomes(store: Store, parts: Iterable[Segment]) -> Iterator[tuple[str, Outcome]]:
    """Yields (run, outcome) for every line of the segments. A line may come twice while segments are joined.

    Raises:
        PdfbatchError: a segment is damaged.
    """
    return _records(store, parts, Outcome)


def new_lines(store: Store, part: Segment, beside: Iterable[Segment]) -> list[bytes]:
    """Returns the lines of a segment that no segment in `beside` has, in order and each once.

    Raises:
        NotFound: it was joined since it was listed.
    """
    known = {line for other in beside for line in _lines_of(store, other)}
    return [line for line in dict.fromkeys(store.get(part.key).splitlines()) if line not in known]


def _lines_of(store: Store, part: Segment) -> list[bytes]:
    try:
        return store.get(part.key).splitlines()
    except NotFound:
        return []


def _records(store: Store, parts: Iterable[Segment], shape: type[R]) -> Iterator[tuple[str, R]]:
    for part, data in _contents(store, list(parts)):
        for line in data.splitlines():
            try:
                yield part.run, shape.model_validate_json(line)
            except ValidationError as error:
                raise PdfbatchError(
                    f"A segment of the ledger is damaged ({store.url}{part.key}).",
                    "Delete that file and start again: documents listed only there are found by their Markdown or "
                    "converted again.",
                ) from error


def _contents(store: Store, parts: Sequence[Segment]) -> Iterator[tuple[Segment, bytes]]:
    """Yields the segments' content; of segments that were joined since they were listed, that of the joined one."""

    def read(part: Segment) -> bytes | None:
        try:
            return store.get(part.key)
        except NotFound:
            return None

    gone = []
    for part, data in zip(parts, in_order(read, parts), strict=True):
        if data is None:
            gone.append(part)
        else:
            yield part, data
    known = {part.key for part in parts}
    for folder in sorted({RunKeys(part.run).ledger_of(part.worker) for part in gone}):
        yield from _contents(store, [part for part in segments(store, folder) if part.key not in known])


def compact(store: Store, keys: RunKeys, worker: int) -> None:
    """Joins a worker's segments into a few. Killed at any moment it loses no line: the joined segment, named after its
    content, is there before the others are deleted.

    A segment is joined only once. One that a late process wrote under a number that was joined before stays as it is:
    readers that remember how far they came find it by its name.
    """
    parts = segments(store, keys.ledger_of(worker))
    joined, plain = [part for part in parts if part.is_joined], [part for part in parts if not part.is_joined]
    inside = {part.key: [other for other in joined if part.is_inside(other)] for part in plain}
    left = [part for part in plain if inside[part.key] and not new_lines(store, part, inside[part.key])]
    store.delete([part.key for part in left])  # of a process that was killed here
    for group in _groups([part for part in plain if not inside[part.key]]):
        lines = [line for data in in_order(store.get, [part.key for part in group]) for line in data.splitlines()]
        data = b"\n".join(dict.fromkeys(lines)) + b"\n"
        key = keys.joined_segment(worker, group[0].first, group[-1].number, blake2b(data, digest_size=8).hexdigest())
        with suppress(PreconditionFailed):
            store.put_new(key, data)
        store.delete([part.key for part in group])


def _groups(parts: Sequence[Segment]) -> Iterator[list[Segment]]:
    """Yields the segments that are to be joined: neighbours that are small."""
    group: list[Segment] = []
    for part in parts:
        if sum(each.size for each in group) + part.size > JOINED_BYTES:
            if len(group) > 1:
                yield group
            group = []
        group.append(part)
    if len(group) > 1:
        yield group


class Final(NamedTuple):
    """The final outcome of a document over its history; small, because there may be a million."""

    outcome: str
    reason: Reason | None
    etag: str
    attempt: int
    pages: int
    run: str
    lowest: float = 1.0
    """The lowest score of its read pages."""
    asked_pages: str = ""
    """As in `ReadOptions.pages`."""
    size: int = 0
    digest: str = ""
    """As in `Outcome`, like `size`."""
    engine: str = ""
    stamps: str = ""
    """`Outcome.processed` as JSON; "" if it is empty."""

    def lacks(self, also: Iterable[ProcessorSpec]) -> bool:
        """Whether a processor has not made its files in this version, with these options."""
        processed = json.loads(self.stamps) if self.stamps else {}
        return any(processed.get(each.folder) != each.stamp for each in also)

    @property
    def processors(self) -> tuple[str, ...]:
        """The folders of processors beside its Markdown."""
        return tuple(json.loads(self.stamps)) if self.stamps else ()


class _Ending(Record):
    """What the final outcome of a document needs of a line; reading only this takes half the time."""

    key: str
    outcome: OutcomeKind
    reason: Reason | None = None
    pages: int = 0
    asked_pages: str = ""
    doubtful: tuple[DoubtfulPage, ...] = ()
    engine: str = ""
    etag: str = ""
    digest: str = ""
    size: int = 0
    attempt: int = 1
    processed: dict[str, str] = {}  # noqa: RUF012  # pydantic copies it


def fold(lines: Iterable[tuple[str, Outcome | _Ending]]) -> Mapping[str, Final]:
    """Returns the final outcome of each document, by key: of its highest attempt, and if that has several, a published
    one.

    Lines may come in any order and more than once (a worker and its replacement may both report a document).
    """

    def row(run: str, line: Outcome | _Ending) -> Row:
        known = (
            line.outcome,
            line.reason.value if line.reason else "",
            line.etag,
            line.attempt,
            line.pages,
            run,
            _lowest(line),
        )
        stamps = json.dumps(line.processed) if line.processed else ""
        return line.key, _rank(run, line), (*known, line.asked_pages, line.size, line.digest, line.engine, stamps)

    return KeyTable((row(run, line) for run, line in lines), _final)


class Newest(NamedTuple):
    """The final outcome of a document over all runs, as its line in the ledger, and the run that it is of."""

    run: str
    line: str

    @property
    def outcome(self) -> Outcome:
        return Outcome.model_validate_json(self.line)


def newest_lines(store: Store) -> Mapping[str, Newest]:
    """Returns the final outcome of each document over all runs, by key."""
    lines = outcomes(store, segments(store))
    return KeyTable(((line.key, _rank(run, line), (run, line.model_dump_json())) for run, line in lines), Newest)


def newest(store: Store, run: str | None = None) -> Mapping[str, Outcome]:
    """Returns the final outcome of each document in a run's ledger (None: over all runs), in full, by key."""
    parts = segments(store, RunKeys(run).ledger if run else STATE_PREFIX)
    rows = ((line.key, _rank(of_run, line), (line.model_dump_json(),)) for of_run, line in outcomes(store, parts))
    return KeyTable(rows, Outcome.model_validate_json)


def _final(outcome: str, reason: str, *others: Any) -> Final:
    return Final(outcome, Reason(reason) if reason else None, *others)


def _lowest(line: Outcome | _Ending) -> float:
    return min((page.score for page in line.doubtful), default=1.0)


def _rank(run: str, line: Outcome | _Ending) -> str:
    """Returns what sorts the outcomes of a document, the final one last."""
    return f"{line.attempt:09}{('failed', 'partial', 'ok').index(line.outcome)}{run}"


def history(store: Store) -> Mapping[str, Final]:
    """Returns every document's final outcome over all runs on an output."""
    return finals(store, segments(store))


def finals(store: Store, parts: Iterable[Segment]) -> Mapping[str, Final]:
    """Returns the final outcome of each document in some segments."""
    return fold(_records(store, parts, _Ending))


def load_failures(store: Store, keys: RunKeys, worker: int) -> list[Outcome]:
    """Returns a worker's list of failures; empty if it has not written one yet."""
    try:
        return FailureList.model_validate_json(store.get(keys.failure_list(worker))).failures
    except NotFound:
        return []


def dump_failures(worker: int, run: str, failures: Iterable[Outcome]) -> bytes:
    """Returns the content of `failures/worker-I-failures.json`: readable by people, one failure per line."""
    rows = ",\n  ".join(failure.model_dump_json() for failure in failures)
    return f'{{"worker": {worker}, "run": {json.dumps(run)}, "failures": [\n  {rows}\n]}}\n'.encode()
