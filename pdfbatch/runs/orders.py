"""Starts an execution of an order: its first host lists what is left and freezes it as a run, the others wait for that.

Nobody is there to confirm anything, and a job may start its first host twice. So that host claims a run's ID first, and
whoever comes later freezes that same run, or takes it as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import ValidationError

from pdfbatch import __version__
from pdfbatch.errors import NotFound, PdfbatchError, PreconditionFailed
from pdfbatch.records import FleetRecord, Record, RunKeys
from pdfbatch.records.order import OrderClaim, OrderStart, RunOrder, claim_key, order_key, start_key
from pdfbatch.runs import manifest
from pdfbatch.runs.begin import entries_for, followed, remaining
from pdfbatch.runs.partition import documents_in
from pdfbatch.runs.slices import Frozen
from pdfbatch.store import Store

R = TypeVar("R", bound=Record)

POLL_SECONDS = 5.0
WAIT_SECONDS = 3600.0
"""How long other hosts wait for the first one. Listing and freezing a million documents takes minutes, and hosts do not
start at the same time."""


def save_order(output: Store, name: str, order: RunOrder) -> None:
    """Writes an order, or replaces it: executions that have begun keep what they have frozen."""
    output.put(order_key(name), order.model_dump_json(indent=2).encode())


def load_order(output: Store, name: str) -> RunOrder:
    """Reads an order.

    Raises:
        NotFound: there is no such order.
        PdfbatchError: it is damaged.
    """
    try:
        return RunOrder.model_validate_json(output.get(order_key(name)))
    except NotFound as error:
        raise NotFound(
            f"{output.url} has no order {name}.", "Make the schedule again with `pdfbatch schedule`."
        ) from error
    except ValidationError as error:
        raise PdfbatchError(
            f"The order {name} is damaged ({output.url}{order_key(name)}).",
            "Make the schedule again with `pdfbatch schedule`.",
        ) from error


def begin_order(
    source: Store, output: Store, name: str, job: str, workers: int, clock: Callable[[], datetime]
) -> OrderStart:
    """Freezes what is left as a run of so many workers; for the first host of a job. `job`: the execution, by a name
    that no other one has. Idempotent.

    Raises:
        PdfbatchError: it cannot be frozen; the other hosts are told.
    """
    if known := _read(output, start_key(name, job), OrderStart):
        return _usable(known)
    try:
        order = load_order(output, name)
        order = order.model_copy(update={"fleet": order.fleet.model_copy(update={"order": name, "job": job})})
        run = _freeze(source, output, order, _claimed(output, name, job, clock()), workers, clock())
    except PdfbatchError as error:
        _say(output, name, job, OrderStart(error=error.message, hint=error.hint))
        raise
    return _usable(_say(output, name, job, OrderStart(run=run)))


def wait_for_order(
    output: Store, name: str, job: str, sleep: Callable[[float], None], seconds: float = WAIT_SECONDS
) -> OrderStart:
    """Waits until the first host has begun the execution; for the others.

    Raises:
        PdfbatchError: it could not begin, or said nothing for `seconds`.
    """
    waited = 0.0
    while (known := _read(output, start_key(name, job), OrderStart)) is None:
        if waited >= seconds:
            raise PdfbatchError(
                f"The first host of {job} has not frozen a run within {seconds / 60:.0f} minutes.",
                "See the log of that host; the next execution lists everything again.",
            )
        sleep(POLL_SECONDS)
        waited += POLL_SECONDS
    return _usable(known)


def _usable(start: OrderStart) -> OrderStart:
    if start.error:
        raise PdfbatchError(start.error, start.hint)
    return start


def _claimed(output: Store, name: str, job: str, now: datetime) -> str:
    """Returns the ID of the run that this execution is to be."""
    claim, key = OrderClaim(run=manifest.new_run_id(now)), claim_key(name, job)
    try:
        output.put_new(key, claim.model_dump_json().encode())
    except PreconditionFailed:
        claim = _read(output, key, OrderClaim) or claim
    return claim.run


def _freeze(source: Store, output: Store, order: RunOrder, run: str, workers: int, now: datetime) -> str:
    """Makes the run the current one and returns its ID; "" if nothing is left to do."""
    if manifest.current(output) == run:  # an earlier start of this host came so far
        _save_record(output, order, run, manifest.load(output, run).created)
        return run
    if output.head(RunKeys(run).manifest) is not None:
        manifest.disclaim(output, manifest.load(output, run), None)
    frozen, latest = _frozen(source, output, order, run, workers, now)
    if not frozen.manifest.documents:
        return ""
    output.check_writable()
    if (winner := manifest.claim(output, frozen, latest)) != run:
        raise PdfbatchError(
            f"Run {winner} was started on {output.url} at the same time.", "The next execution takes what is left."
        )
    _save_record(output, order, run, now)
    return run


def _frozen(
    source: Store, output: Store, order: RunOrder, run: str, workers: int, now: datetime
) -> tuple[Frozen, str | None]:
    ordered = order.manifest
    rest = remaining(
        source,
        output,
        now,
        redo_changed=order.redo_changed,
        all_failures=order.all_failures,
        chosen=ordered.chosen,
        options=ordered.options,
        engine=ordered.engine,
        has_passwords=bool(ordered.password_secret),
    )
    slices = entries_for(source, output, ordered.options, rest.documents[: order.limit], workers)
    update = {
        "run": run,
        "created": now,
        "pdfbatch": __version__,
        "total_workers": workers,
        "skipped": rest.skipped,
        "follows": followed(ordered.engine, ordered.model, ordered.options, rest.before, None),
        "retry_of": None,
        "slices": documents_in(slices),
        "entries": list(map(len, slices)),
        "pool_blocks": [],
    }
    return Frozen(ordered.model_copy(update=update), slices), rest.latest


def _save_record(output: Store, order: RunOrder, run: str, now: datetime) -> None:
    manifest.save_fleet(output, record_at(order.fleet, run, now))


def record_at(ordered: FleetRecord, run: str, now: datetime) -> FleetRecord:
    """Returns the record of an execution that starts now: the ordered one with all times moved."""
    later: timedelta = now - ordered.launched
    times = {name: getattr(ordered, name) + later for name in ("launched", "deadline", "end", "expiry")}
    return ordered.model_copy(update={**times, "run": run, "ended": None})


def _say(output: Store, name: str, job: str, start: OrderStart) -> OrderStart:
    """Tells the other hosts how the execution began; returns what they have been told, which may be another's."""
    key = start_key(name, job)
    try:
        output.put_new(key, start.model_dump_json().encode())
    except PreconditionFailed:
        return _read(output, key, OrderStart) or start
    return start


def _read(output: Store, key: str, kind: type[R]) -> R | None:
    try:
        return kind.model_validate_json(output.get(key))
    except (NotFound, ValidationError):
        return None
