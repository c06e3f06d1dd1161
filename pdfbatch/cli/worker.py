"""`worker`: the entry point of the worker image, configured by the environment."""

from __future__ import annotations

import logging
import os
import sys
import time
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import typer

from pdfbatch import config, views
from pdfbatch.cli.console import local_now, now, say, show_log, stderr
from pdfbatch.cli.delivering import deliveries, finish, sinks_here
from pdfbatch.cli.running import exit_code, heartbeat_seconds, select_engine
from pdfbatch.errors import ExitCode, NotReady, PdfbatchError, UsageError
from pdfbatch.records import DoneMark, FleetRecord, Machine, Manifest, ReadOptions, RunKeys, SourceDocument

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pdfbatch.config import WorkerSettings
    from pdfbatch.documents.sandbox.passwords import Passwords
    from pdfbatch.processors.registry import ReadyProcessor
    from pdfbatch.store import Store
    from pdfbatch.worker.loop import SliceRun
    from pdfbatch.worker.meter import Meter
    from pdfbatch.worker.pool_workload import PoolQueues
    from pdfbatch.worker.slice_config import SliceConfig
    from pdfbatch.worker.stop import Stop


class Given(NamedTuple):
    """What a worker works on, and where it finds the run's records."""

    source: Store
    output: Store
    frozen: Manifest
    documents: Sequence[SourceDocument]
    fleet: FleetRecord | None = None


class Worked(NamedTuple):
    """How a worker ended; `is_last`: it was the last one of its run."""

    mark: DoneMark
    given: Given
    is_last: bool


def worker() -> None:
    """Run one worker, as configured by the environment: the entry point of the worker image."""
    worked = run_worker(os.environ, given_by)
    raise typer.Exit(exit_code(worked.mark) if worked else ExitCode.DONE)


def run_worker(environment: Mapping[str, str], what: Callable[[WorkerSettings], Given]) -> Worked | None:
    """Runs a worker to its end; `what` says on what, from its settings. None: the execution of an order found nothing
    to do.

    Raises:
        PdfbatchError: it cannot work, or the store fails.
    """
    from pdfbatch.documents.sandbox.server import warm_up
    from pdfbatch.engines import engine_named
    from pdfbatch.runs.begin import check_places
    from pdfbatch.worker.completion import complete, sns_publisher
    from pdfbatch.worker.loop import SliceRun
    from pdfbatch.worker.slice_config import SliceConfig
    from pdfbatch.worker.stop import Stop

    show_log(logging.INFO)
    ordered = _begun(config.worker_settings(environment))
    if ordered is None:
        return None
    settings = ordered
    given = what(settings)
    source, output, frozen, documents, fleet = given
    check_places(source, output, frozen.chosen)
    engine = engine_named(frozen.engine, frozen.model, "", frozen.options, _endpoint_key(frozen))
    warm_up(engine.preload)
    processors = _processors(frozen, settings, output)
    queues = _queues(frozen, output)
    beats = heartbeat_seconds(output)
    machine, children = _machine(settings), config.default_processes()
    meter = _meter(fleet, machine)
    passwords = _passwords(frozen)
    cap = fleet.max_cost if fleet else None
    job = SliceConfig(
        frozen,
        documents,
        settings.worker,
        source,
        output,
        engine,
        children,
        min(beats, queues.pool.process_seconds / 4) if queues else beats,
        now,
        machine,
        meter,
        passwords,
        queues,
        cap,
        processors,
    )
    stop = Stop(settings.stop_seconds)
    if queues is not None and settings.worker not in queues.pool.workers:
        stop.ask("retired")
    run = SliceRun(job, stop)
    with deliveries(frozen, output.url, settings.worker, sinks_here()) as sending:
        with _watched(run, stop, settings, frozen.run, environment), _budget_watched(job, stop, fleet):
            mark = run.run()
        if not run.store_hangs:
            finish(sending, mark.why, output.url)
    say(views.plain_line(run.heartbeat()))
    is_last = False
    if settings.run is not None and not run.store_hangs:
        is_last = complete(output, frozen, sns_publisher(settings.topic), now, say, page_maker(output, frozen))
        if is_last and queues is not None:
            _remove(queues)
    return Worked(mark, given, is_last)


