"""Turns a request into a proposal: lists the input, queries the account, then decides (plan.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from pdfbatch.engines import ENGINES, check_triage, no_engine
from pdfbatch.engines.dolphin.source import DEFAULT_MODEL, pinned
from pdfbatch.engines.endpoint import EndpointEngine
from pdfbatch.errors import NotReady, UsageError
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.facts import Need, gather
from pdfbatch.fleet.plan import Decided, decide
from pdfbatch.fleet.preflight import account_of
from pdfbatch.fleet.sagemaker.ended import note_ended
from pdfbatch.fleet.values import Account, LaunchRequest, Pace, Work
from pdfbatch.fleet.ways import way_named
from pdfbatch.processors.registry import BUILT_IN
from pdfbatch.records import RunKeys, SourceDocument
from pdfbatch.runs import manifest
from pdfbatch.runs.begin import Remaining, remaining, remaining_failures
from pdfbatch.runs.named import places_of
from pdfbatch.runs.record_reader import done_marks, heartbeats
from pdfbatch.store import S3Store, Store, open_store

_WITH_MODEL = ("dolphin", "auto")
_LEAST_PAGES = 50
"""Fewer pages say nothing about a pace."""

CountPages = Callable[[Store, Sequence[SourceDocument], int], Work]
"""(input, documents left, documents in the input) → the work to do; `sample.count_pages` is one."""


class LaunchProposal(NamedTuple):
    decided: Decided | None
    """None: nothing to do."""
    rest: Remaining


def propose(
    request: LaunchRequest,
    *,
    clients: Clients,
    now: datetime,
    environment: Mapping[str, str],
    count_pages: CountPages,
) -> LaunchProposal:
    """Plans a launch. Changes nothing in the store or the account, but notes if the job of the run before has ended.
    `count_pages` opens a sample.

    Raises:
        PdfbatchError: a launch is not possible; the hint says what to do first.
    """
    source, output = open_store(request.source), open_store(request.output)
    for place in (source, output):
        if not isinstance(place, S3Store):
            raise UsageError(
                f"A fleet cannot reach {place.url}: its instances read and write S3.",
                "Use s3://bucket/prefix/ for both, or work locally: `local-run`, `retry-failures --local`.",
            )
    note_ended(clients, output, manifest.current(output), now)
    rest = _remaining(source, output, request, now)
    if not rest.documents and not request.may_begin_empty:
        return LaunchProposal(None, rest)
    need = Need(request, places_of(source, request.chosen), (output.url,))
    need = way_named(request.way).prepared(clients, need)
    request = need.request
    account = account_of(gather(clients, need, now), need)
    warnings = [*account.warnings, *_spent_before(output, rest.latest)]
    request = _with_engine(request, account, warnings)
    warnings += _needs_of_processors(request, rest)
    documents = rest.documents[: request.limit]
    if not documents:
        work = Work(documents=rest.inputs, left=0, pages_each=0.0)
    elif request.options.command.line:
        work = _unopened(documents, rest.inputs)
    else:
        work = count_pages(source, documents, rest.inputs)
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
    """Lists what is left to do."""
    has_passwords = bool(request.password_secret)
    if request.retry is None:
        return remaining(
            source,
            output,
            now,
            redo_changed=request.redo_changed,
            all_failures=request.all_failures,
            chosen=request.chosen,
            options=request.options,
            engine=request.engine,
            has_passwords=has_passwords,
            may_be_empty=request.may_begin_empty,
        )
    return remaining_failures(
        source,
        output,
        request.retry,
        now,
        all_failures=request.all_failures,
        below=request.below,
        chosen=request.chosen,
        has_passwords=has_passwords,
        only=request.only,
        also=request.options.also,
    )


def _unopened(documents: Sequence[SourceDocument], in_input: int) -> Work:
    """Returns the work of a command, which may read files of any kind: each document counts as one page."""
    size = sum(document.size for document in documents)
    return Work(documents=in_input, left=len(documents), bytes_left=size, pages_each=1.0)


def _with_engine(request: LaunchRequest, account: Account, warnings: list[str]) -> LaunchRequest:
    """Sets the engine and pins the model; what could not be checked goes to `warnings`."""
    engine = request.engine or ("dolphin" if all(account.gpus.values()) else "cpu")
    check_triage(engine, request.options)
    if request.options.triage:
        warnings.append(f"which pages the model reads is decided by {request.options.triage.name}")
    if engine == EndpointEngine.name or request.options.fallback:
        endpoint = EndpointEngine(request.options.endpoint, "")
        warnings.append(
            f"page images are sent to {endpoint.url}; whether the instances reach it is not checked, and its price is "
            "not part of this plan"
        )
        if engine == endpoint.name:
            if request.model not in ("", endpoint.model):
                raise UsageError("--model is Dolphin's.", "Name the endpoint's model with --endpoint-model.")
            return replace(request, engine=engine, model=endpoint.model)
    _check_engine(engine, request.model, account.gpus)
    return replace(request, engine=engine, model=_model(engine, request.model, warnings))


def _needs_of_processors(request: LaunchRequest, rest: Remaining) -> list[str]:
    """Returns what the image must have for the run's processors, and what the plan does not know about them."""
    own = [each for each in request.options.also if each.name not in BUILT_IN]
    needs = [f"the image must have the processor {each.name} {each.version} (docs/processors.md)" for each in own]
    if request.options.also:
        needs.append("the time of --also is not part of this plan")
    if any(each.is_read for each in rest.documents):
        needs.append("pages of documents that were converted before are not read again, but this plan counts them")
    return needs


def _spent_before(output: Store, run: str | None) -> list[str]:
    """Warns about a last run that stopped because it reached its cost cap."""
    if run is None or all(mark.why != "over_budget" for mark in done_marks(output, RunKeys(run))):
        return []
    fleet = manifest.load_fleet(output, run)
    cap = f" of ${fleet.max_cost:,.2f}" if fleet is not None and fleet.max_cost is not None else ""
    return [f"run {run} stopped at its --max-cost{cap}; this run resumes it and starts counting from $0"]


def _check_engine(engine: str, model: str, gpus: Mapping[str, str]) -> None:
    if engine not in ENGINES:
        raise no_engine(engine)
    if model and engine not in _WITH_MODEL:
        raise UsageError(f"The engine {engine!r} uses no model.", "Use --model with --engine dolphin or auto.")
    without = [kind for kind, gpu in gpus.items() if not gpu]
    if engine in _WITH_MODEL and without:
        raise UsageError(
            f"{', '.join(without)} has no NVIDIA GPU; the engine {engine!r} would take minutes per page there.",
            "Choose a type with a GPU, as g4dn.xlarge, or --engine cpu.",
        )


def _model(engine: str, wanted: str, warnings: list[str]) -> str:
    """Pins the model. A path is inside the worker image and stays as it is."""
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
        warnings.append(
            f"the model's version could not be fixed, so a replacement may use a newer one: {error.message} "
            "To fix it: --model ID@COMMIT"
        )
        return name


def measured_pace(output: Store, run: str | None, engine: str, types: Sequence[str]) -> Pace | None:
    """Measures a worker's pace in the last run on this output, if its engine and instance types were the same."""
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
