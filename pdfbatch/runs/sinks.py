"""How far a run's events were delivered to each sink, from the positions in its store. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from pdfbatch.records import Counts, Manifest, Position


class SinkStatus(BaseModel):
    """A sink, as `status --json` and `report --json` have it."""

    model_config = ConfigDict(frozen=True)
    sink: str
    """Its address."""
    delivered: int
    """Events of outcomes that it has taken, repeated ones included."""
    waiting: int
    """Events of outcomes that it has not taken, when it was last tried."""
    trouble: str = ""
    """Why the last try failed, in one sentence."""


def sink_statuses(manifest: Manifest, positions: Iterable[Position], counts: Sequence[Counts]) -> list[SinkStatus]:
    """Returns the status of the run's sinks, and of others that got its events from outside. `counts` are those of the
    workers: for a sink of the run without a position of a worker, all outcomes of that worker wait."""
    of_sink: dict[str, dict[int, Position]] = {address: {} for address in manifest.events}
    for position in positions:
        of_sink.setdefault(position.address, {})[position.worker] = position
    return [_status(address, of_worker, address in manifest.events, counts) for address, of_worker in of_sink.items()]


def _status(address: str, of_worker: Mapping[int, Position], is_of_run: bool, counts: Sequence[Counts]) -> SinkStatus:
    found = of_worker.values()
    unknown = [each for worker, each in enumerate(counts) if worker not in of_worker] if is_of_run else []
    return SinkStatus(
        sink=address,
        delivered=sum(position.delivered for position in found),
        waiting=sum(position.waiting for position in found) + sum(each.done - each.skipped for each in unknown),
        trouble=next((position.trouble for position in found if position.trouble), ""),
    )
