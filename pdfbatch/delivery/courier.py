"""Delivers what is in one worker's ledger to one sink, from where the store remembers it stopped.

At least once: the position is saved after the sink has taken the events. A process that is killed in between sends
them again, with the same ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import NamedTuple

from pydantic import ValidationError

from pdfbatch.delivery.cloud_event import CloudEvent, of_end, of_outcome
from pdfbatch.delivery.pending import Place, beside, has_gap, pending
from pdfbatch.delivery.sink import NotDelivered, Sink
from pdfbatch.errors import NotFound, PdfbatchError
from pdfbatch.records import EndPosition, Manifest, Outcome, Position, RunKeys, SinkAddress
from pdfbatch.runs.end import marks_of_ended
from pdfbatch.runs.in_order import in_order
from pdfbatch.runs.ledger import Segment, new_lines, segments
from pdfbatch.runs.progress import read_status
from pdfbatch.runs.record_reader import RecordReader
from pdfbatch.store import Store

SAVE_SECONDS = 2.0
"""How often the position is saved in the middle of many events."""
_LISTINGS = 3
"""How often a ledger that changes while it is listed is listed again."""


class Route(NamedTuple):
    """A run and where its events go."""

    store: Store
    manifest: Manifest
    address: SinkAddress
    sink: Sink
    clock: Callable[[], datetime]

    @property
    def keys(self) -> RunKeys:
        return RunKeys(self.manifest.run)


class _Step(NamedTuple):
    event: CloudEvent | None
    """None at the end of a segment."""
    part: Segment


class Courier:
    """Delivers one worker's outcomes; used by one thread, except `waiting` and `trouble`."""

    def __init__(self, route: Route, worker: int, *, counts_first: bool = False) -> None:
        """`counts_first`: reads the segments once more before, so that `waiting` is right while events are sent."""
        self._route = route
        self._worker = worker
        self._counts_first = counts_first
        self._saved: Position | None = None
        self._saved_at: datetime | None = None
        """None: nothing was read yet."""
        self._place = Place()
        self._accepted: set[str] = set()
        """Ids of events beyond the place that the sink has taken."""
        self._open: list[str] = []
        """Those of them in the segment that is being sent."""
        self._lines: dict[str, int] = {}
        """The number of lines by segment, of those that were counted."""
        self.delivered = 0
        """The number of events that the sink has taken, in all processes so far."""
        self.waiting = 0
        """The number of events in the ledger that were not delivered, as far as it was read."""
        self.trouble = ""
        """Why the last try failed; "" if it did not."""

    def deliver(self, listed: Sequence[Segment] | None = None, until: Callable[[], bool] = lambda: False) -> None:
        """Delivers what is in the ledger and was not delivered; stops early if `until` says so. `listed`: the worker's
        segments, if they are known.

        Raises:
            NotDelivered: the sink did not take everything; the rest is in `waiting`.
            PdfbatchError: the store cannot be read or written, or a segment is damaged.
        """
        if self._saved_at is None:
            self.resume()
        parts = self._whole(listed)
        try:
            for _ in range(_LISTINGS):
                if self._counts_first:
                    self._count(parts)
                if self._send_all(parts, until):
                    break
                parts = self._whole(None)
            self.trouble = ""
            self._count(parts)
        except PdfbatchError as error:
            self.trouble = error.message
            with suppress(PdfbatchError):  # the first error says more
                self._count(parts)
            raise
        finally:
            self._place = self._place.among(parts)
            self._save()

    def resume(self) -> int:
        """Reads the position; returns how many events were delivered before."""
        route = self._route
        key = route.keys.position(route.address.name, self._worker)
        try:
            self._saved = Position.model_validate_json(route.store.get(key))
        except (NotFound, ValidationError):  # an unreadable one costs repeated events, not lost ones
            pass
        else:
            self._place = Place(self._saved.sent, frozenset(self._saved.late))
            self.delivered, self.waiting = self._saved.delivered, self._saved.waiting
        self._saved_at = route.clock()
        return self.delivered

    def _whole(self, listed: Sequence[Segment] | None) -> Sequence[Segment]:
        """Returns the worker's segments, without a gap if there is a way."""
        list_parts = partial(segments, self._route.store, self._route.keys.ledger_of(self._worker))
        parts = list_parts() if listed is None else listed
        for _ in range(_LISTINGS):
            if not has_gap(parts, self._place):
                break
            parts = list_parts()
        return parts

    def _send_all(self, parts: Sequence[Segment], until: Callable[[], bool]) -> bool:
        """Returns whether nothing is left to do; False if segments were joined since they were listed."""
        steps = self._steps(parts)
        self._open = []
        while not until():
            chunk, error = self._chunk(steps)
            self._send([step for step in chunk if step is not None])
            if error is not None:
                raise error
            if None in chunk:
                return False
            if not chunk:
                break
        return True

    def _chunk(self, steps: Iterator[_Step | None]) -> tuple[list[_Step | None], PdfbatchError | None]:
        """Takes as many steps as the sink takes events at once, and the error that came after them."""
        chunk, events = list[_Step | None](), 0
        try:
            for step in steps:
                chunk.append(step)
                events += step is not None and step.event is not None
                if events == self._route.sink.most:
                    break
        except PdfbatchError as error:
            return chunk, error
        return chunk, None

    def _send(self, chunk: Sequence[_Step]) -> None:
        events = [step.event for step in chunk if step.event is not None]
        fresh = list({event.id: event for event in events if event.id not in self._accepted}.values())
        taken = frozenset[str]()
        try:
            if fresh:
                self._route.sink.send(fresh)
            taken = frozenset(event.id for event in fresh)
        except NotDelivered as error:
            taken = error.accepted
            raise
        finally:
            self.delivered += len(taken)
            self._accepted |= taken
            self._advance(chunk)
        if self._saved_at is None or (self._route.clock() - self._saved_at).total_seconds() >= SAVE_SECONDS:
            self._save()

    def _advance(self, chunk: Sequence[_Step]) -> None:
        """Moves the place past the segments that are delivered as a whole."""
        for step in chunk:
            if step.event is None:
                self._place = self._place.after(step.part)
                self._lines.pop(step.part.key, None)
                self._accepted.difference_update(self._open)
                self._open = []
            elif step.event.id in self._accepted:
                self._open.append(step.event.id)
            else:
                return

    def _steps(self, parts: Sequence[Segment]) -> Iterator[_Step | None]:
        """Yields what is to be sent, and None where a segment was joined since it was listed."""
        todo = pending(parts, self._place)
        left = {part.key for part in todo}
        for part in todo:
            try:
                lines = new_lines(self._route.store, part, beside(part, parts, left))
            except NotFound:
                yield None
                return
            left.discard(part.key)
            yield from (_Step(of_outcome(self._outcome(part, line), self._route.manifest), part) for line in lines)
            yield _Step(None, part)

    def _outcome(self, part: Segment, line: bytes) -> Outcome:
        try:
            return Outcome.model_validate_json(line)
        except ValidationError as error:
            raise PdfbatchError(
                f"A segment of the ledger is damaged ({self._route.store.url}{part.key}).",
                "Delete that file: its documents are converted again by the next run, and have events then.",
            ) from error

    def _count(self, parts: Sequence[Segment]) -> None:
        """Counts the events that were not delivered; each segment is read once for it."""
        todo = pending(parts, self._place)
        new = [part for part in todo if part.key not in self._lines]
        # Beside the work it is one by one: a pool's threads would keep the process from ending while the store hangs.
        counts = map(self._lines_in, new) if self._counts_first else in_order(self._lines_in, new)
        for part, count in zip(new, counts, strict=True):
            self._lines[part.key] = count
        counted = sum(self._lines[part.key] for part in todo if part.number > self._place.sent)
        self.waiting = max(0, counted - len(self._accepted))

    def _lines_in(self, part: Segment) -> int:
        try:
            return len(self._route.store.get(part.key).splitlines())
        except NotFound:
            return 0

    def _save(self) -> None:
        route, place = self._route, self._place
        position = Position(
            address=route.address.text,
            worker=self._worker,
            sent=place.sent,
            late=sorted(place.late),
            delivered=self.delivered,
            waiting=self.waiting,
            trouble=self.trouble,
            at=route.clock(),
        )
        self._saved_at = route.clock()
        if self._saved is not None and position.model_copy(update={"at": self._saved.at}) == self._saved:
            return
        key = route.keys.position(route.address.name, self._worker)
        route.store.put(key, position.model_dump_json().encode())
        self._saved = position


def deliver_end(route: Route, reader: RecordReader | None = None) -> bool | None:
    """Delivers the event of the run's end, if all workers have ended and it was not delivered. Returns whether it was
    sent now; None if the run has not ended. `reader` as in `marks_of_ended`.

    Raises:
        NotDelivered: the sink did not take it.
    """
    store, manifest, now = route.store, route.manifest, route.clock()
    marks = marks_of_ended(store, manifest, now, reader)
    if marks is None:
        return None
    key = route.keys.end_position(route.address.name)
    event = of_end(read_status(store, manifest, now), marks, manifest)
    try:
        known = EndPosition.model_validate_json(store.get(key)).id
    except (NotFound, ValidationError):
        known = ""
    if known == event.id:
        return False
    route.sink.send([event])
    store.put(key, EndPosition(address=route.address.text, id=event.id, at=now).model_dump_json().encode())
    return True