def _begun(settings: WorkerSettings) -> WorkerSettings | None:
    """Begins the execution of an order, or waits for the first worker to do so. Returns the settings with its run; None
    if nothing is left to do."""
    if not settings.order:
        return settings
    if not settings.job:
        raise UsageError("PDFBATCH_ORDER needs PDFBATCH_JOB.", "Set it to a name that no other execution has.")
    from pdfbatch.runs.begin import check_places
    from pdfbatch.runs.manifest import load_fleet
    from pdfbatch.runs.orders import begin_order, wait_for_order
    from pdfbatch.store import open_store

    source, output = open_store(settings.source), open_store(settings.output)
    if settings.worker == 0:
        check_places(source, output)
        start = begin_order(source, output, settings.order, settings.job, settings.total_workers, now)
    else:
        start = wait_for_order(output, settings.order, settings.job, time.sleep)
    if not start.run:
        say("nothing is left to do")
        return None
    say(f"Starting run {start.run}")
    record = load_fleet(output, start.run)
    deadline = settings.deadline or (record.deadline if record else None)
    return settings.model_copy(update={"run": start.run, "deadline": deadline})


def end_for_good(worked: Worked, mark: DoneMark, topic: str) -> None:
    """Replaces the mark of a worker whose slice nobody will resume in this run, unless `down` has ended the run."""
    from pdfbatch.runs.manifest import load_fleet
    from pdfbatch.worker.completion import complete, sns_publisher

    output, frozen = worked.given.output, worked.given.frozen
    try:
        record = load_fleet(output, frozen.run)
        if record is not None and record.ended is not None:
            return
        output.put(RunKeys(frozen.run).done_mark(mark.worker), mark.model_dump_json().encode())
    except PdfbatchError as error:
        say(f"could not note that nobody resumes this slice: {error.message}")
        return
    complete(output, frozen, sns_publisher(topic), now, say, page_maker(output, frozen))


def given_by(settings: WorkerSettings) -> Given:
    """Opens the input and output in S3, and reads the frozen run or, without one, lists the input."""
    from pdfbatch.runs.begin import check_places
    from pdfbatch.runs.manifest import load_fleet
    from pdfbatch.store import open_store

    source, output = open_store(settings.source), open_store(settings.output)
    if settings.run is None:
        check_places(source, output)
    frozen, documents = _slice(settings, source, output)
    fleet = load_fleet(output, frozen.run) if _machine(settings) else None
    return Given(source, output, frozen, documents, fleet)


def _slice(settings: WorkerSettings, source: Store, output: Store) -> tuple[Manifest, Sequence[SourceDocument]]:
    from pdfbatch.runs import manifest
    from pdfbatch.runs.begin import Request, ad_hoc
    from pdfbatch.runs.partition import Slice
    from pdfbatch.runs.slices import documents_of

    if settings.run is not None and (frozen := manifest.load(output, settings.run)).is_pool:
        return frozen, ()
    part = Slice.checked(settings.worker, settings.total_workers)
    if settings.run is not None:
        return frozen, documents_of(output, frozen, settings.worker)
    options = ReadOptions(max_retries=settings.max_retries)
    reads = select_engine(settings.engine or "", "", config.default_model(os.environ), options)
    return ad_hoc(source, output, Request(part, reads.name, options, model=reads.model, pin=reads.pinned_model), now)


def _processors(frozen: Manifest, settings: WorkerSettings, output: Store) -> Sequence[ReadyProcessor]:
    """Returns the processors of the run. If this image lacks one, the slice ends at once: every other instance would
    start the same image.

    Raises:
        NotReady: one is missing, or has another version.
    """
    if not frozen.options.also:
        return ()
    from pdfbatch.processors.registry import ready
    from pdfbatch.records import RunKeys

    try:
        return ready(frozen.options.also)
    except NotReady as error:
        mark = DoneMark(worker=settings.worker, why="failing", at=now(), detail=error.message)
        output.put(RunKeys(frozen.run).done_mark(settings.worker), mark.model_dump_json().encode())
        raise


def _queues(frozen: Manifest, output: Store) -> PoolQueues | None:
    """Returns the queues of a pool; None for other runs.

    Raises:
        PdfbatchError: the pool has ended, or its record is missing.
    """
    if not frozen.is_pool:
        return None
    from pdfbatch.runs.messages import sqs_queue
    from pdfbatch.runs.pool import load_pool
    from pdfbatch.worker.pool_workload import PoolQueues

    pool = load_pool(output, frozen.run)
    if pool is None:
        raise PdfbatchError(
            f"The record of the pool is missing or damaged ({output.url}, run {frozen.run}).",
            "Launch again: a new run is made, finished documents are kept.",
        )
    return PoolQueues(pool, sqs_queue(pool.queue, pool.region), sqs_queue(pool.dead_letters, pool.region))


