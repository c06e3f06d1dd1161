"""Creates, lists and deletes schedules. The schedule of a name is replaced as a whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from pdfbatch import aws
from pdfbatch.errors import NotFound, NotReady, PdfbatchError, UsageError
from pdfbatch.fleet.batch import jobs
from pdfbatch.fleet.batch.requests import job_request, ordered_definition
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.effects import Effects
from pdfbatch.fleet.names import Names
from pdfbatch.fleet.plan import Decided
from pdfbatch.fleet.sagemaker.making import ordered_request
from pdfbatch.fleet.schedules.requests import (
    Request,
    Timing,
    for_schedule,
    job_name,
    schedule_job,
    schedule_request,
)
from pdfbatch.fleet.userdata import values_of
from pdfbatch.records.order import RunOrder, order_key
from pdfbatch.runs.orders import save_order
from pdfbatch.store import Store

PAUSES = (2.0, 5.0, 12.0, 30.0)
"""Seconds between tries: a role that was just made cannot be used for up to a minute."""
_EXISTS, _GONE = {"ConflictException"}, {"ResourceNotFoundException"}
_PLACES = re.compile(r"(?P<input>s3://\S+) → (?P<output>s3://\S+)")


class Schedule(BaseModel):
    """A schedule as `schedule list` shows it; field names are stable."""

    model_config = ConfigDict(frozen=True)
    name: str
    expression: str
    timezone: str = "UTC"
    state: str = "ENABLED"
    way: str = ""
    input: str = ""
    output: str = ""


class Schedules(BaseModel):
    """The document that `schedule list --json` prints."""

    model_config = ConfigDict(frozen=True)
    schedules: list[Schedule]


def check_schedulable(decided: Decided) -> None:
    """Refuses what no schedule can start.

    Raises:
        UsageError: the plan is for EC2 Fleets, is a pool, or has no network.
    """
    plan = decided.plan
    if plan.way == "spot":
        raise UsageError(
            "A schedule cannot start EC2 Fleets: that takes several calls, and a schedule makes one.",
            "Use --on batch, which runs on Spot instances too.",
        )
    if plan.isolated:
        raise UsageError("A job without network cannot list its input.", "Leave out --network-isolation.")


def make(
    decided: Decided, outside: Effects, name: str, timing: Timing, limit: int | None, all_failures: bool
) -> Schedule:
    """Saves the order, registers what its jobs need, and creates the schedule, or replaces it.

    Raises:
        NotReady: the stack has no group of schedules.
    """
    check_schedulable(decided)
    _check_group(outside.clients, Names(decided.plan.stack))
    scheduled = for_schedule(decided, name)
    plan, clients = scheduled.plan, outside.clients
    order = RunOrder(manifest=scheduled.frozen.manifest, fleet=scheduled.record, all_failures=all_failures, limit=limit)
    save_order(outside.output, name, order)
    call = (_on_batch if plan.way == "batch" else _on_sagemaker)(scheduled, outside, name)
    names = Names(plan.stack)
    place = f"{plan.input} → {plan.output}"
    request = schedule_request(
        names, clients.region, plan.account.number, name, plan.way, timing, call, f"pdfbatch: {place}"
    )
    _put(clients, request, outside.sleep)
    return _shown(request)


def _on_batch(decided: Decided, outside: Effects, name: str) -> Request:
    """Registers the definition of the jobs; returns the call that submits one."""
    plan, record, clients = decided.plan, decided.record, outside.clients
    names = Names(plan.stack)
    values = values_of(decided.frozen.manifest, record, 0, False, outside.environment)
    values["TOTAL_WORKERS"] = str(plan.workers)
    definition = schedule_job(names, "batch", name)
    with aws.translating("register the job definition"):
        made = clients.batch.register_job_definition(**ordered_definition(plan, values, record, definition, name))
    _deregister(clients, definition, but=made["jobDefinitionArn"])
    return job_request(
        name=job_name(names, "batch", name),
        queue=names.job_queue,
        definition=made["jobDefinitionArn"],
        workers=plan.workers,
        tags=plan.tags,
    )


def _on_sagemaker(decided: Decided, outside: Effects, name: str) -> Request:
    names = Names(decided.plan.stack)
    return ordered_request(decided, outside.environment, job_name(names, "sagemaker", name), name)


def _put(clients: Clients, request: Mapping[str, Any], sleep: Callable[[float], None]) -> None:
    for pause in (*PAUSES, None):
        try:
            made = aws.call(
                f"create the schedule {request['Name']}",
                lambda: clients.scheduler.create_schedule(**request),
                absent=_EXISTS,
            )
            if made is None:
                with aws.translating(f"change the schedule {request['Name']}"):
                    clients.scheduler.update_schedule(**request)
        except PdfbatchError as error:
            if pause is None or error.code != "ValidationException" or "assume" not in error.message:
                raise
            sleep(pause)
        else:
            return


def _check_group(clients: Clients, names: Names) -> None:
    found = aws.call(
        "look up the group of schedules",
        lambda: clients.scheduler.get_schedule_group(Name=names.schedule_group),
        absent=_GONE,
    )
    if found is None:
        raise NotReady(
            f"The stack {names.stack} has no schedules yet.", f"Run `pdfbatch setup --schedules{names.option}`."
        )


def schedules(clients: Clients, names: Names) -> list[Schedule]:
    """Lists the stack's schedules, by name; none where setup has made no group."""

    def ask() -> list[str]:
        pages = clients.scheduler.get_paginator("list_schedules").paginate(GroupName=names.schedule_group)
        return [each["Name"] for page in pages for each in page["Schedules"]]

    found = aws.call("list the schedules", ask, absent=_GONE) or []
    return [each for name in sorted(found) if (each := _described(clients, names, name)) is not None]


