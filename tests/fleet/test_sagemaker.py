"""SageMaker Processing as a way to run workers, as a user sees it: plan, doctor, launch, status, logs, ls, down."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from pdfbatch.aws.errors import translate_refusal
from pdfbatch.errors import NotReady, UsageError
from pdfbatch.fleet import pricing
from pdfbatch.fleet.launch import launch
from pdfbatch.fleet.sagemaker.errors import explained
from pdfbatch.fleet.sagemaker.facts import quotas
from pdfbatch.fleet.sagemaker.jobs import instances_in_use
from pdfbatch.fleet.sagemaker.making import ordered_request
from pdfbatch.fleet.sagemaker.request import EXECUTION_ID
from pdfbatch.fleet.sagemaker.way import check_options, host_streams
from pdfbatch.fleet.values import LaunchRequest
from pdfbatch.records import DoneMark, RunKeys
from pdfbatch.runs import manifest
from pdfbatch.views.fleet import launch_question, plan_screen
from tests.fleet.conftest import REGION, TRUST, Account
from tests.fleet.launching import DOCUMENTS as BENCH_DOCUMENTS
from tests.fleet.launching import Bench, clients_of
from tests.fleet.places import DOCUMENTS, Places
from tests.fleet.test_pool_launch import text_of
from tests.program import Ended, Program
from tests.sagemaker.test_processing_request import faults_of

TYPE = "ml.g4dn.xlarge"
ON = ["--on", "sagemaker"]


def make_ready(account: Account, instances: int = 8) -> None:
    """What `setup --sagemaker` creates, and a quota."""
    name = account.names.processing_role(REGION)
    account.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    account.order("job_quota", {"type": TYPE, "value": instances, "default": 0})


@pytest.fixture
def there(places: Places) -> Places:
    make_ready(places.account)
    return places


@pytest.fixture
def bench(account: Account) -> Bench:
    found = Bench(account)
    make_ready(account)
    return found


def request_of(account: Account) -> dict[str, Any]:
    (call,) = account.calls("CreateProcessingJob")
    found: dict[str, Any] = call["parameters"]
    return found


def one_line(ended: Ended) -> str:
    return " ".join((ended.stdout + ended.stderr).split())


def job_of(places: Places) -> str:
    return places.account.names.processing_job(manifest.current(places.store) or "")


def end_job(places: Places, status: str, why: str = "", message: str = "") -> None:
    places.account.order(
        "processing_job", {"region": REGION, "name": job_of(places), "status": status, "why": why, "message": message}
    )


def test_the_plan_says_price_and_quota_and_that_there_is_no_spot(bench: Bench) -> None:
    plan = bench.decide(LaunchRequest(way="sagemaker", workers=3)).plan
    text = text_of(plan_screen(plan, True))
    assert "3 × ml.g4dn.xlarge (T4) on-demand, one SageMaker Processing job (there is no Spot for processing)" in text
    assert "Quota: 3 instances needed, 0 in use, 8 allowed" in text
    assert "$0.736 per instance-hour; SageMaker has no Spot for processing" in text
    assert launch_question(plan).startswith("Start a SageMaker job of 3 on-demand instances, at most $")
    assert (plan.price.low, plan.worst_cost) == (0.7364, pytest.approx(3 * 0.7364 * plan.max_hours))
    assert not bench.account.calls("CreateProcessingJob")


@pytest.mark.slow
def test_from_launch_to_down(there: Places, pdfbatch: Program) -> None:
    launched = pdfbatch(*there.launch, *ON)
    assert launched.returncode == 0, launched.stderr
    request = request_of(there.account)
    assert faults_of(request) == ""
    assert request["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == DOCUMENTS
    assert request["RoleArn"].endswith("role/pdfbatch-us-east-1-ml-jobs")
    assert request["Environment"]["PDFBATCH_RUN"] == manifest.current(there.store)
    assert not {"WORKER_ID", "PDFBATCH_DEADLINE"} & request["Environment"].keys(), "each host finds its own"
    assert there.account.calls("CreateFleet") == []
    assert instances_in_use(clients_of(there.account.endpoint)) == {TYPE: DOCUMENTS}

    listed = json.loads(pdfbatch("ls", "--json").stdout)["runs"]
    assert [(run["output"], run["jobs"]) for run in listed] == [(there.output, 1)]
    status = json.loads(pdfbatch("status", there.output, "--json").stdout)
    assert (status["state"], status["documents"]["total"]) == ("waiting", DOCUMENTS)
    again = pdfbatch(*there.launch, *ON)
    assert again.returncode == 1 and "still running" in again.stderr

    ended = pdfbatch("down", there.output, "--yes")
    assert ended.returncode == 0 and "1 job" in ended.stdout, ended.stderr
    assert [call["parameters"]["ProcessingJobName"] for call in there.account.calls("StopProcessingJob")] == [
        request["ProcessingJobName"]
    ]
    assert json.loads(pdfbatch("status", there.output, "--json").stdout)["state"] == "ended"
    assert "Already down" in pdfbatch("down", there.output, "--yes").stdout


@pytest.mark.slow
def test_setup_is_not_deleted_under_a_running_job(account: Account, pdfbatch: Program) -> None:
    bucket = account.bucket()
    places = ["--input", f"s3://{bucket}/in/", "--output", f"s3://{bucket}/out/"]
    assert pdfbatch("setup", *places, "--sagemaker", "--yes").returncode == 0
    account.order("job_quota", {"type": TYPE, "value": 8, "default": 0})
    sagemaker = account.client("sagemaker")
    cluster = {"InstanceCount": 1, "InstanceType": TYPE, "VolumeSizeInGB": 30}
    sagemaker.create_processing_job(
        ProcessingJobName="pdfbatch-r1",
        ProcessingResources={"ClusterConfig": cluster},
        AppSpecification={"ImageUri": "i"},
        RoleArn=account.client("iam").get_role(RoleName=account.names.processing_role(REGION))["Role"]["Arn"],
        Tags=[{"Key": "pdfbatch:stack", "Value": "pdfbatch"}, {"Key": "pdfbatch:run", "Value": "r1"}],
    )
    refused = pdfbatch("setup", "--delete", "--yes")
    assert refused.returncode == 4 and "still run: pdfbatch-r1" in refused.stderr, refused.stderr
    sagemaker.stop_processing_job(ProcessingJobName="pdfbatch-r1")
    account.order(
        "processing_job", {"region": REGION, "name": "pdfbatch-r1", "status": "Stopped", "why": "", "message": ""}
    )
    assert pdfbatch("setup", "--delete", "--yes").returncode == 0


def test_logs_are_those_of_the_hosts(there: Places, pdfbatch: Program) -> None:
    pdfbatch(*there.launch, *ON)
    early = pdfbatch("logs", there.output)
    assert early.returncode == 0 and "logged anything yet" in early.stderr, (
        "SageMaker makes the group with the first line"
    )
    logs, group, job = there.account.client("logs"), "/aws/sagemaker/ProcessingJobs", job_of(there)
    logs.create_log_group(logGroupName=group)
    for host in ("algo-1", "algo-2"):
        stream = f"{job}/{host}-1764295200"
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        event = {"timestamp": int(time.time() * 1000), "message": f"{host} says hello"}
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])
    every, one = pdfbatch("logs", there.output), pdfbatch("logs", there.output, "1")
    assert every.returncode == one.returncode == 0, every.stderr
    assert every.stdout.count("hello") == 2 and "worker-0" in every.stdout
    assert "algo-2 says hello" in one.stdout and one.stdout.count("hello") == 1


def test_only_streams_of_the_job_and_the_host_count() -> None:
    named = host_streams("job", 1, 12).named
    assert named("job/algo-10-1764295200") == ("worker-1", "algo-10"), "alphabetical, as the slices are"
    assert named("job/algo-1-1764295200") is None and named("job0/algo-10-1") is None
    assert host_streams("job", None, 2).named("job/other-1") is None


@pytest.mark.slow
def test_a_job_that_failed_or_was_cut_off_is_resumed_by_launching_again(there: Places, pdfbatch: Program) -> None:
    pdfbatch(*there.launch, *ON)
    end_job(there, "Failed", "ClientError: Cannot pull the image.", "algo-2: no disk\n")
    status = pdfbatch("status", there.output)
    assert "Failed (ClientError: Cannot pull the image. algo-2: no disk); launch again to resume" in one_line(status)
    assert pdfbatch(*there.launch, *ON).returncode == 0
    second = manifest.current(there.store) or ""
    mark = DoneMark(worker=0, why="done", at="2026-11-25T12:00:00Z")
    there.store.put(RunKeys(second).done_mark(0), mark.model_dump_json().encode())
    end_job(there, "Stopped")  # by MaxRuntimeInSeconds: no reason, and no mark of the other hosts
    assert pdfbatch(*there.launch, *ON).returncode == 0
    third = manifest.current(there.store) or ""
    assert third > second and manifest.load(there.store, third).documents == DOCUMENTS


def test_an_account_that_may_have_no_instance_is_told_how_to_ask(places: Places, pdfbatch: Program) -> None:
    make_ready(places.account, 0)
    refused = pdfbatch(*places.launch, *ON)
    assert refused.returncode == 4
    text = one_line(refused)
    assert "ml.g4dn.xlarge for processing job usage: 0 instances, 0 in use, 5 needed: no room" in text
    assert "aws service-quotas request-service-quota-increase --service-code sagemaker --quota-code L-" in text
    assert "--desired-value 5 --region us-east-1" in text


def test_a_quota_that_was_never_changed_is_found_among_the_defaults(account: Account) -> None:
    for kind, quota in ((TYPE, {"default": 2}), ("ml.g5.xlarge", {"value": 3, "default": 0})):
        account.order("job_quota", {"type": kind, **quota})
    found = quotas(clients_of(account.endpoint), [TYPE, "ml.g5.xlarge", "ml.p5.4xlarge"])
    assert {kind: quota.limit for kind, quota in found.items()} == {TYPE: 2, "ml.g5.xlarge": 3}
    assert all(pricing.room(quota, 48) == quota.limit for quota in found.values()), "instances, not vCPUs"


def test_doctor_knows_what_a_job_needs(places: Places, pdfbatch: Program) -> None:
    ended = pdfbatch("doctor", *ON, "--input", places.input, "--output", places.output, "--json")
    found = {check["name"]: check for check in json.loads(ended.stdout)["checks"]}
    assert ended.returncode == 4
    assert found["SageMaker role"]["state"] == found["SageMaker quota"]["state"] == "missing"
    assert "pdfbatch setup --sagemaker --input" in found["SageMaker role"]["hint"]
    assert found["SageMaker price"]["found"] == "ml.g4dn.xlarge $0.736/h; SageMaker has no Spot for processing"
    assert "AMI" not in found and "service-linked roles" not in found


def test_doctor_ends_with_the_launch_that_it_checked(there: Places, pdfbatch: Program) -> None:
    ended = pdfbatch("doctor", *ON, "--input", there.input, "--output", there.output)
    last = f"ready:   pdfbatch launch {there.input} {there.output} --on sagemaker"
    assert ended.returncode == 0 and ended.stdout.endswith(f"{last}\n"), ended.stdout
    planned = pdfbatch("plan", there.input, there.output, *ON, "--workers", "1")
    assert "Quota: 1 instance needed, 0 in use" in planned.stdout, planned.stderr


def test_an_image_elsewhere_is_refused_before_the_launch(bench: Bench) -> None:
    for image, said in (
        ("docker.io/papers/pdfbatch:1", "is not in ECR"),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/pdfbatch:1", "is in eu-west-1"),
    ):
        with pytest.raises(NotReady, match=said) as error:
            bench.decide(LaunchRequest(way="sagemaker", image=image))
        assert "ush it to ECR" in error.value.hint


REFUSALS = [
    (
        "ResourceLimitExceeded",
        "The account-level service limit 'ml.g4dn.xlarge for processing job usage' is 1 Instances",
        "request-service-quota-increase --service-code sagemaker",
    ),
    ("ValidationException", "Could not assume role arn:aws:iam::1:role/x.", "pdfbatch setup --sagemaker"),
    ("ValidationException", "The ECR image does not exist.", "make image push"),
    ("ValidationException", "The subnet ID 'subnet-1' does not exist", "--subnet"),
    ("ValidationException", "The KMS key is in another region", "--ebs-key"),
    ("ValidationException", "1 validation error detected", "--dry-run --json"),
    ("ResourceInUse", "Job name must be unique within an AWS account and region", "a new run has a new name"),
    ("AccessDeniedException", "not authorized to perform: sagemaker:CreateProcessingJob", "doctor --policy"),
]


def test_a_refusal_says_what_to_do_and_leaves_nothing(bench: Bench) -> None:
    decided = bench.decide(LaunchRequest(way="sagemaker", workers=2))
    for code, message, hint in REFUSALS:
        refused = translate_refusal(code, message, "CreateProcessingJob", "create the processing job")
        assert hint in explained(refused, decided.plan).hint, code
    fault = {"action": "CreateProcessingJob", "code": "ResourceLimitExceeded", "message": "no", "status": 400}
    bench.account.order("faults", [fault])
    with pytest.raises(NotReady, match=r"ml\.g4dn\.xlarge for processing job usage"):
        launch(decided, bench.outside())
    assert manifest.current(bench.output) is None and bench.left().is_nothing


def test_an_answer_that_was_lost_does_not_make_two_jobs_or_an_error(bench: Bench) -> None:
    lost = {"action": "CreateProcessingJob", "code": "ServiceUnavailable", "status": 503, "lose": True}
    bench.account.order("faults", [lost])
    launched = bench.launch(LaunchRequest(way="sagemaker", workers=2))
    errors = [call["error"] for call in bench.account.calls("CreateProcessingJob")]
    assert errors == ["ServiceUnavailable", "ResourceInUse"], "the first had been carried out"
    assert set(launched.fleets.values()) == {bench.account.names.processing_job(launched.run)}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (LaunchRequest(is_pool=True), "--pool"),
        (LaunchRequest(max_price=1.0), "--max-price"),
        (LaunchRequest(ami="ami-1"), "--ami"),
        (LaunchRequest(max_hours=300), "--max-hours 216"),
        (LaunchRequest(workers=101), "--workers 100"),
        (LaunchRequest(security_groups=["sg-1"]), "--subnet"),
        (LaunchRequest(output_key="alias/x"), "--network-isolation"),
        (LaunchRequest(isolated=True, engine="endpoint"), "--engine endpoint"),
        (LaunchRequest(isolated=True, engine="cpu", password_secret="arn"), "--password-secret"),
        (LaunchRequest(isolated=True), "--model /model"),
        (LaunchRequest(isolated=True, engine="auto", model="Some/Model"), "--model /model"),
    ],
)
def test_what_a_job_cannot_do_is_said_at_once(wrong: LaunchRequest, named: str) -> None:
    with pytest.raises(UsageError) as error:
        check_options(wrong)
    assert named in f"{error.value.message} {error.value.hint}"


def test_without_network_a_job_can_use_what_is_in_the_image() -> None:
    check_options(LaunchRequest(isolated=True, model="/model"))
    check_options(LaunchRequest(isolated=True, instance_types=["ml.m5.large"]))


def test_a_job_in_a_vpc_without_network_with_preferences(bench: Bench) -> None:
    bench.account.order("job_quota", {"type": "ml.g5.xlarge", "value": 8})
    subnet = bench.account.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    wanted = LaunchRequest(
        way="sagemaker",
        workers=2,
        instance_types=["g4dn.xlarge", "ml.g5.xlarge"],
        subnets=[subnet],
        security_groups=["sg-0123456789abcdef0"],
        isolated=True,
        output_key="alias/papers",
    )
    run = bench.launch(wanted).run
    request = request_of(bench.account)
    assert faults_of(request) == ""
    assert request["NetworkConfig"] == {
        "EnableNetworkIsolation": True,
        "VpcConfig": {"SecurityGroupIds": ["sg-0123456789abcdef0"], "Subnets": [subnet]},
    }
    preferences = request["ProcessingResources"]["ClusterConfig"]["InstancePreferences"]
    assert preferences == [{"InstanceType": TYPE}, {"InstanceType": "ml.g5.xlarge"}]
    assert request["ProcessingOutputConfig"]["KmsKeyId"] == "alias/papers"
    assert "PDFBATCH_TOPIC" not in request["Environment"], "nobody could publish to it"
    keys = json.loads(bench.output.get(RunKeys(run).prefix + "inputs.manifest"))
    assert keys == [{"prefix": bench.source.url}, *(f"{number:03}.pdf" for number in range(BENCH_DOCUMENTS))]


def test_a_scheduled_job_has_the_same_request_but_no_run(bench: Bench) -> None:
    decided = bench.decide(LaunchRequest(way="sagemaker", workers=2))
    request = ordered_request(decided, {}, f"pdfbatch-nightly-{EXECUTION_ID}", "nightly")
    assert faults_of({**request, "ProcessingJobName": "pdfbatch-nightly-d32c5kddcf5bb8c3"}) == ""
    assert request["Environment"]["PDFBATCH_ORDER"] == "nightly" and "PDFBATCH_RUN" not in request["Environment"]
    assert "S3_OUTPUT_BUCKET" in request["Environment"]
