"""Makes the plan of a launch from the request and AWS's answers. Pure: it decides, `launch` carries out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from pdfbatch import __version__
from pdfbatch.errors import NotReady, UsageError
from pdfbatch.fleet import names as tags
from pdfbatch.fleet import pricing
from pdfbatch.fleet.userdata import render, values_of
from pdfbatch.fleet.values import Account, Alternative, LaunchRequest, Pace, Plan, Range, Work
from pdfbatch.records import FleetRecord, Manifest, SourceDocument
from pdfbatch.records.fleet import START_HOURS
from pdfbatch.runs.begin import Remaining, followed
from pdfbatch.runs.copies import etag_of, without_copies
from pdfbatch.runs.partition import divided, documents_in, in_parts, pool_blocks
from pdfbatch.runs.slices import Frozen

DRAIN_BEFORE_EXPIRY = timedelta(minutes=10)
"""How long before their fleets expire workers drain: 2 minutes are needed, the rest allows for clock differences."""
END_BEFORE_EXPIRY = timedelta(minutes=5)
"""How long before it instances terminate themselves, whatever their worker does."""
LEAST_HOURS = 0.5
_TAG_KEY = re.compile(r"(?!\.{1,2}$|_index$)[A-Za-z0-9+\-=.,_:@]{1,128}")
"""With tags enabled in instance metadata, a key must not contain a space or a slash. Source: EC2 guide."""
_MOST_TAGS = 45
"""EC2 allows 50 tags per resource; the rest is left for AWS's and pdfbatch's own."""


class Decided(NamedTuple):
    """A plan with its frozen run and fleet record: what `launch` carries out."""

    plan: Plan
    frozen: Frozen
    record: FleetRecord
    latest: str | None
    """As in `Remaining`."""


def decide(
    request: LaunchRequest,
    rest: Remaining,
    work: Work,
    account: Account,
    measured: Pace | None,
    *,
    run: str,
    now: datetime,
    environment: Mapping[str, str],
) -> Decided:
    """Makes the manifest, the plan and the fleet record of a launch. They are complete and made nowhere else.

    `request` has its engine set and its model pinned; `run` is the new run's ID.

    Raises:
        NotReady: a cost cap, but no known price.
        UsageError: too little money or time to get anything done.
    """
    limited = rest.documents[: request.limit]
    documents = limited if request.isolated else without_copies(limited, etag_of)
    work = work.model_copy(update={"copies": len(limited) - len(documents)})
    most = max(len(limited), len(_in_parts(documents, request, request.workers)))
    if request.may_begin_empty:
        most = max(most, request.workers)  # more documents will arrive
    pages, pace = pricing.pages_left(work), _pace(request, account, work, measured)
    suggested = _suggested(pages, pace, most, account)
    workers, notes = _workers(request, most, suggested, account)
    at_once = _at_once(request, workers, account, notes)
    options = pricing.priced_instances(account, request.instance_types)
    warnings = [*account.warnings, *_price_warnings(account, request)]
    price = _price_range(options)
    max_prices = _max_prices(request, account)
    ceiling = _ceiling(account, price, max_prices)
    hours = pricing.hours_of(pages, pace, at_once)
    max_hours = _max_hours(request, at_once, ceiling, hours, notes)
    if request.watches_input:
        hours = Range(low=max_hours, high=max_hours)
        notes.append(f"watches the input for {max_hours:g} hours or until `pdfbatch down`, and costs as much when idle")
    expiry = (now + timedelta(hours=max_hours + START_HOURS.get(request.way, 0.0))).replace(microsecond=0)
    if hours is not None and hours.high > max_hours:
        notes.append(
            f"may not finish within {max_hours:g} hours; a second launch would resume"
            if hours.low <= max_hours
            else f"cannot finish within {max_hours:g} hours; increase --workers or --max-hours, or launch again later"
        )
    if pages is None and work.left:
        warnings.append("unknown number of pages: none of the sampled documents could be fetched")
    worst_price = price.high if options else 0.0
    record = FleetRecord(
        run=run,
        account=account.number,
        region=account.region,
        launched=now,
        deadline=expiry - DRAIN_BEFORE_EXPIRY,
        end=expiry - END_BEFORE_EXPIRY,
        expiry=expiry,
        instance_types=list(request.instance_types),
        prices={f"{each.kind}@{each.zone}": each.price for each in options},
        worst_price=worst_price,
        price_ceiling=ceiling,
        on_demand_prices={
            kind: pricing.instance_hour(bare, account.ami.root_gib, account.gib_month)
            for kind, bare in account.on_demand.items()
        },
        way=request.way,
        stack=request.names.stack,
        at_once=at_once,
        market=request.market,
        max_cost=request.max_cost,
        adder=pricing.disk_and_address_hour(account.ami.root_gib, account.gib_month),
        image=account.image,
        ami=account.ami.id,
        log_group=account.log_group,
        topic=account.topic,
    )
    slices = divided(_in_parts(documents, request, workers), workers)
    manifest = _manifest(request, rest, account, slices, run, now)
    plan = Plan(
        run=run,
        input=request.source,
        output=request.output,
        engine=request.engine,
        model=request.model,
        work=work,
        account=account,
        asked_workers=request.workers,
        workers=workers,
        at_once=at_once,
        suggested_workers=suggested,
        way=request.way,
        market=request.market,
        max_prices=max_prices,
        ebs_key=request.ebs_key,
        instance_types=list(request.instance_types),
        pages=pages,
        pace=pace,
        hours=hours,
        price=price,
        price_ceiling=ceiling,
        cost=pricing.cost_of(hours, price, at_once, max_hours) if options else None,
        alternative=_alternative(request, account, work, pages, price, at_once) if options else None,
        max_hours=max_hours,
        worst_cost=at_once * ceiling * max_hours,
        deadline=expiry - DRAIN_BEFORE_EXPIRY,
        end=expiry - END_BEFORE_EXPIRY,
        expiry=expiry,
        user_data_bytes=_user_data_bytes(request, manifest, record, account, environment),
        key_name=request.key_name,
        stack=request.names.stack,
        isolated=request.isolated,
        subnets=list(request.subnets) if request.way == "sagemaker" else [],
        output_key=request.output_key,
        tags=_tags(request, manifest),
        blocks=sum(map(len, manifest.pool_blocks)),
        watches_input=request.watches_input,
        notes=notes,
        warnings=warnings,
    )
    return Decided(plan, Frozen(manifest, slices), record, rest.latest)


def _manifest(
    request: LaunchRequest,
    rest: Remaining,
    account: Account,
    slices: Sequence[Sequence[SourceDocument]],
    run: str,
    now: datetime,
) -> Manifest:
    return Manifest(
        run=run,
        created=now,
        input=request.source,
        output=request.output,
        total_workers=len(slices),
        engine=request.engine,
        model=request.model,
        pdfbatch=__version__,
        image=account.image,
        ami=account.ami.id,
        options=request.options,
        chosen=request.chosen,
        password_secret=request.password_secret,
        events=[sink.text for sink in request.events],
        events_secret=request.events_secret,
        retry_of=rest.retry_of,
        follows=followed(request.engine, request.model, request.options, rest.before, rest.retry_of),
        skipped=rest.skipped,
        slices=documents_in(slices),
        entries=list(map(len, slices)),
        pool_blocks=list(map(pool_blocks, slices)) if request.is_pool else [],
        watches_input=request.watches_input,
    )


def _in_parts(documents: Sequence[SourceDocument], request: LaunchRequest, workers: int) -> Sequence[SourceDocument]:
    """Splits long documents. Not in a pool: any worker may take a block over, a part only who will assemble it. Not
    without network: each worker sees only its own documents."""
    return documents if request.is_pool or request.isolated else in_parts(documents, workers)


def user_data(
    manifest: Manifest, record: FleetRecord, worker: int, account: Account, environment: Mapping[str, str]
) -> str:
    """Renders the user data of a worker's instances."""
    has_gpu = all(account.gpus.values())
    return render(values_of(manifest, record, worker, has_gpu, environment))


