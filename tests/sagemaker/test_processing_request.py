"""The request that starts a job, against botocore's own model of it."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from pdfbatch.errors import UsageError
from pdfbatch.fleet.sagemaker.request import EXECUTION_ID, Isolation, JobWish, inputs_manifest, request_of

RUN = "20261128T020000.123Z-0abc"
WISH = JobWish(
    name="pdfbatch-20261128T020000-123Z-0abc",
    image="123456789012.dkr.ecr.us-east-1.amazonaws.com/pdfbatch@sha256:" + "0" * 64,
    role="arn:aws:iam::123456789012:role/pdfbatch-us-east-1-ml-jobs",
    types=["ml.g4dn.xlarge"],
    hosts=3,
    runtime_seconds=7200,
    environment={"S3_INPUT_BUCKET": "papers", "PDFBATCH_RUN": RUN},
    tags={"pdfbatch:run": RUN, "pdfbatch:place": "s3://papers/md/"},
)
ISOLATED = WISH._replace(isolation=Isolation(RUN, "s3://papers/md/", bytes_each=3 * 2**30, key="alias/papers"))


@cache
def model() -> Any:
    return botocore.session.get_session().get_service_model("sagemaker").operation_model("CreateProcessingJob")


def faults_of(request: dict[str, Any]) -> str:
    """What botocore's model does not accept: names, types, missing fields; and lengths, patterns and choices, which
    botocore itself leaves to the service."""
    shape = model().input_shape
    report = str(ParamValidator().validate(request, shape).generate_report())
    return report or "\n".join(_outside(shape, request, "request"))


def _outside(shape: Any, value: Any, where: str) -> list[str]:
    if shape.type_name == "structure":
        return [f for name, each in value.items() for f in _outside(shape.members[name], each, f"{where}.{name}")]
    found = []
    if shape.type_name in ("list", "map", "string"):
        size = len(value)
        if not shape.metadata.get("min", 0) <= size <= shape.metadata.get("max", size):
            found.append(f"{where} has {size}")
    if shape.type_name == "list":
        return found + [f for each in value for f in _outside(shape.member, each, where)]
    if shape.type_name == "map":
        return found + [f for each in value.values() for f in _outside(shape.value, each, where)]
    if shape.type_name == "integer" and not shape.metadata.get("min", value) <= value <= shape.metadata["max"]:
        found.append(f"{where} is {value}")
    if shape.type_name == "string":
        pattern = shape.metadata.get("pattern", "").replace("\\p{L}\\p{Z}\\p{N}", r"\w ")
        pattern = pattern if "uD7FF" not in pattern else ""
        if pattern and not re.fullmatch(pattern, value):
            found.append(f"{where} is not {pattern}: {value}")
        if shape.metadata.get("enum") and value not in shape.metadata["enum"]:
            found.append(f"{where} is none of the choices: {value}")
    return found


@pytest.mark.parametrize(
    "wish",
    [
        WISH,
        ISOLATED,
        WISH._replace(types=["ml.g4dn.xlarge", "ml.g5.xlarge", "ml.g6.xlarge"]),
        WISH._replace(subnets=["subnet-0a", "subnet-0b"], security_groups=["sg-0a"]),
        WISH._replace(types=["ml.m5.xlarge"], disk_key="arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab"),
    ],
)
def test_sagemaker_s_own_model_accepts_the_request(wish: JobWish) -> None:
    assert faults_of(request_of(wish)) == ""


def test_the_model_is_really_asked() -> None:
    assert "RoleArn" in faults_of(request_of(WISH) | {"RoleArn": 7})
    assert "ProcessingJobName" in faults_of(request_of(WISH) | {"ProcessingJobName": "a.b"})


def test_the_hosts_read_s3_by_their_role_and_copy_nothing() -> None:
    request = request_of(WISH)
    assert "ProcessingInputs" not in request and "ProcessingOutputConfig" not in request
    assert "NetworkConfig" not in request
    assert request["AppSpecification"]["ContainerArguments"] == ["processing-job"]
    assert request["ProcessingResources"]["ClusterConfig"] == {
        "InstanceCount": 3,
        "InstanceType": "ml.g4dn.xlarge",
        "VolumeSizeInGB": 50,
    }


def test_several_types_are_preferences_and_their_order_stays() -> None:
    types = ["ml.g5.xlarge", "ml.g4dn.xlarge"]
    cluster = request_of(WISH._replace(types=types))["ProcessingResources"]["ClusterConfig"]
    assert [each["InstanceType"] for each in cluster["InstancePreferences"]] == types
    assert "InstanceType" not in cluster and cluster["InstanceCount"] == 3


def test_a_disk_s_key_is_named_only_where_sagemaker_takes_one() -> None:
    def cluster(*types: str) -> dict[str, Any]:
        wish = WISH._replace(types=types, disk_key="alias/papers")
        found: dict[str, Any] = request_of(wish)["ProcessingResources"]["ClusterConfig"]
        return found

    assert cluster("ml.m5.xlarge")["VolumeKmsKeyId"] == "alias/papers"
    assert "VolumeKmsKeyId" not in cluster("ml.g4dn.xlarge")
    assert "VolumeKmsKeyId" not in cluster("ml.m5.xlarge", "ml.g5.xlarge")


def test_a_job_without_network_gets_a_share_of_the_documents_and_the_frozen_run() -> None:
    request = request_of(ISOLATED)
    assert request["NetworkConfig"] == {"EnableNetworkIsolation": True}
    documents, run = (each["S3Input"] for each in request["ProcessingInputs"])
    assert documents["S3DataDistributionType"] == "ShardedByS3Key" and documents["S3DataType"] == "ManifestFile"
    assert documents["S3Uri"] == f"s3://papers/md/.pdfbatch/{RUN}/inputs.manifest"
    assert run["S3Uri"].endswith(f"/{RUN}/"), "a prefix without its slash would also match siblings"
    assert run["LocalPath"] == f"/opt/ml/processing/run/.pdfbatch/{RUN}"
    config = request["ProcessingOutputConfig"]
    assert config["KmsKeyId"] == "alias/papers" and config["Outputs"][0]["S3Output"]["S3UploadMode"] == "EndOfJob"
    assert request["Environment"]["PDFBATCH_ISOLATED"] == "yes"
    assert request["ProcessingResources"]["ClusterConfig"]["VolumeSizeInGB"] == 56


def test_a_list_of_documents_names_their_common_url_once() -> None:
    assert inputs_manifest("s3://papers/pdfs/", ["a/1.pdf", "2.pdf"]) == [
        {"prefix": "s3://papers/pdfs/"},
        "a/1.pdf",
        "2.pdf",
    ]


def test_a_schedule_s_request_has_a_valid_name_once_its_execution_is_known() -> None:
    request = request_of(WISH._replace(name=f"pdfbatch-nightly-{EXECUTION_ID}"))
    request["ProcessingJobName"] = request["ProcessingJobName"].replace(EXECUTION_ID, "d32c5kddcf5bb8c3")
    assert faults_of(request) == ""


@pytest.mark.parametrize(
    ("wish", "option"),
    [
        (WISH._replace(hosts=101), "--workers"),
        (WISH._replace(types=[f"ml.g5.{size}xlarge" for size in (2, 4, 8, 12, 16, 24)]), "--instance-type"),
        (WISH._replace(runtime_seconds=777_601), "--max-hours"),
        (WISH._replace(environment={"S3_INPUT_PREFIX": "a" * 257}), "shorter S3 prefixes"),
        (WISH._replace(name="a" * 64), "--stack"),
        (WISH._replace(name="with.dots"), "--stack"),
    ],
)
def test_what_sagemaker_would_refuse_is_refused_before_with_the_option_to_change(wish: JobWish, option: str) -> None:
    with pytest.raises(UsageError) as error:
        request_of(wish)
    assert option in error.value.hint
