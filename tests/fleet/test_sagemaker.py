"""SageMaker Processing as a way to run workers, as a user sees it: plan, doctor, launch, status, logs, ls, down."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from pdfbatch.aws import translate_refusal
from pdfbatch.errors import NotReady, UsageError
from pdfbatch.fleet.launch import launch
from pdfbatch.fleet.sagemaker.errors import explained
from pdfbatch.fleet.sagemaker.way import check_options
from pdfbatch.fleet.values import LaunchRequest
from pdfbatch.records import DoneMark, RunKeys
from pdfbatch.runs import manifest
from tests.fleet.conftest import REGION, TRUST, Account
from tests.fleet.launching import Bench
from tests.fleet.places import DOCUMENTS, Places
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


def request_of(places: Places) -> dict[str, Any]:
    (call,) = places.account.calls("CreateProcessingJob")
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


def test_the_plan_says_price_and_quota_and_that_there_is_no_spot(there: Places, pdfbatch: Program) -> None:
    plan = pdfbatch("plan", *there.launch[1:-1], *ON)
    assert plan.returncode == 0, plan.stderr
    text = one_line(plan)
    assert "3 × ml.g4dn.xlarge (T4) on-demand, one SageMaker Processing job (there is no Spot for processing)" in text
    assert "Quota: 3 instances needed, 0 in use, 8 allowed" in text
    values = json.loads(pdfbatch("plan", *there.launch[1:-1], *ON, "--json").stdout)
    assert values["price"] == {"low": 0.7364, "high": 0.7364} and values["market"] == "on-demand"
    assert not there.account.calls("CreateProcessingJob")


def test_from_launch_to_down(there: Places, pdfbatch: Program) -> None:
    launched = pdfbatch(*there.launch, *ON)
    assert launched.returncode == 0, launched.stderr
    request = request_of(there)
    assert faults_of(request) == ""
    assert request["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == DOCUMENTS
    assert request["RoleArn"].endswith("role/pdfbatch-us-east-1-sagemaker")
    assert request["Environment"]["PDFBATCH_RUN"] == manifest.current(there.store)
    assert not {"WORKER_ID", "PDFBATCH_DEADLINE"} & request["Environment"].keys(), "each host finds its own"
    assert there.account.calls("CreateFleet") == []

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
    assert json.loads(pdfbatch("ls", "--json").stdout)["runs"] == []
    assert json.loads(pdfbatch("status", there.output, "--json").stdout)["state"] == "ended"
    assert "Already down" in pdfbatch("down", there.output, "--yes").stdout
    assert pdfbatch(*there.launch, *ON).returncode == 0, "the next launch resumes what is left"


def test_logs_are_those_of_the_hosts(there: Places, pdfbatch: Program) -> None:
    pdfbatch(*there.launch, *ON)
    logs, group, job = there.account.client("logs"), "/aws/sagemaker/ProcessingJobs", job_of(there)
    logs.create_log_group(logGroupName=group)
    for host in ("algo-1", "algo-2"):
        stream = f"{job}/{host}-1764295200"
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        event = {"timestamp": int(time.time() * 1000), "message": f"{host} says hello"}
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])
    logs.create_log_stream(logGroupName=group, logStreamName=f"{job}0/algo-1-1764295200")
    every, one = pdfbatch("logs", there.output), pdfbatch("logs", there.output, "1")
    assert every.returncode == one.returncode == 0, every.stderr
    assert every.stdout.count("hello") == 2 and "worker-0" in every.stdout
    assert "algo-2 says hello" in one.stdout and one.stdout.count("hello") == 1


def test_a_job_that_was_cut_off_is_resumed_by_launching_again(there: Places, pdfbatch: Program) -> None:
    pdfbatch(*there.launch, *ON)
    first = manifest.current(there.store) or ""
    mark = DoneMark(worker=0, why="done", at="2026-11-25T12:00:00Z")
    there.store.put(RunKeys(first).done_mark(0), mark.model_dump_json().encode())
    end_job(there, "Stopped")  # by MaxRuntimeInSeconds: no reason, and no mark of the other hosts
    again = pdfbatch(*there.launch, *ON)
    assert again.returncode == 0, again.stderr
    second = manifest.current(there.store) or ""
    assert second > first and manifest.load(there.store, second).documents == DOCUMENTS


def test_status_says_how_a_job_failed(there: Places, pdfbatch: Program) -> None:
    pdfbatch(*there.launch, *ON)
    end_job(there, "Failed", "ClientError: Cannot pull the image.", "algo-2: no disk\n")
    status = pdfbatch("status", there.output)
    assert "Failed (ClientError: Cannot pull the image. algo-2: no disk); launch again to resume" in one_line(status)
    assert json.loads(pdfbatch("status", there.output, "--json").stdout)["state"] == "ended"


def test_an_account_that_may_have_no_instance_is_told_how_to_ask(places: Places, pdfbatch: Program) -> None:
    make_ready(places.account, 0)
    refused = pdfbatch(*places.launch, *ON)
    assert refused.returncode == 4
    text = one_line(refused)
    assert "ml.g4dn.xlarge for processing job usage: 0 instances, 0 in use, 5 needed: no room" in text
    assert "aws service-quotas request-service-quota-increase --service-code sagemaker --quota-code L-" in text
    assert "--desired-value 5 --region us-east-1" in text


def test_a_quota_that_was_never_changed_is_found_among_the_defaults(places: Places, pdfbatch: Program) -> None:
    make_ready(places.account)
    places.account.order("job_quota", {"type": TYPE, "value": None, "default": 2})
    plan = json.loads(pdfbatch("plan", *places.launch[1:-1], *ON, "--json").stdout)
    assert plan["workers"] == 2 and any("has 2 instances" in note for note in plan["notes"])


def test_instances_in_use_count_against_the_quota(there: Places, pdfbatch: Program) -> None:
    pdfbatch(*there.launch, *ON)
    other = f"s3://{there.account.bucket()}/out/"
    plan = json.loads(pdfbatch("plan", there.input, other, *there.launch[3:-1], *ON, "--json").stdout)
    assert (plan["account"]["quota"]["used"], plan["workers"]) == (3.0, 3)


def test_doctor_knows_what_a_job_needs(places: Places, pdfbatch: Program) -> None:
    asked = ["doctor", *ON, "--input", places.input, "--output", places.output, "--json"]
    found = {check["name"]: check for check in json.loads(pdfbatch(*asked).stdout)["checks"]}
    assert found["SageMaker role"]["state"] == found["SageMaker quota"]["state"] == "missing"
    assert "pdfbatch setup --sagemaker --input" in found["SageMaker role"]["hint"]
    assert "AMI" not in found and "service-linked roles" not in found
    make_ready(places.account)
    ended = pdfbatch(*asked)
    found = {check["name"]: check for check in json.loads(ended.stdout)["checks"]}
    assert ended.returncode == 0 and found["SageMaker quota"]["state"] == "ok"
    assert found["SageMaker price"]["found"] == "ml.g4dn.xlarge $0.736/h; SageMaker has no Spot for processing"


def test_an_image_elsewhere_is_refused_before_the_launch(there: Places, pdfbatch: Program) -> None:
    refused = pdfbatch(*there.launch, *ON, "--image", "docker.io/papers/pdfbatch:1")
    assert refused.returncode == 4 and "is not in ECR" in refused.stderr and "make image push" in refused.stderr
    there.account.client("ecr").delete_repository(repositoryName="pdfbatch", force=True)
    missing = pdfbatch(*there.launch, *ON)
    assert missing.returncode == 4 and "image repository" in one_line(missing)


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


def test_a_refusal_says_what_to_do_and_leaves_nothing(account: Account) -> None:
    bench = Bench(account)
    make_ready(account)
    decided = bench.decide(LaunchRequest(way="sagemaker", workers=2))
    for code, message, hint in REFUSALS:
        refused = translate_refusal(code, message, "CreateProcessingJob", "create the processing job")
        assert hint in explained(refused, decided.plan).hint, code
    fault = {"action": "CreateProcessingJob", "code": "ResourceLimitExceeded", "message": "no", "status": 400}
    account.order("faults", [fault])
    with pytest.raises(NotReady, match="ml.g4dn.xlarge for processing job usage"):
        launch(decided, bench.outside())
    assert manifest.current(bench.output) is None and bench.left().is_nothing


def test_an_answer_that_was_lost_does_not_make_two_jobs_or_an_error(there: Places, pdfbatch: Program) -> None:
    lost = {"action": "CreateProcessingJob", "code": "ServiceUnavailable", "status": 503, "lose": True}
    there.account.order("faults", [lost])
    launched = pdfbatch(*there.launch, *ON)
    assert launched.returncode == 0, launched.stderr
    errors = [call["error"] for call in there.account.calls("CreateProcessingJob")]
    assert errors == ["ServiceUnavailable", "ResourceInUse"], "the first had been carried out"


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


def test_isolation_is_for_sagemaker_only(there: Places, pdfbatch: Program) -> None:
    refused = pdfbatch(*there.launch, "--network-isolation")
    assert refused.returncode == 2 and "Add --on sagemaker" in refused.stderr


def test_a_job_in_a_vpc_without_network_with_preferences(there: Places, pdfbatch: Program) -> None:
    there.account.order("job_quota", {"type": "ml.g5.xlarge", "value": 8})
    ec2 = there.account.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    vpc = ["--subnet", subnet, "--security-group", "sg-0123456789abcdef0"]
    types = ["--instance-type", "g4dn.xlarge", "--instance-type", "ml.g5.xlarge"]
    launched = pdfbatch(*there.launch, *ON, *vpc, *types, "--network-isolation", "--output-key", "alias/papers")
    assert launched.returncode == 0, launched.stderr
    request = request_of(there)
    assert faults_of(request) == ""
    assert request["NetworkConfig"] == {
        "EnableNetworkIsolation": True,
        "VpcConfig": {"SecurityGroupIds": ["sg-0123456789abcdef0"], "Subnets": [subnet]},
    }
    preferences = request["ProcessingResources"]["ClusterConfig"]["InstancePreferences"]
    assert preferences == [{"InstanceType": TYPE}, {"InstanceType": "ml.g5.xlarge"}]
    assert request["ProcessingOutputConfig"]["KmsKeyId"] == "alias/papers"
    keys = json.loads(there.store.get(RunKeys(manifest.current(there.store) or "").prefix + "inputs.manifest"))
    assert keys == [{"prefix": there.input}, "0.pdf", "1.pdf", "2.pdf"]
