"""Schedules: rendered, checked against botocore's models, and executed by making the call that Scheduler would make."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from rich.console import Console

from pdfbatch.errors import UsageError
from pdfbatch.fleet.batch.policy import batch_launcher_policy
from pdfbatch.fleet.names import TAG_STACK, Names
from pdfbatch.fleet.policies import MANAGED_POLICY_CHARACTERS, Policy, launcher_policy
from pdfbatch.fleet.sagemaker.policy import launcher_policy as launcher_policy_of_sagemaker
from pdfbatch.fleet.schedules.requests import (
    EXECUTION_ID,
    Timing,
    checked_name,
    expression_of,
    in_pascal_case,
    schedule_request,
)
from pdfbatch.fleet.schedules.scheduling import Schedule
from pdfbatch.fleet.schedules.stack import launcher_statements, schedule_resources, start_policy, trust
from pdfbatch.fleet.template import SetupWish, template
from pdfbatch.records.order import order_key
from pdfbatch.runs import ledger, manifest
from pdfbatch.runs.verify import verify
from pdfbatch.store import Store, open_store
from pdfbatch.views.schedules import scheduled_screen
from samples import odd
from tests.fleet.batch_bench import set_up_batch
from tests.fleet.conftest import REGION, Account
from tests.fleet.places import DOCUMENTS, Places
from tests.fleet.policy_evaluation import allows
from tests.fleet.test_sagemaker import make_ready
from tests.program import Program
from tests.sagemaker import opt_ml

NUMBER, NAMES = "123456789012", Names()
CALLS = {
    "batch:submitJob": ("batch", "SubmitJob"),
    "sagemaker:createProcessingJob": ("sagemaker", "CreateProcessingJob"),
}


@cache
def shape_of(service: str, operation: str) -> Any:
    return (
        ServiceModel(Loader().load_service_model(service, "service-2"), service).operation_model(operation).input_shape
    )


def as_the_api_has_it(shape: Any, value: Any) -> Any:
    """A universal target's input with the API's own names; fails for a member that the API does not have, or that is
    not in PascalCase."""
    if shape.type_name == "structure":
        found = {}
        for name, each in value.items():
            assert name[0].isupper(), f"{name} is not in PascalCase"
            (member,) = (known for known in shape.members if known[0].upper() + known[1:] == name)
            found[member] = as_the_api_has_it(shape.members[member], each)
        return found
    if shape.type_name == "list":
        return [as_the_api_has_it(shape.member, each) for each in value]
    return value


def faults(service: str, operation: str, request: dict[str, Any]) -> str:
    return str(ParamValidator().validate(request, shape_of(service, operation)).generate_report())


class Scheduler:
    """EventBridge Scheduler as a test needs it: it makes a schedule's call, when the test says so."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.executions = 0

    def call_of(self, name: str) -> tuple[str, dict[str, Any]]:
        found = self.account.client("scheduler").get_schedule(GroupName=NAMES.schedule_group, Name=name)
        target, self.executions = found["Target"], self.executions + 1
        service, operation = CALLS[target["Arn"].partition(":aws-sdk:")[2]]
        sent = target["Input"].replace(EXECUTION_ID, f"d32c5kddcf5bb8c{self.executions:x}")
        assert "<aws." not in sent
        return service, as_the_api_has_it(shape_of(service, operation), json.loads(sent))

    def execute(self, name: str) -> dict[str, Any]:
        """Makes the call; returns its request."""
        service, request = self.call_of(name)
        client = self.account.client(service)
        answer = (client.submit_job if service == "batch" else client.create_processing_job)(**request)
        return {**request, "answer": answer}


@pytest.fixture
def scheduler(account: Account) -> Scheduler:
    account.client("scheduler").create_schedule_group(Name=NAMES.schedule_group)
    return Scheduler(account)


def markdown(store: Store) -> set[str]:
    return {entry.key for entry in store.list() if entry.key.endswith(".md")}


def keys_read(store: Store, run: str) -> list[str]:
    found = ledger.outcomes(store, ledger.segments(store, f".pdfbatch/{run}/ledger/"))
    return sorted(line.key for _, line in found)


# ── executed ─────────────────────────────────────────────────────────────────────────────────────────────────────


def scheduled(places: Places, pdfbatch: Program, *words: str) -> dict[str, Any]:
    engine = ["--engine", "null", "--cron", "0 3 * * ? *", "--yes", "--json"]
    made = pdfbatch("schedule", places.input, places.output, *engine, *words)
    assert made.returncode == 0, made.stderr
    found: dict[str, Any] = json.loads(made.stdout)
    return found


