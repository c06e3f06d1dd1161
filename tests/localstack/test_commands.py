"""The commands against LocalStack, each in its own process, as a user or an instance starts them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pdfbatch.demo.pdfs import DEMO
from pdfbatch.fleet.policies import SERVICE_ROLES
from samples.many import long_pdf
from tests.localstack.conftest import PYTHON, LocalStack, output_of, pdfbatch, start

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON, reason="PDFBATCH_LOCALSTACK names no Python that has LocalStack"),
]
DOCUMENTS = 12


def test_the_demo_becomes_markdown_and_what_failed_can_be_retried(localstack: LocalStack, tmp_path: Path) -> None:
    s3, bucket = localstack.client("s3"), localstack.bucket()
    for sample in DEMO:
        s3.put_object(Bucket=bucket, Key=f"in/{sample.name}", Body=sample.make())
    output = f"s3://{bucket}/out/"
    ended = pdfbatch("local-run", f"s3://{bucket}/in/", output, "--engine", "cpu", code=3)
    assert ended["state"] == "done"
    expected = {outcome: sum(sample.outcome == outcome for sample in DEMO) for outcome in ("ok", "partial", "failed")}
    assert {outcome: ended["documents"][outcome] for outcome in expected} == expected
    assert pdfbatch("status", output)["documents"] == ended["documents"]
    assert pdfbatch("verify", output)["sound"] is True
    texts = localstack.markdown(bucket, "out/")
    for sample in DEMO:
        text = " ".join(texts.get(sample.name.replace(".pdf", ".md"), "").split())
        assert all(phrase in text for phrase in sample.phrases), sample.name

    whole = long_pdf(tmp_path / "whole.pdf", 2).read_bytes()
    s3.put_object(Bucket=bucket, Key="in/cut-off-upload.pdf", Body=whole)
    retried = pdfbatch("retry-failures", output, "--local", "--reason", "corrupt")
    assert (retried["documents"]["total"], retried["documents"]["ok"]) == (1, 1)
    assert "Sheet 2 of 2" in localstack.markdown(bucket, "out/")["cut-off-upload.md"]
    assert pdfbatch("verify", output)["sound"] is True


def test_two_slices_started_at_once_share_one_run_and_read_nothing_twice(
    localstack: LocalStack, tmp_path: Path
) -> None:
    bucket = localstack.upload(tmp_path, DOCUMENTS)
    source, output = f"s3://{bucket}/in/", f"s3://{bucket}/out/"
    common = ("local-run", source, output, "--engine", "cpu", "--processes", "1", "--total-workers", "2")
    slices = [start(*common, "--worker-id", worker) for worker in ("0", "1")]
    for process in slices:
        output_of(process)
    status = pdfbatch("status", output)
    assert (status["state"], status["documents"]["ok"], status["documents"]["total"]) == ("done", DOCUMENTS, DOCUMENTS)
    done = {worker["id"]: worker["done"] for worker in status["workers"]}  # one that is early takes from the other
    assert done.keys() == {0, 1} and sum(done.values()) == DOCUMENTS and min(done.values()) > 0
    assert status["pages"]["read"] == DOCUMENTS
    assert len(localstack.markdown(bucket, "out/")) == DOCUMENTS
    assert pdfbatch("verify", output)["sound"] is True
    again = pdfbatch("local-run", source, output, "--engine", "cpu")
    assert (again["documents"]["total"], again["documents"]["skipped"]) == (DOCUMENTS, DOCUMENTS)


def test_two_workers_of_the_image_share_the_listing(localstack: LocalStack, tmp_path: Path) -> None:
    bucket = localstack.upload(tmp_path, DOCUMENTS)
    places = {"S3_INPUT_BUCKET": bucket, "S3_INPUT_PREFIX": "in/", "S3_OUTPUT_BUCKET": bucket}
    common = {**places, "S3_OUTPUT_PREFIX": "out/", "TOTAL_WORKERS": "2", "PDFBATCH_ENGINE": "cpu"}
    workers = [start("worker", **common, WORKER_ID=worker) for worker in ("0", "1")]
    for process in workers:
        output_of(process)
    texts = localstack.markdown(bucket, "out/")
    assert len(texts) == DOCUMENTS
    assert all("<!-- page 1 -->" in text for text in texts.values())


def test_setup_creates_extends_and_deletes_the_stack(localstack: LocalStack) -> None:
    first, second = localstack.bucket(), localstack.bucket()
    places = ("--input", f"s3://{first}/in/", "--output", f"s3://{first}/out/")
    people = ("--email", "harbour@example.org", "--budget", "10")
    assert pdfbatch("setup", *places, *people, "--yes")["kind"] == "create"
    role = "pdfbatch-us-east-1-worker"
    assert worker_may_use(localstack, role) == {first}
    [profile] = localstack.client("iam").list_instance_profiles_for_role(RoleName=role)["InstanceProfiles"]
    assert profile["InstanceProfileName"] == role
    assert log_groups(localstack) == {"/aws/ec2/pdf-workers/pdfbatch"}

    name_service_roles_as_aws_does(localstack)
    assert pdfbatch("setup", *places, *people)["kind"] == "nothing"
    update = pdfbatch("setup", "--input", f"s3://{second}/", "--yes")
    assert (update["kind"], [change["name"] for change in update["changes"]]) == ("update", ["Role"])
    assert {f"s3://{first}/in/", f"s3://{second}/"} == set(kept_inputs(localstack))

    assert pdfbatch("setup", "--delete", "--yes") == {"deleted": True}
    assert role not in {each["RoleName"] for each in localstack.client("iam").list_roles()["Roles"]}
    assert log_groups(localstack) == set()
    assert pdfbatch("setup", "--delete", "--yes") == {"deleted": False}


def name_service_roles_as_aws_does(localstack: LocalStack) -> None:
    """LocalStack names the roles of Spot and EC2 Fleet differently, so that `setup` would always find them missing."""
    for role in SERVICE_ROLES:
        localstack.client("iam").create_role(RoleName=role, AssumeRolePolicyDocument="{}")


def worker_may_use(localstack: LocalStack, role: str) -> set[str]:
    """The buckets in the role's policy."""
    policy = localstack.client("iam").get_role_policy(RoleName=role, PolicyName="worker")["PolicyDocument"]
    resources: list[str] = []
    for statement in policy["Statement"]:
        resources += statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
    return {arn.removeprefix("arn:aws:s3:::").split("/")[0] for arn in resources if arn.startswith("arn:aws:s3:::")}


def kept_inputs(localstack: LocalStack) -> list[str]:
    """The inputs of the stack as it is now; LocalStack's CloudFormation does not carry a role's new policy out."""
    body = localstack.client("cloudformation").get_template(StackName="pdfbatch")["TemplateBody"]
    template = body if isinstance(body, dict) else json.loads(body)
    inputs: list[str] = template["Metadata"]["pdfbatch"]["inputs"]
    return inputs


def log_groups(localstack: LocalStack) -> set[str]:
    """Their names; LocalStack's CloudFormation leaves the days of retention out."""
    return {group["logGroupName"] for group in localstack.client("logs").describe_log_groups()["logGroups"]}