def _user_data_bytes(
    request: LaunchRequest,
    manifest: Manifest,
    record: FleetRecord,
    account: Account,
    environment: Mapping[str, str],
) -> int:
    """Returns the size of the longest user data: that of the worker with the shortest or the longest number."""
    ends = {0, manifest.total_workers - 1} if request.way == "spot" else set[int]()
    return max((len(user_data(manifest, record, each, account, environment).encode()) for each in ends), default=0)


def _suggested(pages: Range | None, pace: Pace, documents: int, account: Account) -> int | None:
    """Suggests a number of workers for the work, capped by documents and quota."""
    suited = pricing.suggested_workers(pages, pace)
    room = pricing.room(account.quota, max(account.vcpus.values()))
    return None if suited is None else max(1, min(suited, documents, documents if room is None else max(1, room)))


def _workers(request: LaunchRequest, documents: int, suggested: int | None, account: Account) -> tuple[int, list[str]]:
    workers, notes = request.workers, list[str]()
    if request.fewer_workers and suggested is not None and suggested < workers:
        workers = suggested
        notes.append(
            f"{workers} instead of {request.workers} workers: more would mostly pay for booting; --workers N overrides"
        )
    if workers > documents:
        workers = documents
        notes.append(f"{workers} instead of {request.workers} workers: one for each document")
    quota, most_vcpus = account.quota, max(account.vcpus.values())
    room = pricing.room(quota, most_vcpus) if request.way != "batch" else None
    if room is not None and workers > max(1, room):
        notes.append(
            f"{room} instead of {workers} workers: the quota {quota.code} has {quota.limit:g} {quota.unit}, "
            f"{quota.used:g} in use, {quota.of_one(most_vcpus)} for each instance. For more: "
            + pricing.quota_request(
                quota.code, quota.used + workers * quota.of_one(most_vcpus), account.region, quota.service
            )
        )
        workers = room
    return workers, notes