@pytest.mark.slow
def test_each_job_on_batch_converts_what_is_new_or_changed(
    places: Places, scheduler: Scheduler, pdfbatch: Program
) -> None:
    set_up_batch(places.account)
    made = scheduled(places, pdfbatch, "--workers", "1", "--timezone", "Europe/Berlin")
    assert (made["name"], made["expression"], made["way"]) == ("nightly", "cron(0 3 * * ? *)", "batch")
    source, runs = open_store(places.input), list[str]()

    def execute() -> str:
        job = scheduler.execute("nightly")
        described = places.account.client("batch").describe_job_definitions(jobDefinitions=[job["jobDefinition"]])
        (definition,) = described["jobDefinitions"]
        values = {each["name"]: each["value"] for each in definition["containerProperties"]["environment"]}
        of_batch = {"AWS_BATCH_JOB_ID": job["answer"]["jobId"], "AWS_BATCH_JOB_ATTEMPT": "1"}
        ended = pdfbatch(*definition["containerProperties"]["command"], **values, **of_batch)
        assert ended.returncode == 0, ended.stderr
        runs.append(manifest.current(places.store) or "")
        return ended.stderr

    execute()
    assert len(keys_read(places.store, runs[0])) == DOCUMENTS == len(markdown(places.store))
    assert "nothing is left to do" in execute() and runs[1] == runs[0]
    source.put("new.pdf", odd.text_page())
    source.put("0.pdf", odd.text_page() + b"%changed")
    execute()
    assert keys_read(places.store, runs[2]) == ["0.pdf", "new.pdf"]
    assert verify(places.store).sound
    record = manifest.load_fleet(places.store, runs[2])
    assert record is not None and (record.order, record.way) == ("nightly", "batch") and record.job
    assert json.loads(pdfbatch("status", places.output, "--json").stdout)["state"] == "done"


@pytest.mark.slow
def test_each_job_on_sagemaker_has_a_name_of_its_own(
    places: Places, scheduler: Scheduler, pdfbatch: Program, tmp_path: Any
) -> None:
    make_ready(places.account)
    scheduled(places, pdfbatch, "--on", "sagemaker", "--name", "daily", "--workers", "1")
    requests = [scheduler.execute("daily") for _ in range(2)]
    names = [each["ProcessingJobName"] for each in requests]
    assert names == ["pdfbatch-daily-d32c5kddcf5bb8c1", "pdfbatch-daily-d32c5kddcf5bb8c2"]
    request = {name: value for name, value in requests[0].items() if name != "answer"}
    assert faults("sagemaker", "CreateProcessingJob", request) == ""
    tree = opt_ml.make(tmp_path, request)
    ended = pdfbatch("processing-job", PDFBATCH_OPT_ML=str(tree), **request["Environment"])
    assert ended.returncode == 0, ended.stderr
    assert len(markdown(places.store)) == DOCUMENTS
    record = manifest.load_fleet(places.store, manifest.current(places.store) or "")
    assert record is not None and (record.job, record.order) == (names[0], "daily")


def test_what_is_shown_names_the_service_and_the_stack() -> None:
    made = Schedule(
        name="nightly", expression="cron(0 3 * * ? *)", way="batch", input="s3://b/in/", output="s3://b/out/"
    )
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(scheduled_screen(made, "other"))
    shown = console.export_text()
    assert "Each time a job of AWS Batch converts" in shown
    assert "pdfbatch schedule delete nightly --stack other\n" in shown


def test_schedules_are_listed_replaced_and_deleted(places: Places, scheduler: Scheduler, pdfbatch: Program) -> None:
    set_up_batch(places.account)
    batch = places.account.client("batch")
    assert json.loads(pdfbatch("schedule", "list", "--json").stdout) == {"schedules": []}
    scheduled(places, pdfbatch)
    scheduled(places, pdfbatch, "--retries", "2", "--window", "30")
    (listed,) = json.loads(pdfbatch("schedule", "list", "--json").stdout)["schedules"]
    assert (listed["input"], listed["output"], listed["state"]) == (places.input, places.output, "ENABLED")
    found = places.account.client("scheduler").get_schedule(GroupName="pdfbatch", Name="nightly")
    assert found["FlexibleTimeWindow"] == {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 30}
    assert found["Target"]["RetryPolicy"]["MaximumRetryAttempts"] == 2
    assert found["Target"]["DeadLetterConfig"]["Arn"].endswith(":pdfbatch-schedules-dead")
    assert len(batch.describe_job_definitions(status="ACTIVE")["jobDefinitions"]) == 1, "the older one is gone"
    assert pdfbatch("down", places.output, "--yes").returncode == 1, "nothing runs"
    assert len(batch.describe_job_definitions(status="ACTIVE")["jobDefinitions"]) == 1, "down leaves a schedule alone"

    text = pdfbatch("schedule", "list").stdout
    assert "nightly" in text and places.output in text
    assert pdfbatch("schedule", "delete", "weekly", "--yes").returncode == 1
    assert pdfbatch("schedule", "delete", "nightly", "--yes").returncode == 0
    assert "No schedules" in pdfbatch("schedule", "list").stdout
    assert batch.describe_job_definitions(status="ACTIVE")["jobDefinitions"] == []
    assert places.store.head(order_key("nightly")) is None