def _described(clients: Clients, names: Names, name: str) -> Schedule | None:
    found = aws.call(
        f"look up the schedule {name}",
        lambda: clients.scheduler.get_schedule(GroupName=names.schedule_group, Name=name),
        absent=_GONE,
    )
    return None if found is None else _shown(found)


def _shown(found: Mapping[str, Any]) -> Schedule:
    places = _PLACES.search(found.get("Description", ""))
    return Schedule(
        name=found["Name"],
        expression=found["ScheduleExpression"],
        timezone=found.get("ScheduleExpressionTimezone", "UTC"),
        state=found.get("State", "ENABLED"),
        way="batch" if ":batch:" in found["Target"]["Arn"] else "sagemaker",
        input=places["input"] if places else "",
        output=places["output"] if places else "",
    )


def delete(clients: Clients, names: Names, name: str, open_output: Callable[[str], Store]) -> Schedule:
    """Deletes a schedule, the definition of its jobs, and its order. A job that runs is not ended.

    Raises:
        NotFound: there is no such schedule.
    """
    found = _described(clients, names, name)
    if found is None:
        raise NotFound(f"There is no schedule {name}.", f"`pdfbatch schedule list{names.option}` shows them.")
    with aws.translating(f"delete the schedule {name}"):
        clients.scheduler.delete_schedule(GroupName=names.schedule_group, Name=name)
    if found.way == "batch":
        _deregister(clients, schedule_job(names, "batch", name))
    if found.output:
        open_output(found.output).delete([order_key(name)])
    return found


def _deregister(clients: Clients, definition: str, but: str = "") -> None:
    """Deletes the definitions of this name, but for one."""
    pages = clients.batch.get_paginator("describe_job_definitions").paginate(
        jobDefinitionName=definition, status="ACTIVE"
    )
    with aws.translating(f"list the job definitions {definition}"):
        found = [each["jobDefinitionArn"] for page in pages for each in page["jobDefinitions"]]
    jobs.deregister(clients, [arn for arn in found if arn != but])
