"""SageMaker Processing as a way to run workers: `--on sagemaker`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from pdfbatch.errors import PdfbatchError, UsageError
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.first_minutes import PAUSES
from pdfbatch.fleet.logs import LogStreams
from pdfbatch.fleet.names import Names
from pdfbatch.fleet.resources import Resource, Resources, Stopped
from pdfbatch.fleet.sagemaker import jobs
from pdfbatch.fleet.sagemaker.errors import explained
from pdfbatch.fleet.sagemaker.request import ml_type
from pdfbatch.fleet.values import Launched, LaunchRequest, Plan
from pdfbatch.records import FleetRecord, WayName
from pdfbatch.records.processing_job import MOST_HOSTS, MOST_PREFERENCES, MOST_SECONDS, host_names

if TYPE_CHECKING:
    from pdfbatch.fleet.effects import Effects, Making
    from pdfbatch.fleet.facts import Need
    from pdfbatch.fleet.plan import Decided


class ProcessingJobs:
    """The way `sagemaker`, see `Way`."""

    name: WayName = "sagemaker"

    def prepared(self, clients: Clients, need: Need) -> Need:
        """Names the instance types as SageMaker does, and asks for their quotas and prices: there is no Spot."""
        from pdfbatch.fleet.sagemaker.facts import ask

        check_options(need.request)
        types = tuple(dict.fromkeys(map(ml_type, need.request.instance_types)))
        request = replace(need.request, instance_types=types, market="on-demand")
        need = need._replace(request=request)
        return need._replace(processing=ask(clients, request.names, types, need.setup()))

    def making(self, decided: Decided, outside: Effects) -> Making:
        from pdfbatch.fleet.sagemaker.making import JobMaking

        return JobMaking(decided, outside)

    def explained(self, _clients: Clients, error: PdfbatchError, plan: Plan) -> PdfbatchError:
        return explained(error, plan)

    def troubles(
        self, clients: Clients, launched: Launched, _since: datetime, sleep: Callable[[float], None]
    ) -> Iterator[tuple[int, str]]:
        """Watches until the job has its instances; one may fail at once, as one whose image cannot be pulled."""
        name = next(iter(launched.fleets.values()))
        for pause in PAUSES:
            state = jobs.state_of(clients, name)
            if state is not None and state.status == "Failed":
                yield 0, state.why or "SageMaker does not say why"
            if state is None or not state.is_living or state.has_started:
                return
            sleep(pause)

    def log_streams(self, _clients: Clients, record: FleetRecord, worker: int | None, workers: int) -> LogStreams:
        return host_streams(record.job or Names(record.stack).processing_job(record.run), worker, workers)

    def found(self, clients: Clients) -> Resources:
        return Resources(jobs=jobs.jobs(clients))

    def stop(self, clients: Clients, found: Resources, known: Set[str]) -> Stopped:
        ids = known | {each.id for each in found.jobs if each.state != "Stopping"}
        refused = jobs.stop(clients, sorted(ids))
        return Stopped(refused, {name for name in ids if any(name in line for line in refused)})

    def clean(
        self,
        _clients: Clients,
        _wanted: Callable[[Resource], bool],
        seen: Resources,
        _sleep: Callable[[float], None],
    ) -> Resources:
        return seen


def host_streams(job: str, worker: int | None, workers: int) -> LogStreams:
    """Returns the streams of a job's hosts, or of one: `JOB/algo-1-TIME`. Pure."""
    hosts = host_names(workers)
    prefix = f"{job}/" if worker is None else f"{job}/{hosts[worker]}-"

    def named(stream: str) -> tuple[str, str] | None:
        if not stream.startswith(prefix):
            return None
        host, _, _ = stream.removeprefix(f"{job}/").rpartition("-")
        return (f"worker-{hosts.index(host)}", host) if host in hosts else None

    return LogStreams(prefix, named, group_comes_with_them=True)


def check_options(request: LaunchRequest) -> None:
    """Refuses what a SageMaker job cannot do. Pure.

    Raises:
        UsageError: an option, or a number, that it cannot.
    """
    fixed = {
        "--ami": request.ami,
        "--key-name": request.key_name,
        "--max-price": request.max_price is not None,
        "--pool": request.is_pool,
    }
    if named := [option for option, given in fixed.items() if given]:
        raise UsageError(f"{', '.join(named)} cannot be used on SageMaker.", "Leave it out, or use --on spot.")
    if request.workers > MOST_HOSTS:
        raise UsageError(f"A SageMaker job has {MOST_HOSTS} instances at most.", f"Use --workers {MOST_HOSTS}.")
    if len(request.instance_types) > MOST_PREFERENCES:
        raise UsageError(
            f"A SageMaker job may name {MOST_PREFERENCES} instance types.", "Leave out some --instance-type."
        )
    if request.max_hours is not None and request.max_hours * 3600 > MOST_SECONDS:
        raise UsageError("A SageMaker job runs 216 hours at most.", "Use --max-hours 216, and launch again to resume.")
    if request.security_groups and not request.subnets:
        raise UsageError("--security-group needs --subnet.", "Name subnets of the security group's VPC.")
    if request.output_key and not request.isolated:
        raise UsageError(
            "--output-key is for jobs without network; others write with the bucket's own encryption.",
            "Add --network-isolation, or set the bucket's encryption.",
        )
    if request.isolated:
        _check_isolated(request)


def _check_isolated(request: LaunchRequest) -> None:
    uses = {
        "--engine endpoint": request.engine == "endpoint",
        "--fallback endpoint": request.options.fallback == "endpoint",
        "--events": bool(request.events),
        "--password-secret": bool(request.password_secret),
    }
    if named := [option for option, given in uses.items() if given]:
        raise UsageError(f"{', '.join(named)} needs a network.", "Leave it out, or leave out --network-isolation.")
    is_model_needed = request.engine in ("dolphin", "auto") or (
        not request.engine and any(kind.removeprefix("ml.").startswith(("g", "p")) for kind in request.instance_types)
    )
    if is_model_needed and not request.model.startswith("/"):
        raise UsageError(
            "Without a network the model cannot be downloaded.",
            "Build the weights into the image (`make image MODEL=…`), and add --model /model; or use --engine cpu.",
        )
