"""The ways to run a fleet's workers, and what each must be able to do: `--on`.

Everything else is the same for all of them: the frozen manifest, the worker and its records, `status` and `report`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Protocol

from pdfbatch.errors import PdfbatchError
from pdfbatch.records import WAY_NAMES, FleetRecord, WayName

if TYPE_CHECKING:
    from pdfbatch.fleet.clients import Clients
    from pdfbatch.fleet.effects import Effects, Making
    from pdfbatch.fleet.facts import Need
    from pdfbatch.fleet.logs import LogStreams
    from pdfbatch.fleet.plan import Decided
    from pdfbatch.fleet.resources import Resource, Resources, Stopped
    from pdfbatch.fleet.values import Launched, Plan


class Way(Protocol):
    """A way to run workers. `requirements.py` says which requirements of a launch it has."""

    @property
    def name(self) -> WayName: ...

    def prepared(self, clients: Clients, need: Need) -> Need:
        """Completes what a launch needs with what the account decides, as instance types that `setup` has fixed.

        Raises:
            UsageError: an option that this way cannot fulfil.
        """

    def making(self, decided: Decided, outside: Effects) -> Making:
        """Begins a launch; nothing is created yet."""

    def explained(self, clients: Clients, error: PdfbatchError, plan: Plan) -> PdfbatchError:
        """Rewrites AWS's error about a launch for the user."""

    def troubles(
        self, clients: Clients, launched: Launched, since: datetime, sleep: Callable[[float], None]
    ) -> Iterator[tuple[int, str]]:
        """Watches the first minutes; yields each worker that cannot start, and why, once for each cause."""

    def log_streams(self, clients: Clients, record: FleetRecord, worker: int | None, workers: int) -> LogStreams:
        """Says which streams of the run's log group have the lines of a worker; None: of all `workers`."""

    def found(self, clients: Clients) -> Resources:
        """Lists what pdfbatch has in the region, of all runs. Empty where AWS denies it: who may not list it has made
        none."""

    def stop(self, clients: Clients, found: Resources, known: Set[str]) -> Stopped:
        """Stops everything of these that costs money or may start to, and what has these ids. Does not wait."""

    def clean(
        self, clients: Clients, wanted: Callable[[Resource], bool], seen: Resources, sleep: Callable[[float], None]
    ) -> Resources:
        """Deletes what is left, which is free. Returns `seen` with everything that it has deleted."""


@cache
def way_named(name: WayName) -> Way:
    from pdfbatch.fleet.batch.way import BatchJobs
    from pdfbatch.fleet.ec2_fleets import Ec2Fleets
    from pdfbatch.fleet.sagemaker.way import ProcessingJobs

    ways: dict[WayName, Callable[[], Way]] = {"spot": Ec2Fleets, "batch": BatchJobs, "sagemaker": ProcessingJobs}
    return ways[name]()


def all_ways() -> Sequence[Way]:
    return [way_named(name) for name in WAY_NAMES]