def test_what_a_schedule_cannot_do_is_said(places: Places, pdfbatch: Program) -> None:
    set_up_batch(places.account)
    words = ["schedule", places.input, places.output, "--engine", "null", "--yes"]
    refused = pdfbatch(*words, "--cron", "0 3 * * ? *", "--on", "spot")
    assert refused.returncode == 2 and "--on batch" in refused.stderr
    refused = pdfbatch(*words, "--cron", "0 3 * * *")
    assert refused.returncode == 2 and "'0 3 * * ? *'" in refused.stderr
    assert pdfbatch(*words).returncode == 2
    refused = pdfbatch(*words, "--cron", "0 3 * * ? *")
    assert refused.returncode == 4 and "setup --schedules" in refused.stderr


# ── rendered ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("0 3 * * ? *", "cron(0 3 * * ? *)"),
        ("cron(0 3 ? * MON-FRI *)", "cron(0 3 ? * MON-FRI *)"),
        ("rate(12 hours)", "rate(12 hours)"),
    ],
)
def test_a_schedule_is_written_as_scheduler_has_it(given: str, expected: str) -> None:
    assert expression_of(given) == expected


@pytest.mark.parametrize("given", ["0 3 * * *", "0 3 * * * *", "0 3 ? * ? *", "rate(often)", "daily", ""])
def test_other_expressions_are_refused(given: str) -> None:
    with pytest.raises(UsageError):
        expression_of(given)


@pytest.mark.parametrize("name", ["", "Nightly", "a--b", "a-", "x" * 21, "list of"])
def test_a_schedules_name_becomes_part_of_a_jobs_name(name: str) -> None:
    with pytest.raises(UsageError):
        checked_name(name)


def test_members_are_in_pascal_case_and_keys_of_maps_stay() -> None:
    call = {
        "jobName": "a",
        "tags": {"pdfbatch:run": "r"},
        "containerOverrides": {"environment": [{"name": "a", "value": "b"}]},
    }
    assert in_pascal_case(call) == {
        "JobName": "a",
        "Tags": {"pdfbatch:run": "r"},
        "ContainerOverrides": {"Environment": [{"Name": "a", "Value": "b"}]},
    }
    assert in_pascal_case({"Environment": {"lower": "x"}}) == {"Environment": {"lower": "x"}}


def test_a_schedule_is_as_botocore_has_it() -> None:
    timing = Timing("rate(1 day)", "UTC", 15, 1)
    request = schedule_request(NAMES, REGION, NUMBER, "nightly", "batch", timing, {"jobName": "a"}, "d" * 600)
    assert faults("scheduler", "CreateSchedule", request) == faults("scheduler", "UpdateSchedule", request) == ""
    assert request["Target"]["Arn"] == "arn:aws:scheduler:::aws-sdk:batch:submitJob"
    assert json.loads(request["Target"]["Input"]) == {"JobName": "a"}
    with pytest.raises(UsageError):
        schedule_request(NAMES, REGION, NUMBER, "n", "batch", timing, {"jobName": "a" * 300_000}, "")


# ── the stack ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_only_schedules_of_the_stack_in_this_account_may_use_the_role() -> None:
    (statement,) = trust(NAMES, REGION, NUMBER)["Statement"]
    here = f"arn:aws:scheduler:{REGION}:{NUMBER}"
    assert statement["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": NUMBER},
        "ArnLike": {"aws:SourceArn": [f"{here}:schedule-group/pdfbatch", f"{here}:schedule/pdfbatch/*"]},
    }