def _remove(queues: PoolQueues) -> None:
    """Deletes the queues of a pool that is over; `down` does so too, and they cost nothing."""
    try:
        queues.remove()
    except PdfbatchError as error:
        say(f"cannot delete the queues of the pool: {error.message}")


def _passwords(frozen: Manifest) -> Passwords:
    from pdfbatch.documents.sandbox.passwords import Passwords

    if not frozen.password_secret:
        return Passwords()
    from pdfbatch.worker.secret import read_secret

    return read_secret(frozen.password_secret)


def _endpoint_key(frozen: Manifest) -> str:
    """Returns the key in the environment, or else the one in the run's secret."""
    key, endpoint = config.endpoint_key(os.environ), frozen.options.endpoint
    if key or endpoint is None or not endpoint.secret:
        return key
    from pdfbatch.worker.secret import read_endpoint_key

    return read_endpoint_key(endpoint.secret)


def page_maker(output: Store, frozen: Manifest) -> Callable[[], str] | None:
    """Returns what makes the run's page; None where its packages are not installed."""
    from pdfbatch.web.extra import missing

    if missing():
        return None

    def page() -> str:
        from pdfbatch.web.report import report_html

        return report_html(output, frozen, now(), pictures=False)

    return page


def _machine(settings: WorkerSettings) -> Machine | None:
    if not settings.instance or settings.booted is None:
        return None
    return Machine(
        instance=settings.instance,
        type=settings.instance_type,
        zone=settings.zone,
        booted=settings.booted,
    )


def _meter(fleet: FleetRecord | None, machine: Machine | None) -> Meter | None:
    """Returns a meter of this slice's dollars; None where the run has no cap."""
    from pdfbatch.worker.budget import first_price
    from pdfbatch.worker.meter import Meter

    if fleet is None or fleet.max_cost is None or machine is None:
        return None
    return Meter(machine, first_price(fleet, machine), now)


def _budget_watched(job: SliceConfig, stop: Stop, fleet: FleetRecord | None) -> AbstractContextManager[object]:
    """Stops the work when the whole run has spent its cap; does nothing where there is none."""
    from pdfbatch.worker.budget_watch import BudgetSources, BudgetWatch, read_peers

    if fleet is None or job.meter is None or job.machine is None:
        return nullcontext()
    outside = BudgetSources(partial(read_peers, job.output, fleet.run), spot_price(fleet, job.machine), now)
    return BudgetWatch(fleet, job.worker, job.manifest.total_workers, job.meter, stop, outside)


def spot_price(fleet: FleetRecord, machine: Machine) -> Callable[[], float | None]:
    """Returns a function that asks EC2 for the current price of this instance per hour, with its disk and address."""
    from pdfbatch.fleet.aws_queries import prices
    from pdfbatch.fleet.clients import Clients

    clients = Clients(fleet.region)

    def ask() -> float | None:
        bare = prices(clients, [machine.type], now()).get((machine.type, machine.zone))
        return None if bare is None else bare + fleet.adder

    return ask


def _watched(
    run: SliceRun, stop: Stop, settings: WorkerSettings, name: str, environment: Mapping[str, str]
) -> ExitStack:
    """Starts everything that watches a slice: signals, the deadline, Spot notices, progress, metrics."""
    from pdfbatch.worker.metrics import Metrics
    from pdfbatch.worker.spot import SpotWatch
    from pdfbatch.worker.stop import at_deadline, on_signals

    stack = ExitStack()
    stack.enter_context(on_signals(stop, run.kill_children))
    left = None if settings.deadline is None else (settings.deadline - now()).total_seconds()
    stack.enter_context(at_deadline(stop, left))
    endpoint = config.metadata_endpoint(environment)
    if endpoint is not None:
        stack.enter_context(SpotWatch(endpoint, run.noticed, run.save_pages))
    if settings.instance:
        stack.enter_context(Metrics(name, settings.worker, run.heartbeat, now, sys.stdout.write))
    stack.enter_context(views.Progress(run.heartbeat, stderr, local_now))
    return stack
