"""Renders schedules of EventBridge Scheduler. Pure: plain dicts, in the shapes of boto3.

A schedule calls an API by itself (a "universal target"): SubmitJob of AWS Batch, or CreateProcessingJob of SageMaker.
Its input is that call's request, with every member in PascalCase also where the API is not.

Source: botocore's service model of `scheduler`, 2021-06-30; EventBridge Scheduler guide, "Using universal targets" and
"Adding context attributes".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from pdfbatch.errors import UsageError
from pdfbatch.fleet.names import TAG_RUN, Names, partition
from pdfbatch.fleet.plan import Decided
from pdfbatch.records import WayName

Request = dict[str, Any]
EXECUTION_ID = "<aws.scheduler.execution-id>"
"""Scheduler replaces it by 16 letters and digits; a retry has another one."""
MOST_RETRIES = 2
"""A retry of a call whose answer was lost starts a second job. It would find the run of the first one, and end."""
RETRY_SECONDS = 3600
"""How long Scheduler retries a call."""
MOST_INPUT = 256 * 1024
_NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")
_RATE = re.compile(r"rate\((\d+) (minutes?|hours?|days?)\)")
_ACTIONS: dict[WayName, tuple[str, str]] = {
    "batch": ("batch", "submitJob"),
    "sagemaker": ("sagemaker", "createProcessingJob"),
}
_MAPS = frozenset({"tags", "Environment", "Tags"})
"""Members whose own members are data, not names of the API."""


class Timing(NamedTuple):
    """When a schedule starts its job."""

    expression: str
    """`cron(…)` with six fields, or `rate(…)`."""
    timezone: str = "UTC"
    window_minutes: int = 0
    """Within how many minutes after that time; 0: at that time."""
    retries: int = 0


def checked_name(name: str) -> str:
    """Checks a schedule's name: it becomes part of the name of each job.

    Raises:
        UsageError: it is not valid.
    """
    if not _NAME.fullmatch(name) or name.endswith("-") or "--" in name:
        raise UsageError(
            f"{name!r} is not a valid name of a schedule.",
            "Use lowercase letters, digits and single hyphens, 20 at most, such as nightly.",
        )
    return name


def expression_of(text: str) -> str:
    """Returns `--cron` as Scheduler writes it: `0 3 * * ? *`, `cron(0 3 * * ? *)` or `rate(12 hours)`.

    Raises:
        UsageError: it is none of these.
    """
    text = " ".join(text.split())
    if text.startswith("rate("):
        if not _RATE.fullmatch(text):
            raise UsageError(f"{text!r} is not a rate.", "Write 'rate(12 hours)' or 'rate(1 day)'.")
        return text
    fields = text.removeprefix("cron(").removesuffix(")").split(" ")
    if len(fields) == 5:  # Unix's cron
        raise UsageError(
            f"{text!r} has five fields, and EventBridge Scheduler needs six.",
            f"Write minute, hour, day, month, weekday, year, with ? for the day or the weekday: {_six(fields)!r}.",
        )
    if len(fields) != 6 or "?" not in (fields[2], fields[4]) or fields[2] == fields[4]:
        raise UsageError(
            f"{text!r} is not a schedule.",
            "Write minute, hour, day, month, weekday, year, with ? for the day or the weekday: '0 3 * * ? *'.",
        )
    return f"cron({' '.join(fields)})"


def _six(fields: list[str]) -> str:
    minute, hour, day, month, weekday = fields
    day, weekday = ("?", weekday) if weekday != "*" else (day, "?")
    return " ".join((minute, hour, day, month, weekday, "*"))


def schedule_request(
    names: Names, region: str, account: str, name: str, way: WayName, timing: Timing, call: Request, description: str
) -> Request:
    """Returns the request CreateSchedule, or UpdateSchedule: both set everything. `call`: the request that the schedule
    sends to the way's service.

    Raises:
        UsageError: the input is too long for a schedule.
    """
    service, action = _ACTIONS[way]
    sent = json.dumps(in_pascal_case(call), separators=(",", ":"))
    if len(sent.encode()) > MOST_INPUT:
        raise UsageError("The job's request is too long for a schedule.", "Use fewer patterns in --include.")
    window = (
        {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": timing.window_minutes}
        if timing.window_minutes
        else {"Mode": "OFF"}
    )
    arn = f"arn:{partition(region)}"
    return {
        "Name": name,
        "GroupName": names.schedule_group,
        "Description": description[:512],
        "ScheduleExpression": timing.expression,
        "ScheduleExpressionTimezone": timing.timezone,
        "FlexibleTimeWindow": window,
        "State": "ENABLED",
        "ActionAfterCompletion": "NONE",
        "Target": {
            "Arn": f"{arn}:scheduler:::aws-sdk:{service}:{action}",
            "RoleArn": f"{arn}:iam::{account}:role/{names.schedule_role(region)}",
            "Input": sent,
            "RetryPolicy": {"MaximumRetryAttempts": timing.retries, "MaximumEventAgeInSeconds": RETRY_SECONDS},
            "DeadLetterConfig": {"Arn": f"{arn}:sqs:{region}:{account}:{names.schedule_dead_letters}"},
        },
    }


def in_pascal_case(request: Any) -> Any:
    """Returns a request with the names of all members in PascalCase; keys of maps stay as they are."""
    if isinstance(request, Mapping):
        return {
            key[:1].upper() + key[1:]: value if key in _MAPS and isinstance(value, Mapping) else in_pascal_case(value)
            for key, value in request.items()
        }
    return [in_pascal_case(each) for each in request] if isinstance(request, list) else request


def job_name(names: Names, way: WayName, name: str) -> str:
    """Names the jobs of a schedule: a new name for each execution."""
    return f"{schedule_job(names, way, name)}-{EXECUTION_ID}"


def schedule_job(names: Names, way: WayName, name: str) -> str:
    """Returns what the names of a schedule's jobs begin with; on AWS Batch also the name of their definition."""
    return names.job(name) if way == "batch" else f"{names.processing_jobs}{name}"


def for_schedule(decided: Decided, name: str) -> Decided:
    """Returns a planned launch as what a schedule starts: its jobs are not those of the planned run."""
    plan = decided.plan
    tags = {**plan.tags, TAG_RUN: f"schedule {name}", "Name": f"{plan.stack} schedule {name}"}
    return decided._replace(plan=plan.model_copy(update={"tags": tags}))
