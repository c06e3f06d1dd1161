"""EC2 Fleets as a way to run workers: one fleet with target capacity 1 for each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from datetime import datetime
from typing import TYPE_CHECKING

from pdfbatch.errors import PdfbatchError, UsageError
from pdfbatch.fleet import ec2, first_minutes, queues
from pdfbatch.fleet.aws_errors import explained
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.logs import LogStreams, fleet_streams
from pdfbatch.fleet.resources import Resource, Resources, Stopped, pauses, remaining_error, together
from pdfbatch.fleet.values import Launched, Plan
from pdfbatch.records import FleetRecord, WayName

if TYPE_CHECKING:
    from pdfbatch.fleet.effects import Effects, Making
    from pdfbatch.fleet.facts import Need
    from pdfbatch.fleet.plan import Decided

MOST_FLEETS = 1000
"""AWS's limit of fleets in a region. Source: EC2 guide, "Fleet quotas"."""
TEMPLATE_SECONDS = 60.0
"""How long to wait for launch templates to go: they are deleted at once but may stay in a list for a while."""


class Ec2Fleets:
    """The way `spot`, see `Way`."""

    name: WayName = "spot"

    def prepared(self, _clients: Clients, need: Need) -> Need:
        if need.request.workers > MOST_FLEETS:
            raise UsageError(
                f"{need.request.workers:,} workers are too many: each has a fleet of its own, and AWS allows "
                f"{MOST_FLEETS:,}.",
                f"Use --workers {MOST_FLEETS}, or --on batch.",
            )
        return need

    def making(self, decided: Decided, outside: Effects) -> Making:
        from pdfbatch.fleet.fleet_making import FleetMaking

        return FleetMaking(decided, outside)

    def explained(self, clients: Clients, error: PdfbatchError, plan: Plan) -> PdfbatchError:
        return explained(error, plan, ec2.decoded(clients, error))

    def troubles(
        self, clients: Clients, launched: Launched, since: datetime, sleep: Callable[[float], None]
    ) -> Iterator[tuple[int, str]]:
        return first_minutes.troubles(clients, launched.fleets, since, sleep)

    def log_streams(self, _clients: Clients, record: FleetRecord, worker: int | None, _workers: int) -> LogStreams:
        return fleet_streams(record.run, worker)

    def found(self, clients: Clients) -> Resources:
        return Resources(ec2.fleets(clients), ec2.instances(clients), ec2.templates(clients), queues.queues(clients))

    def stop(self, clients: Clients, found: Resources, known: Set[str]) -> Stopped:
        ids = known | {each.id for each in found.fleets}
        refused = ec2.delete_fleets(clients, sorted(ids))
        ec2.terminate(clients, [each.id for each in found.billed()])
        return Stopped(refused, {fleet for fleet in ids if any(fleet in line for line in refused)})

    def clean(
        self,
        clients: Clients,
        wanted: Callable[[Resource], bool],
        seen: Resources,
        sleep: Callable[[float], None],
    ) -> Resources:
        gone = _delete_templates(clients, wanted, list(seen.templates), sleep)
        queues.delete(clients, seen.queues)
        return seen._replace(templates=gone)


def _delete_templates(
    clients: Clients, wanted: Callable[[Resource], bool], seen: list[Resource], sleep: Callable[[float], None]
) -> list[Resource]:
    """Deletes launch templates until EC2 lists none; returns every one that was seen."""
    gone, left, waited, again = seen, seen, 0.0, pauses()
    while left:
        ec2.delete_templates(clients, [each.id for each in left])
        left = [each for each in ec2.templates(clients) if wanted(each)]
        gone = together(gone, left)
        if left and waited >= TEMPLATE_SECONDS:
            raise remaining_error(left, [])
        if left:
            sleep(pause := next(again))
            waited += pause
    return gone