def test_the_role_starts_jobs_of_the_stack_and_nothing_else() -> None:
    policy = start_policy(NAMES, REGION, NUMBER, on_batch=True, on_sagemaker=True)
    ours, batch = {f"aws:RequestTag/{TAG_STACK}": "pdfbatch"}, f"arn:aws:batch:{REGION}:{NUMBER}"
    job = f"arn:aws:sagemaker:{REGION}:{NUMBER}:processing-job/pdfbatch-daily-1"
    assert allows(policy, "batch:SubmitJob", f"{batch}:job-queue/pdfbatch", ours)
    assert allows(policy, "batch:SubmitJob", f"{batch}:job-definition/pdfbatch_nightly:3", ours)
    assert not allows(policy, "batch:SubmitJob", f"{batch}:job-queue/theirs", ours)
    assert not allows(policy, "batch:SubmitJob", f"{batch}:job-queue/pdfbatch", {})
    assert allows(policy, "sagemaker:CreateProcessingJob", job, ours)
    assert not allows(policy, "sagemaker:CreateProcessingJob", job.replace("pdfbatch-", "theirs-"), ours)
    role = f"arn:aws:iam::{NUMBER}:role/{NAMES.processing_role(REGION)}"
    assert allows(policy, "iam:PassRole", role, {"iam:PassedToService": "sagemaker.amazonaws.com"})
    assert not allows(policy, "iam:PassRole", role, {"iam:PassedToService": "ec2.amazonaws.com"})
    assert not allows(
        start_policy(NAMES, REGION, NUMBER, on_batch=False, on_sagemaker=True), "batch:SubmitJob", batch, ours
    )


@pytest.mark.parametrize("of_way", [batch_launcher_policy, launcher_policy_of_sagemaker])
def test_whoever_makes_schedules_needs_one_policy_that_iam_accepts(of_way: Callable[..., Policy]) -> None:
    base = launcher_policy(REGION, NUMBER, NAMES, ["s3://docs/in/"], ["s3://docs/out/"])
    policy = of_way(base, REGION, NUMBER, NAMES)
    whole = {**policy, "Statement": [*policy["Statement"], *launcher_statements(REGION, NUMBER, NAMES)]}
    sids = [statement["Sid"] for statement in whole["Statement"]]
    assert len(set(sids)) == len(sids)
    assert len(json.dumps(whole, separators=(",", ":"))) <= MANAGED_POLICY_CHARACTERS
    schedule = f"arn:aws:scheduler:{REGION}:{NUMBER}:schedule/pdfbatch/nightly"
    assert allows(whole, "scheduler:CreateSchedule", schedule)
    assert not allows(whole, "scheduler:CreateSchedule", schedule.replace("/pdfbatch/", "/default/"))


def test_setup_makes_alarms_that_mail_whoever_has_subscribed() -> None:
    wish = SetupWish(
        NAMES,
        ("s3://docs/in/",),
        ("s3://docs/out/",),
        email="you@example.org",
        batch_types=("g4dn.xlarge",),
        schedules=25,
    )
    resources = template(wish, REGION, NUMBER)["Resources"]
    alarms = {name: each["Properties"] for name, each in resources.items() if each["Type"] == "AWS::CloudWatch::Alarm"}
    assert all(each["AlarmActions"] == [{"Ref": "Topic"}] for each in alarms.values())
    nothing = alarms["NothingRanAlarm"]
    assert (nothing["TreatMissingData"], nothing["EvaluationPeriods"], nothing["Period"]) == ("breaching", 25, 3600)
    assert nothing["Period"] * nothing["EvaluationPeriods"] <= 7 * 86_400
    principals = [each["Principal"] for each in resources["TopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]]
    assert {"Service": "cloudwatch.amazonaws.com"} in principals
    assert {"Fn::GetAtt": ["BatchRule", "Arn"]} in resources["TopicPolicy"]["Properties"]["PolicyDocument"][
        "Statement"
    ][1]["Condition"]["ArnEquals"]["aws:SourceArn"]
    assert resources["BatchRule"]["Properties"]["EventPattern"]["detail"]["status"] == ["FAILED"]
    for name, each in alarms.items():
        known = {key: value for key, value in each.items() if key != "Tags"}
        assert faults("cloudwatch", "PutMetricAlarm", {**known, "AlarmActions": ["arn"]}) == "", name
    without = template(wish._replace(schedules=0), REGION, NUMBER)["Resources"]
    assert "ScheduleRole" not in without and "BatchRule" not in without
    alone = schedule_resources(NAMES, REGION, NUMBER, on_batch=False, on_sagemaker=True, hours=1)
    assert alone["ScheduleGroup"]["Properties"]["Name"] == "pdfbatch" and "BatchRule" not in alone
