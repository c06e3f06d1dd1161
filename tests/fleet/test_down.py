"""`down` when EC2 answers in pages, late, or with fleets that expired long ago."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from pdfbatch.errors import ExitCode, PdfbatchError
from pdfbatch.fleet import ec2
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.down import end, list_resources, no_such_run
from pdfbatch.fleet.inventory import take
from pdfbatch.fleet.names import TAG_PLACE, TAG_RUN, TAG_STACK, TAG_WORKER
from pdfbatch.views.fleet import down_question, inventory_screen
from tests.test_views import text

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
Answer = dict[str, Any]


def tags(worker: int, run: str = "r1", place: str = "s3://papers/md/") -> list[dict[str, str]]:
    values = {TAG_STACK: "pdfbatch", TAG_RUN: run, TAG_PLACE: place, TAG_WORKER: str(worker)}
    return [{"Key": key, "Value": value} for key, value in values.items()]


class Ec2:
    """EC2 behind boto3's own client: its lists come in pages of 15 rows, as real accounts have seen."""

    PAGE = 15

    def __init__(self) -> None:
        self.fleets: list[Answer] = []
        self.instances: list[Answer] = []
        self.templates: list[Answer] = []
        self.history: list[Answer] = []
        self.lists_cut_short = 0
        """How many lists of templates end after their first page, without a token."""
        self.undeletable: set[str] = set()
        self.clients = Clients("us-east-1")
        client = boto3.client("ec2", region_name="us-east-1")
        self.clients.__dict__["ec2"] = client
        queues = boto3.client("sqs", region_name="us-east-1")
        queues.meta.events.register("before-call.sqs.ListQueues", self._with(lambda _: {"QueueUrls": []}))
        self.clients.__dict__["sqs"] = queues
        batch = boto3.client("batch", region_name="us-east-1")
        for action, answer in (("DescribeJobQueues", "jobQueues"), ("DescribeJobDefinitions", "jobDefinitions")):
            nothing: Answer = {answer: []}
            batch.meta.events.register(f"before-call.batch.{action}", self._with(lambda _, nothing=nothing: nothing))
        self.clients.__dict__["batch"] = batch
        jobs = boto3.client("sagemaker", region_name="us-east-1")
        none = self._with(lambda _: {"ProcessingJobSummaries": []})
        jobs.meta.events.register("before-call.sagemaker.ListProcessingJobs", none)
        self.clients.__dict__["sagemaker"] = jobs
        for action in ("DescribeFleets", "DescribeInstances", "DescribeLaunchTemplates", "DescribeFleetHistory"):
            client.meta.events.register(f"before-call.ec2.{action}", self._with(getattr(self, f"_{action}")))
        for action in ("DeleteFleets", "DeleteLaunchTemplate", "TerminateInstances"):
            client.meta.events.register(f"before-call.ec2.{action}", self._with(getattr(self, f"_{action}")))

    def _with(self, answer: Callable[[Answer], Answer]) -> Callable[..., tuple[SimpleNamespace, Answer]]:
        return lambda params, **_: (SimpleNamespace(status_code=200), answer(params["body"]))

    def add_run(self, workers: int, expires: datetime | None = None, run: str = "r1", state: str = "running") -> None:
        for worker in range(workers):
            own: Answer = {"Tags": tags(worker, run), "CreateTime": NOW - timedelta(hours=1)}
            fleet: Answer = {"FleetId": f"fleet-{run}-{worker}", "FleetState": "active"}
            self.fleets.append(fleet | own | {"ValidUntil": expires or NOW + timedelta(hours=1)})
            self.templates.append({"LaunchTemplateName": f"{run}-{worker}"} | own)
            if expires is None:
                self.instances.append({"InstanceId": f"i-{run}-{worker}", "State": {"Name": state}} | own)

    def _page(self, rows: list[Answer], body: Answer) -> tuple[list[Answer], Answer]:
        start = int(body.get("NextToken", 0))
        more = {"NextToken": str(start + self.PAGE)} if start + self.PAGE < len(rows) else {}
        return rows[start : start + self.PAGE], more

    def _DescribeFleets(self, body: Answer) -> Answer:
        rows, more = self._page(self.fleets, body)
        return {"Fleets": rows} | more

    def _DescribeInstances(self, body: Answer) -> Answer:
        rows, more = self._page(self.instances, body)
        return {"Reservations": [{"Instances": rows}]} | more

    def _DescribeLaunchTemplates(self, body: Answer) -> Answer:
        rows, more = self._page(self.templates, body)
        if more and self.lists_cut_short:
            self.lists_cut_short, more = self.lists_cut_short - 1, {}
        return {"LaunchTemplates": rows} | more

    def _DescribeFleetHistory(self, body: Answer) -> Answer:
        rows, more = self._page(self.history, body)
        return {"HistoryRecords": rows} | more

    def _DeleteFleets(self, body: Answer) -> Answer:
        ids = {value for key, value in body.items() if key.startswith("FleetId")}
        self.fleets = [each for each in self.fleets if each["FleetId"] not in ids]
        for each in self.instances:
            each["State"] = {"Name": "shutting-down"}
        return {}

    def _DeleteLaunchTemplate(self, body: Answer) -> Answer:
        gone = {body["LaunchTemplateName"]} - self.undeletable
        self.templates = [each for each in self.templates if each["LaunchTemplateName"] not in gone]
        return {}

    def _TerminateInstances(self, body: Answer) -> Answer:
        return {}


