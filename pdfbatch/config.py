"""What a container's environment asks for. Pure: the environment is handed in."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pdfbatch.errors import UsageError


class WorkerSettings(BaseModel):
    """The variables of the worker image (docs/image.md); names are stable once released."""

    model_config = ConfigDict(frozen=True)
    worker: int = Field(alias="WORKER_ID", ge=0)
    total_workers: int = Field(alias="TOTAL_WORKERS", ge=1)
    input_bucket: str = Field(alias="S3_INPUT_BUCKET", min_length=1)
    input_prefix: str = Field(alias="S3_INPUT_PREFIX", default="")
    output_bucket: str = Field(alias="S3_OUTPUT_BUCKET", min_length=1)
    output_prefix: str = Field(alias="S3_OUTPUT_PREFIX", default="")
    max_retries: int = Field(alias="MAX_RETRIES", default=2, ge=0)
    run: str | None = Field(alias="PDFBATCH_RUN", default=None)
    """None: list the input and slice the plain listing."""
    engine: str | None = Field(alias="PDFBATCH_ENGINE", default=None)
    deadline: datetime | None = Field(alias="PDFBATCH_DEADLINE", default=None)
    topic: str = Field(alias="PDFBATCH_TOPIC", default="")
    """SNS topic that is told when the whole run is done."""
    instance: str = Field(alias="PDFBATCH_INSTANCE", default="")
    """The fleet's boot script says which machine this is; "" on any other."""
    instance_type: str = Field(alias="PDFBATCH_INSTANCE_TYPE", default="")
    zone: str = Field(alias="PDFBATCH_ZONE", default="")
    booted: datetime | None = Field(alias="PDFBATCH_BOOTED", default=None)

    @field_validator("deadline", "booted")
    @classmethod
    def _as_utc(cls, value: datetime | None) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value

    @property
    def source(self) -> str:
        return f"s3://{self.input_bucket}/{self.input_prefix}"

    @property
    def output(self) -> str:
        return f"s3://{self.output_bucket}/{self.output_prefix}"


def worker_settings(environment: Mapping[str, str]) -> WorkerSettings:
    """
    Raises:
        UsageError: a variable is missing or makes no sense; the message names each.
    """
    given = {name: value for name, value in environment.items() if value != ""}
    try:
        return WorkerSettings.model_validate(given)
    except ValidationError as error:
        faults = "; ".join(f"{fault['loc'][0]}: {fault['msg'].lower()}" for fault in error.errors())
        raise UsageError(
            f"The worker's environment is not complete or not right: {faults}.",
            "Set WORKER_ID, TOTAL_WORKERS, S3_INPUT_BUCKET and S3_OUTPUT_BUCKET; prefixes are optional.",
        ) from error


def metadata_endpoint(environment: Mapping[str, str]) -> str | None:
    """Where EC2's metadata service answers, ending with "/"; None where boto3's variable switches it off."""
    if environment.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return None
    return environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254").rstrip("/") + "/"


def default_model(environment: Mapping[str, str]) -> str:
    """What an image that carries weights names as its model; "" if nothing is named."""
    return environment.get("PDFBATCH_MODEL", "")


def default_processes() -> int:
    """As many children as this process may use cores."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
