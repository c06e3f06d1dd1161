"""From a person's request to a decision: look at the input, ask the account, then decide (plan.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from pdfbatch.engines import ENGINES, no_engine
from pdfbatch.engines.dolphin.source import DEFAULT_MODEL, pinned
from pdfbatch.errors import NotReady, UsageError
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.facts import Need, gather
from pdfbatch.fleet.plan import Decided, decide
from pdfbatch.fleet.preflight import account_of
from pdfbatch.fleet.values import Account, LaunchRequest, Pace, Work
from pdfbatch.records import RunKeys, SourceDocument
from pdfbatch.runs import manifest
from pdfbatch.runs.begin import Remaining, remaining, remaining_failures
from pdfbatch.runs.named import places_of
from pdfbatch.runs.progress import done_marks, heartbeats
from pdfbatch.store import S3Store, Store, open_store

_WITH_MODEL = ("dolphin", "auto")
_LEAST_PAGES = 50
"""So few say nothing about a pace."""


CountPages = Callable[[Store, Sequence[SourceDocument], int], Work]
"""(input, documents left, documents in the input) → what there is to read; `sample.count_pages` is one."""


class LaunchProposal(NamedTuple):
    decided: Decided | None
    """None: there is nothing to do."""
    rest: Remaining


def propose(
    request: LaunchRequest,
    *,
    clients: Clients,
    now: datetime,
    environment: Mapping[str, str],
    count_pages: CountPages,
) -> LaunchProposal:
    """Changes nothing, neither in the store nor in the account. `count_pages` opens a sample.

    Raises:
        PdfbatchError: it cannot be launched; the hint says what to do first.
    """
    source, output = open_store(request.source), open_store(request.output)
    for place in (source, output):
        if not isinstance(place, S3Store):
            raise UsageError(
                f"A fleet cannot reach {place.url}: its instances read and write S3.",
                "Give s3://bucket/prefix/ for both, or work here: `local-run`, `retry-failures --local`.",
            )
    rest = _remaining(source, output, request, now)
    if not rest.documents:
        return LaunchProposal(None, rest)
    need = Need(request, places_of(source, request.chosen), (output.url,))
    account = account_of(gather(clients, need, now), need)
    warnings = [*account.warnings, *_spent_before(output, rest.latest)]
    request = _with_engine(request, account, warnings)
    work = count_pages(source, rest.documents[: request.limit], rest.inputs)
    decided = decide(
        replace(request, source=source.url, output=output.url),
        rest,
        work.model_copy(update={"hopeless": len(rest.hopeless)}),
        account.model_copy(update={"warnings": warnings}),
        measured_pace(output, rest.latest, request.engine, request.instance_types),
        run=manifest.new_run_id(now),
        now=now,
        environment=environment,
    )
    return LaunchProposal(decided, rest)


def _remaining(source: Store, output: Store, request: LaunchRequest, now: datetime) -> Remaining:
    """A reason that is named is asked for, whatever its prospects."""
    has_passwords = bool(request.password_secret)
    if request.retry is None:
        return remaining(
            source,
            output,
            now,
            redo_changed=request.redo_changed,
            all_failures=request.all_failures,
            chosen=request.chosen,
            pages=request.options.pages,
            has_passwords=has_passwords,
        )
    return remaining_failures(
        source,
        output,
        request.retry,
        now,
        all_failures=request.all_failures or bool(request.retry),
        below=request.below,
        chosen=request.chosen,
        has_passwords=has_passwords,
    )


def _with_engine(request: LaunchRequest, account: Account, warnings: list[str]) -> LaunchRequest:
    """With the engine that will read and the model as it is frozen; what could not be checked goes to `warnings`."""
    engine = request.engine or ("dolphin" if all(account.gpus.values()) else "cpu")
    _check_engine(engine, request.model, account.gpus)
    return replace(request, engine=engine, model=_model(engine, request.model, warnings))


def _spent_before(output: Store, run: str | None) -> list[str]:
    """What a person must know of a last run that ended because its money was spent."""
    if run is None or all(mark.why != "over_budget" for mark in done_marks(output, RunKeys(run))):
        return []
    fleet = manifest.load_fleet(output, run)
    cap = f" of ${fleet.max_cost:,.2f}" if fleet is not None and fleet.max_cost is not None else ""
    return [f"run {run} stopped at its --max-cost{cap}; this one takes up what it left, and counts its dollars from 0"]


def _check_engine(engine: str, model: str, gpus: Mapping[str, str]) -> None:
    if engine not in ENGINES:
        raise no_engine(engine)
    if model and engine not in _WITH_MODEL:
        raise UsageError(
            f"The engine {engine!r} has no model to choose.", "--model goes with --engine dolphin or auto."
        )
    without = [kind for kind, gpu in gpus.items() if not gpu]
    if engine in _WITH_MODEL and without:
        raise UsageError(
            f"{', '.join(without)} has no NVIDIA GPU, and the engine {engine!r} would take minutes a page there.",
            "Choose a type with a GPU, as g4dn.xlarge, or --engine cpu.",
        )


def _model(engine: str, wanted: str, warnings: list[str]) -> str:
    """The model as it is frozen. A path is one inside the image, and stays as it is."""
    if engine not in _WITH_MODEL:
        return ""
    name = wanted or DEFAULT_MODEL
    if name.startswith("/"):
        return name
    try:
        return pinned(name)
    except NotReady as error:
        if name.startswith("s3://"):
            raise
        warnings.append(f"not checked: {error.message} A replacement may read with another version than the first")
        return name


def measured_pace(output: Store, run: str | None, engine: str, types: Sequence[str]) -> Pace | None:
    """What a worker did in the last run on this output, if it was read in the same way on machines of these types."""
    if run is None or manifest.load_fleet(output, run) is None or manifest.load(output, run).engine != engine:
        return None
    beats = [
        beat
        for beat in heartbeats(output, RunKeys(run))
        if beat.machine is not None and beat.machine.type in types and beat.counts.pages_here >= _LEAST_PAGES
    ]
    if not beats:
        return None
    paces = [beat.counts.pages_here / beat.seconds for beat in beats if beat.seconds > 0]
    return Pace(low=min(paces), high=max(paces), source=f"measured in run {run}") if paces else None
