"""AWS Batch as a way to run workers: `--on batch`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from pdfbatch.errors import PdfbatchError, UsageError
from pdfbatch.fleet.batch import jobs
from pdfbatch.fleet.batch.making import BatchMaking, explained
from pdfbatch.fleet.batch.requests import MOST_CHILDREN
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.first_minutes import PAUSES
from pdfbatch.fleet.logs import LogStreams
from pdfbatch.fleet.names import TAG_STACK, Names
from pdfbatch.fleet.resources import Resource, Resources, Stopped
from pdfbatch.fleet.values import DEFAULT_EBS_KEY, DEFAULT_TYPE, Launched, LaunchRequest, Plan
from pdfbatch.records import FleetRecord, WayName

if TYPE_CHECKING:
    from pdfbatch.fleet.effects import Effects, Making
    from pdfbatch.fleet.facts import Need
    from pdfbatch.fleet.plan import Decided


class BatchJobs:
    """The way `batch`, see `Way`."""

    name: WayName = "batch"

    def prepared(self, clients: Clients, need: Need) -> Need:
        """Takes the instance types and subnets from the compute environment: `setup` has fixed them."""
        from pdfbatch.fleet.batch.environment import BatchEnvironment, environment
        from pdfbatch.fleet.facts import known

        check_options(need.request)
        found = known(lambda: environment(clients, need.request.names, need.setup()))
        if not isinstance(found, BatchEnvironment):
            return need._replace(batch=found)
        check_types(need.request, found.types)
        request = replace(need.request, instance_types=found.types, subnets=found.subnets)
        return need._replace(request=request, batch=found)

    def making(self, decided: Decided, outside: Effects) -> Making:
        return BatchMaking(decided, outside)

    def explained(self, _clients: Clients, error: PdfbatchError, plan: Plan) -> PdfbatchError:
        return explained(error, plan)

    def troubles(
        self, clients: Clients, launched: Launched, _since: datetime, sleep: Callable[[float], None]
    ) -> Iterator[tuple[int, str]]:
        """Asks for the job until no child waits for an instance."""
        job = next(iter(launched.fleets.values())).partition(":")[0]
        seen = set[str]()
        for pause in PAUSES:
            found = next(jobs.described(clients, [job]), None)
            if found is None or not is_waiting(found):
                return
            trouble = jobs.trouble_of(clients, found)
            if trouble and trouble not in seen:
                seen.add(trouble)
                yield 0, trouble
            sleep(pause)

    def log_streams(self, clients: Clients, record: FleetRecord, worker: int | None, workers: int) -> LogStreams:
        from pdfbatch.fleet.batch.log_streams import batch_streams

        return batch_streams(clients, record, worker, workers)

    def found(self, clients: Clients) -> Resources:
        return Resources(jobs=jobs.jobs(clients), definitions=jobs.definitions(clients))

    def stop(self, clients: Clients, found: Resources, known: Set[str]) -> Stopped:
        """Stops whole arrays: the children of an array end with it."""
        ids = {each.partition(":")[0] for each in known} | {each.id for each in found.jobs}
        return Stopped(jobs.stop(clients, sorted(ids)), set())

    def clean(
        self,
        clients: Clients,
        _wanted: Callable[[Resource], bool],
        seen: Resources,
        _sleep: Callable[[float], None],
    ) -> Resources:
        jobs.deregister(clients, [each.id for each in seen.definitions])
        return seen


def is_waiting(found: object) -> bool:
    """Whether a described job, or a child of it, has no instance yet."""
    assert isinstance(found, dict)
    if summary := found.get("arrayProperties", {}).get("statusSummary"):
        return any(summary.get(status) for status in ("SUBMITTED", "PENDING", "RUNNABLE"))
    return found["status"] in ("SUBMITTED", "PENDING", "RUNNABLE")


def check_options(request: LaunchRequest) -> None:
    """Refuses options that only an EC2 Fleet can fulfil. Pure.

    Raises:
        UsageError: one is set.
    """
    fixed = {
        "--ami": request.ami,
        "--subnet": request.subnets,
        "--key-name": request.key_name,
        "--max-price": request.max_price is not None,
        "--ebs-key": request.ebs_key != DEFAULT_EBS_KEY,
        "--on-demand": request.market == "on-demand",
    }
    if named := [option for option, given in fixed.items() if given]:
        raise UsageError(
            f"{', '.join(named)} cannot be set for one run on AWS Batch: its compute environment decides.",
            "Leave it out, or use --on spot.",
        )
    if request.is_pool:
        raise UsageError("--pool needs EC2 Fleets: an array's size is fixed.", "Leave out --pool, or use --on spot.")
    if request.workers > MOST_CHILDREN:
        raise UsageError(f"AWS Batch runs {MOST_CHILDREN:,} workers at most.", f"Use --workers {MOST_CHILDREN}.")


def check_types(request: LaunchRequest, types: tuple[str, ...]) -> None:
    """Refuses instance types that the compute environment does not have. Pure.

    Raises:
        UsageError: one is not in it.
    """
    if tuple(request.instance_types) == (DEFAULT_TYPE,):  # the default of the option too
        return
    if other := [kind for kind in request.instance_types if kind not in types]:
        raise UsageError(
            f"{', '.join(other)} is not in the compute environment, which has {', '.join(types)}.",
            f"Leave out --instance-type, or add it: pdfbatch setup --batch --instance-type {other[0]}",
        )


def is_of_stack(found: Resource, names: Names) -> bool:
    return found.tags.get(TAG_STACK) == names.stack
