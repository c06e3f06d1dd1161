"""The jobs of AWS Batch as a state machine. Queues, compute environments and job definitions are moto's.

moto runs jobs in Docker, or finishes them at once; here they start with the next tick and run until a test ends them.
Requests are checked against botocore's service model, and so are the answers that are built here.

Sources of the behaviour: botocore's model of `batch` (ListJobs lists one status, RUNNING by default; an array is
PENDING while its children run; TerminateJob, JobDetail); AWS Batch guide, "Array jobs" (ids of children), "Automated
job retries" (the first rule that matches; none: retried), "Job timeouts".
"""

from __future__ import annotations

import fnmatch
import uuid
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import botocore.session
from botocore.validate import ParamValidator

from tests.fleet.simulated_fleets import Json, Refused

WAITING = ("SUBMITTED", "PENDING", "RUNNABLE")
ENDED = ("SUCCEEDED", "FAILED")
STATUSES = (*WAITING, "STARTING", "RUNNING", *ENDED)
CREATED = 1_800_000_000_000


@cache
def model() -> Any:
    return botocore.session.get_session().get_service_model("batch")


@cache
def operation_at(path: str) -> Any:
    """The operation with this path; None: none, or one whose path has parameters."""
    operations = map(model().operation_model, model().operation_names)
    return next((each for each in operations if each.http["requestUri"] == path), None)


def check(shape: Any, value: Json) -> None:
    """Refuses what botocore would not send, or not read."""
    report = ParamValidator().validate(value, shape)
    if report.has_errors():
        raise Refused("ClientException", report.generate_report())


@dataclass
class Child:
    """A job that runs a container."""

    id: str
    index: int | None
    status: str = "RUNNABLE"
    reason: str = ""
    attempts: list[Json] = field(default_factory=list)
    stream: str = ""


@dataclass
class Array:
    """A submitted job; a plain one has one child, with its own id."""

    wish: Json
    definition: Json
    id: str
    created: int
    children: list[Child]
    terminated: str = ""

    @property
    def is_array(self) -> bool:
        return "arrayProperties" in self.wish

    @property
    def status(self) -> str:
        states = {child.status for child in self.children}
        if not self.is_array:
            return self.children[0].status
        if states <= set(ENDED):
            return "FAILED" if "FAILED" in states else "SUCCEEDED"
        return "PENDING"


class BatchRegion:
    """All jobs of one region."""

    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}

    def submit(self, wish: Json, definition: Json) -> Json:
        size = wish.get("arrayProperties", {}).get("size", 0)
        if "arrayProperties" in wish and not 2 <= size <= 10_000:
            raise Refused("ClientException", "Array size must be between 2 and 10000.")
        id = str(uuid.uuid4())
        children = [Child(f"{id}:{number}", number) for number in range(size)] or [Child(id, None)]
        self.arrays[id] = Array(wish, definition, id, CREATED + len(self.arrays), children)
        return {"jobName": wish["jobName"], "jobId": id, "jobArn": f"arn:aws:batch:us-east-1:123456789012:job/{id}"}

    def terminate(self, wish: Json) -> Json:
        array = self.arrays.get(wish["jobId"])
        if array is None:
            raise Refused("ClientException", f"Job with id {wish['jobId']} does not exist.")
        for child in array.children:
            if child.status not in ENDED:
                child.status, child.reason = "FAILED", wish["reason"]
        return {}

    def list(self, wish: Json) -> Json:
        if "arrayJobId" in wish:
            array = self.arrays[wish["arrayJobId"]]
            found = [self._child(array, each) for each in array.children]
        else:
            queue = wish["jobQueue"].rpartition("/")[2]
            arrays = [each for each in self.arrays.values() if each.wish["jobQueue"].rpartition("/")[2] == queue]
            found = [self._described(each) for each in arrays]
        filters = wish.get("filters", [])
        for each in filters:
            found = [job for job in found if any(fnmatch.fnmatch(job["jobName"], value) for value in each["values"])]
        if not filters:
            found = [job for job in found if job["status"] == wish.get("jobStatus", "RUNNING")]
        names = model().shape_for("JobSummary").members
        return {
            "jobSummaryList": [
                {key: job[key] for key in job if key in names and key != "arrayProperties"} for job in found
            ]
        }

    def describe(self, wish: Json) -> Json:
        found = list[Json]()
        for id in wish["jobs"]:
            array = self.arrays.get(id.partition(":")[0])
            if array and array.id == id:
                found.append(self._described(array))
            elif array:
                found += [self._child(array, child) for child in array.children if child.id == id]
        return {"jobs": found}

    def tick(self) -> None:
        """Starts every child that waits, unless a test has said why it cannot start."""
        for array in self.arrays.values():
            for child in array.children:
                if child.status == "RUNNABLE" and not child.reason:
                    child.status = "RUNNING"

    def order(self, wish: Json) -> None:
        """Changes a job: `status`, `reason`, `stream` of the log; or an attempt ends: `exit` code, `status_reason`."""
        array = self.arrays[wish["job"].partition(":")[0]]
        child = next(each for each in array.children if each.id == wish["job"])
        child.status, child.reason = wish.get("status", child.status), wish.get("reason", child.reason)
        child.stream = wish.get("stream", child.stream)
        if "exit" in wish or "status_reason" in wish:
            self._end_attempt(array, child, wish.get("exit"), wish.get("status_reason", ""))

    def _end_attempt(self, array: Array, child: Child, code: int | None, why: str) -> None:
        container = {"logStreamName": child.stream, "reason": ""} | ({} if code is None else {"exitCode": code})
        child.attempts.append({"container": container, "statusReason": why})
        child.stream = ""
        if code == 0:
            child.status = "SUCCEEDED"
            return
        strategy = array.definition["retryStrategy"]
        is_retried = len(child.attempts) < strategy["attempts"] and decision(strategy, code, why) == "RETRY"
        child.status, child.reason = (
            ("RUNNABLE", "") if is_retried else ("FAILED", why or "Essential container in task exited")
        )

    def _described(self, array: Array) -> Json:
        counts = {status: sum(child.status == status for child in array.children) for status in STATUSES}
        found = self._child(array, array.children[0]) | {"jobId": array.id, "status": array.status}
        if array.is_array:
            size = {"size": len(array.children), "statusSummary": counts}
            found |= {"arrayProperties": size, "attempts": [], "container": {}, "statusReason": ""}
        return found

    def _child(self, array: Array, child: Child) -> Json:
        index = {} if child.index is None else {"arrayProperties": {"index": child.index}}
        container = {"logStreamName": child.stream} if child.stream else {}
        return {
            "jobId": child.id,
            "jobName": array.wish["jobName"],
            "jobQueue": array.wish["jobQueue"],
            "jobDefinition": array.wish["jobDefinition"],
            "status": child.status,
            "statusReason": child.reason,
            "createdAt": array.created,
            "startedAt": array.created,
            "attempts": child.attempts,
            "container": container,
            "tags": array.wish.get("tags", {}),
            **index,
        }


def decision(strategy: Json, code: int | None, why: str) -> str:
    """What Batch does when an attempt has ended: the first rule that matches decides; where none does, it retries."""
    for rule in strategy.get("evaluateOnExit", []):
        found = {"onExitCode": "" if code is None else str(code), "onStatusReason": why, "onReason": ""}
        if all(fnmatch.fnmatch(found[name], pattern) for name, pattern in rule.items() if name != "action"):
            return str(rule["action"]).upper()
    return "RETRY"