@pytest.fixture
def cloud() -> Ec2:
    return Ec2()


class Pauses:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, seconds: float) -> None:
        self.seconds += seconds


def test_all_of_25_launch_templates_in_pages_of_15_are_deleted(cloud: Ec2) -> None:
    cloud.add_run(25)
    ended = end(cloud.clients, lambda _: True, Pauses())
    assert cloud.templates == [] and cloud.fleets == []
    assert (ended.fleets, ended.instances, ended.templates) == (25, 25, 25)


def test_templates_missing_from_one_listing_are_found_by_the_next(cloud: Ec2) -> None:
    cloud.add_run(25, expires=NOW)
    cloud.lists_cut_short = 2
    assert end(cloud.clients, lambda _: True, Pauses()).templates == 25
    assert cloud.templates == []


def test_templates_that_stay_are_named(cloud: Ec2) -> None:
    cloud.add_run(3, expires=NOW)
    cloud.undeletable = {"r1-1"}
    pauses = Pauses()
    with pytest.raises(PdfbatchError, match=r"Some resources remain: .*r1-1"):
        end(cloud.clients, lambda _: True, pauses)
    assert 0 < pauses.seconds <= 120


def test_down_does_not_wait_for_instances_that_are_shutting_down(cloud: Ec2) -> None:
    cloud.add_run(2)
    pauses = Pauses()
    assert end(cloud.clients, lambda _: True, pauses).instances == 2
    assert pauses.seconds <= 10, "these instances never finish shutting down"


def test_an_expired_fleet_without_instances_is_over(cloud: Ec2) -> None:
    cloud.add_run(3, expires=NOW - timedelta(minutes=1))
    cloud.add_run(1, run="r2")
    assert {each.run for each in ec2.living(cloud.clients, NOW)} == {"r2"}
    runs = {run.run: run for run in take(cloud.clients, NOW).runs}
    assert (runs["r1"].fleets, runs["r1"].expired_fleets, runs["r1"].is_finished) == (0, 3, True)
    assert (runs["r2"].fleets, runs["r2"].instances, runs["r2"].is_finished) == (1, 1, False)
    assert end(cloud.clients, lambda found: found.run == "r1", Pauses()).fleets == 3, "it is deleted all the same"


def test_an_expired_fleet_with_an_instance_is_not_over(cloud: Ec2) -> None:
    cloud.add_run(1)
    cloud.fleets[0]["ValidUntil"] = NOW - timedelta(minutes=1)
    assert len(ec2.living(cloud.clients, NOW)) == 2


def test_for_a_wrong_output_the_error_says_what_still_runs(cloud: Ec2) -> None:
    cloud.add_run(5)
    cloud.add_run(2, run="r0", expires=NOW - timedelta(days=1))
    error = no_such_run(cloud.clients, "at s3://papers/mdd/", list_resources(cloud.clients), NOW)
    assert error.message == "No run at s3://papers/mdd/. STILL RUNNING: s3://papers/md/ (5 instances)."
    assert error.hint == "pdfbatch down s3://papers/md/" and error.exit_code == ExitCode.FAILED


def test_a_wrong_output_where_nothing_runs_is_an_error_too(cloud: Ec2) -> None:
    error = no_such_run(cloud.clients, "at s3://papers/mdd/", list_resources(cloud.clients), NOW)
    assert "No run at s3://papers/mdd/. pdfbatch runs nothing" in error.message and "us-east-1" in error.message


@pytest.mark.parametrize("kind", ["error", "service-error", "serviceError", "Error"])
def test_a_fleets_errors_are_found_on_any_page_in_any_spelling(cloud: Ec2, kind: str) -> None:
    change = {"EventType": "instance-change", "Timestamp": NOW, "EventInformation": {"EventSubType": "launched"}}
    information = {"EventSubType": "spotInstanceCountLimitExceeded", "EventDescription": "no room"}
    cloud.history = [change] * 20 + [{"EventType": kind, "Timestamp": NOW, "EventInformation": information}] + [change]
    assert ec2.trouble_of(cloud.clients, "fleet-1", NOW) == "spotInstanceCountLimitExceeded: no room"


@pytest.mark.parametrize("kind", ["information", "fleet-change", "fleetRequestChange", "instanceChange"])
def test_a_fleets_information_events_are_no_trouble(cloud: Ec2, kind: str) -> None:
    cloud.history = [{"EventType": kind, "Timestamp": NOW, "EventInformation": {"EventSubType": "submitted"}}]
    assert ec2.trouble_of(cloud.clients, "fleet-1", NOW) == ""


def test_ls_calls_a_finished_run_finished_and_only_instances_without_a_fleet_orphans(cloud: Ec2) -> None:
    cloud.add_run(2, run="done", expires=NOW)
    cloud.fleets = []
    cloud.add_run(1, run="lost")
    cloud.fleets = []
    screen = text(inventory_screen(take(cloud.clients, NOW)), 120)
    assert "done is finished; launch templates remain (free): pdfbatch down --run done" in screen
    assert "lost has instances without a fleet" in screen and "left over" not in screen


def test_down_asks_for_confirmation_of_what_it_will_do(cloud: Ec2) -> None:
    cloud.add_run(3)
    assert down_question(list_resources(cloud.clients)) == "Terminate 3 instances, delete 3 fleets?"
    cloud.fleets, cloud.instances = [], []
    assert down_question(list_resources(cloud.clients)) == "Delete 3 launch templates?"
