"""The requests that run workers on AWS Batch: what botocore accepts, and what Batch does when an attempt ends."""

from __future__ import annotations

from typing import Any

import pytest

from pdfbatch.errors import ENDED_EARLY, ExitCode
from pdfbatch.fleet.batch.requests import (
    ATTEMPTS,
    JobSize,
    definition_request,
    job_request,
    log_options,
    retry_rules,
    variables_of,
)
from tests.fleet.simulated_batch import check, decision, model
from tests.fleet.simulated_fleets import Refused

TAGS = {"pdfbatch:stack": "pdfbatch", "pdfbatch:run": "R", "Name": "pdfbatch R"}
VARIABLES = {"TOTAL_WORKERS": "3", "S3_INPUT_BUCKET": "papers", "S3_INPUT_PREFIX": "", "PDFBATCH_RUN": "R"}


def definition(size: JobSize = JobSize(4, 13_926, 1), seconds: int = 7200) -> dict[str, Any]:  # noqa: B008
    return definition_request(
        name="pdfbatch_R",
        image="123456789012.dkr.ecr.us-east-1.amazonaws.com/pdfbatch@sha256:" + "0" * 64,
        size=size,
        role="arn:aws:iam::123456789012:role/pdfbatch-us-east-1-job",
        variables=VARIABLES,
        logs=log_options("/aws/ec2/pdf-workers/pdfbatch", "us-east-1", "R"),
        seconds=seconds,
        tags=TAGS,
    )


def job(workers: int, **more: Any) -> dict[str, Any]:
    return job_request(name="pdfbatch_R", queue="pdfbatch", definition="pdfbatch_R", workers=workers, tags=TAGS, **more)


def validated(operation: str, request: dict[str, Any]) -> dict[str, Any]:
    check(model().operation_model(operation).input_shape, request)
    return request


def test_a_definition_runs_the_image_with_all_of_an_instance_and_its_own_role() -> None:
    request = validated("RegisterJobDefinition", definition())
    container = request["containerProperties"]
    needs = {each["type"]: each["value"] for each in container["resourceRequirements"]}
    assert needs == {"VCPU": "4", "MEMORY": "13926", "GPU": "1"}
    assert container["command"] == ["batch-job"] and container["jobRoleArn"].endswith("-job")
    assert {each["name"]: each["value"] for each in container["environment"]} == {
        name: value for name, value in VARIABLES.items() if value
    }
    assert container["logConfiguration"]["options"]["awslogs-stream-prefix"] == "R"
    assert request["timeout"] == {"attemptDurationSeconds": 7200}


def test_a_definition_without_a_gpu_asks_for_none_and_a_short_limit_is_batchs_shortest() -> None:
    request = validated("RegisterJobDefinition", definition(JobSize(8, 27_000, 0), seconds=5))
    assert "GPU" not in {each["type"] for each in request["containerProperties"]["resourceRequirements"]}
    assert request["timeout"] == {"attemptDurationSeconds": 60}


def test_a_job_is_an_array_of_its_workers_and_a_plain_job_for_one() -> None:
    assert validated("SubmitJob", job(3))["arrayProperties"] == {"size": 3}
    assert validated("SubmitJob", job(10_000))["arrayProperties"] == {"size": 10_000}
    assert "arrayProperties" not in validated("SubmitJob", job(1))
    for none in (0, 10_001):
        with pytest.raises(ValueError, match="children"):
            job(none)


def test_a_scheduled_job_adds_its_variables_to_those_of_the_definition() -> None:
    request = validated("SubmitJob", job(2, variables={"PDFBATCH_ORDER": "nightly"}))
    assert request["containerOverrides"] == {"environment": [{"name": "PDFBATCH_ORDER", "value": "nightly"}]}


def test_what_only_a_boot_script_reads_is_left_out() -> None:
    given = {
        "WORKER_ID": "0",
        "TOTAL_WORKERS": "3",
        "PDFBATCH_IMAGE": "i",
        "PDFBATCH_MAX_BOOTS": "5",
        "PDFBATCH_RUN": "R",
    }
    assert variables_of(given) == {
        "TOTAL_WORKERS": "3",
        "PDFBATCH_RUN": "R",
        "PDFBATCH_ATTEMPTS": str(ATTEMPTS),
        "PDFBATCH_STOP_SECONDS": "20",
    }


@pytest.mark.parametrize(
    ("code", "why", "what"),
    [
        (None, "Host EC2 (instance i-0123456789abcdef0) terminated.", "RETRY"),
        (ExitCode.INTERRUPTED, "Essential container in task exited", "RETRY"),
        (137, "Essential container in task exited", "RETRY"),
        (ExitCode.FAILED, "Essential container in task exited", "RETRY"),
        (ExitCode.NOT_READY, "Essential container in task exited", "RETRY"),
        (ENDED_EARLY, "Essential container in task exited", "EXIT"),
        (ExitCode.USAGE, "Essential container in task exited", "EXIT"),
    ],
)
def test_an_attempt_is_retried_unless_no_attempt_could_go_on(code: int | None, why: str, what: str) -> None:
    strategy = definition()["retryStrategy"]
    assert decision(strategy, None if code is None else int(code), why) == what
    assert strategy == {"attempts": 10, "evaluateOnExit": retry_rules()} and len(retry_rules()) <= 5


def test_the_check_of_these_tests_refuses_what_botocore_does_not_know() -> None:
    with pytest.raises(Refused, match="retries"):
        validated("SubmitJob", {**job(2), "retries": 3})
