"""Turns the options of `plan`, `launch` and `retry-failures` into one `LaunchRequest`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pdfbatch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pdfbatch.fleet.values import LaunchRequest
    from pdfbatch.records import Chosen, ReadOptions, Reason, WayName


def request_of(
    source: str,
    output: str,
    *,
    engine: str,
    model: str,
    options: ReadOptions,
    redo_changed: bool = False,
    limit: int | None = None,
    all_failures: bool = False,
    retry: Sequence[Reason] | None = None,
    below: float = 0.0,
    only: frozenset[str] | None = None,
    way: WayName,
    workers: int | None,
    is_pool: bool = False,
    watches_input: bool = False,
    recurs: bool = False,
    instance_types: Sequence[str] | None,
    on_demand: bool,
    max_price: float | None,
    max_hours: float | None,
    max_cost: float | None,
    ebs_key: str,
    image: str,
    ami: str,
    subnets: Sequence[str] | None,
    security_groups: Sequence[str] | None = None,
    isolated: bool = False,
    output_key: str = "",
    key_name: str,
    tags: Iterable[str] | None,
    stack: str,
    pages_per_second: float | None = None,
    chosen: Chosen,
    password_secret: str = "",
    events: Iterable[str] = (),
    events_secret: str = "",
) -> LaunchRequest:
    from pdfbatch.fleet.names import Names
    from pdfbatch.fleet.values import DEFAULT_TYPE, DEFAULT_WORKERS, LaunchRequest
    from pdfbatch.records import Secret, SinkAddress

    if isolated and way != "sagemaker":
        raise UsageError("--network-isolation is for SageMaker.", "Add --on sagemaker, or leave it out.")
    if on_demand and max_price is not None:
        raise UsageError("--max-price is a Spot price; on-demand prices are fixed.", "Leave out one of them.")

    if watches_input:
        _check_watch(is_pool, chosen, limit)
    return LaunchRequest(
        source=source,
        output=output,
        engine=engine,
        model=model,
        options=options,
        chosen=chosen,
        password_secret=Secret.read(password_secret).arn if password_secret else "",
        events=tuple(SinkAddress.read_all(events)),
        events_secret=Secret.read(events_secret).arn if events_secret else "",
        redo_changed=redo_changed,
        limit=limit,
        all_failures=all_failures,
        retry=retry,
        below=below,
        only=only,
        names=Names.checked(stack),
        way=way,
        workers=workers or DEFAULT_WORKERS,
        fewer_workers=workers is None,
        is_pool=is_pool,
        watches_input=watches_input,
        recurs=recurs,
        market="on-demand" if on_demand else "spot",
        max_price=max_price,
        ebs_key=ebs_key,
        instance_types=tuple(dict.fromkeys(instance_types or [DEFAULT_TYPE])),
        max_hours=max_hours,
        max_cost=max_cost,
        image=image,
        ami=ami,
        subnets=tuple(subnets or ()),
        security_groups=tuple(security_groups or ()),
        isolated=isolated,
        output_key=output_key,
        key_name=key_name,
        tags=tuple(_tag(each) for each in tags or ()),
        pages_per_second=pages_per_second,
    )


def _check_watch(is_pool: bool, chosen: Chosen, limit: int | None) -> None:
    if not is_pool:
        raise UsageError("--watch-input needs a queue.", "Add --pool.")
    if not chosen.is_everything_below or limit is not None:
        raise UsageError(
            "--watch-input takes everything that arrives below INPUT.",
            "Name a prefix as INPUT, without --limit; --include and --exclude say which documents in it.",
        )


def _tag(given: str) -> tuple[str, str]:
    key, equals, value = given.partition("=")
    if not key or not equals:
        raise UsageError(f"{given!r} is not a tag.", "Write --tag KEY=VALUE.")
    return key, value