def _at_once(request: LaunchRequest, workers: int, account: Account, notes: list[str]) -> int:
    """Returns how many workers can have an instance at the same time: on AWS Batch the others wait."""
    if request.way != "batch":
        return workers
    vcpus = max(account.vcpus.values())
    room = pricing.room(account.quota, vcpus)
    limits = [workers, *([] if room is None else [room])]
    limits += [] if account.most_vcpus is None else [account.most_vcpus // vcpus]
    at_once = max(1, min(limits))
    if at_once < workers:
        notes.append(
            f"{at_once} of {workers} workers at a time, as far as the quota {account.quota.code} and the compute "
            "environment allow; the others wait"
        )
    return at_once


def _price_warnings(account: Account, request: LaunchRequest) -> list[str]:
    if any(zone.prices for zone in account.zones):
        return []
    return [
        f"no {request.market} price is known for {', '.join(request.instance_types)}: the cost is unknown and only the "
        "time is limited"
    ]


def _max_prices(request: LaunchRequest, account: Account) -> dict[str, float]:
    if request.market == "on-demand":
        return {}
    if account.ceilings:
        return account.ceilings
    return pricing.max_prices(account, request.instance_types, request.max_price)


def _ceiling(account: Account, price: Range, max_prices: Mapping[str, float]) -> float:
    """Returns the most an instance-hour can cost incl. disk and address; on-demand prices do not change."""
    if not max_prices:
        return price.high
    return max(pricing.instance_hour(bare, account.ami.root_gib, account.gib_month) for bare in max_prices.values())


def _price_range(options: list[pricing.PricedInstance]) -> Range:
    known = [each.price for each in options]
    return Range(low=min(known, default=0.0), high=max(known, default=0.0))


def _max_hours(request: LaunchRequest, workers: int, ceiling: float, expected: Range | None, notes: list[str]) -> float:
    max_hours = request.max_hours or pricing.default_hours(None if request.watches_input else expected)
    if request.max_cost is None:
        return max_hours
    if not ceiling:
        raise NotReady("No price is known, so --max-cost cannot be applied.", "Use --max-hours instead.")
    hours = pricing.affordable_hours(request.max_cost, workers, ceiling)
    if hours >= max_hours:
        return max_hours
    if hours < LEAST_HOURS:
        raise UsageError(
            f"${request.max_cost:g} pays for only {hours * 60:.0f} minutes of {workers} instances, too little to be "
            "useful.",
            f"Use --max-cost {workers * ceiling * LEAST_HOURS * 2:.2f} or more, or fewer --workers.",
        )
    notes.append(f"ends after {hours:.1f} hours, not {max_hours:g}: by then ${request.max_cost:g} may be spent")
    return round(hours - 0.005, 2)


def _alternative(
    request: LaunchRequest, account: Account, work: Work, pages: Range | None, price: Range, workers: int
) -> Alternative | None:
    """Estimates the cost of `auto` for `dolphin`, and vice versa, with the same workers and no time limit."""
    other = {"dolphin": "auto", "auto": "dolphin"}.get(request.engine)
    if other is None or work.layer_share is None:
        return None
    pace = _estimated(replace(request, engine=other), account, work.layer_share)
    cost = pricing.cost_of(pricing.hours_of(pages, pace, workers), price, workers, float("inf"))
    return Alternative(engine=other, cost=cost) if cost else None


def _pace(request: LaunchRequest, account: Account, work: Work, measured: Pace | None) -> Pace:
    if request.pages_per_second is not None:
        return Pace(low=request.pages_per_second, high=request.pages_per_second, source="as given")
    if measured is not None:
        return measured
    if request.options.command.line:
        raise UsageError(
            "Nobody knows how fast your --command is.",
            "Add --pages-per-second: the documents that one instance converts in a second. Try some with local-run.",
        )
    return _estimated(request, account, work.layer_share)


def _estimated(request: LaunchRequest, account: Account, layer_share: float | None) -> Pace:
    guesses = [
        pricing.estimated_pace(request.engine, account.gpus[kind], account.vcpus[kind], layer_share)
        for kind in request.instance_types
    ]
    return Pace(
        low=min(each.low for each in guesses), high=max(each.high for each in guesses), source=guesses[0].source
    )


def _tags(request: LaunchRequest, manifest: Manifest) -> dict[str, str]:
    own = dict(request.tags)
    for key, value in own.items():
        if (
            not _TAG_KEY.fullmatch(key)
            or len(value) > 256
            or tags.place_tag(value) != value
            or key.startswith(("aws:", "pdfbatch:"))
        ):
            raise UsageError(
                f"The tag {key}={value} is not allowed.",
                "Keys may contain letters, digits and + - = . , _ : @, and must not begin with aws: or pdfbatch:; "
                "values may also contain spaces and slashes, up to 256 characters.",
            )
    if len(own) > _MOST_TAGS:
        raise UsageError(f"Too many tags: {len(own)}.", f"EC2 allows 50; use {_MOST_TAGS} at most.")
    return own | {
        "Name": own.get("Name", f"{request.names.stack} {manifest.run}"),
        tags.TAG_STACK: request.names.stack,
        tags.TAG_RUN: manifest.run,
        tags.TAG_OUTPUT: tags.output_digest(manifest.output),
        tags.TAG_PLACE: tags.place_tag(manifest.output),
    }
