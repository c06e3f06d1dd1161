"""Settings from a worker container's environment. Pure: the environment is passed in."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pdfbatch.errors import UsageError
from pdfbatch.records import KEY_VARIABLE


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
    """None: no manifest; the worker lists the input and slices that list."""
    order: str = Field(alias="PDFBATCH_ORDER", default="")
    """The order of which this worker's job is an execution; its first worker freezes the run. See `runs/orders.py`."""
    job: str = Field(alias="PDFBATCH_JOB", default="")
    """The execution of the order, by a name that no other one has."""
    engine: str | None = Field(alias="PDFBATCH_ENGINE", default=None)
    deadline: datetime | None = Field(alias="PDFBATCH_DEADLINE", default=None)
    stop_seconds: float = Field(alias="PDFBATCH_STOP_SECONDS", default=90.0, gt=0)
    """How long pages that are being read are waited for after a stop."""
    attempts: int = Field(alias="PDFBATCH_ATTEMPTS", default=1, ge=1)
    """How often AWS Batch starts this worker at most."""
    topic: str = Field(alias="PDFBATCH_TOPIC", default="")
    """SNS topic that is notified when the whole run is done."""
    instance: str = Field(alias="PDFBATCH_INSTANCE", default="")
    """This EC2 instance, set by the fleet's boot script; "" on your own machine."""
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
    """Reads the worker's settings from its environment.

    Raises:
        UsageError: a variable is missing or invalid; the message names each.
    """
    given = {name: value for name, value in environment.items() if value != ""}
    try:
        return WorkerSettings.model_validate(given)
    except ValidationError as error:
        faults = "; ".join(f"{fault['loc'][0]}: {fault['msg'].lower()}" for fault in error.errors())
        raise UsageError(
            f"The worker's environment is incomplete or invalid: {faults}.",
            "Set WORKER_ID, TOTAL_WORKERS, S3_INPUT_BUCKET and S3_OUTPUT_BUCKET; prefixes are optional.",
        ) from error


def metadata_endpoint(environment: Mapping[str, str]) -> str | None:
    """Returns the URL of EC2's metadata service, ending with "/"; None if boto3's variable disables it."""
    if environment.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return None
    return environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254").rstrip("/") + "/"


def default_model(environment: Mapping[str, str]) -> str:
    """Returns the model that the image names because it contains the weights; "" if it names none."""
    return environment.get("PDFBATCH_MODEL", "")


def endpoint_key(environment: Mapping[str, str]) -> str:
    """Returns the key of the endpoint; "" if there is none."""
    return environment.get(KEY_VARIABLE, "").strip()


def default_processes() -> int:
    """Returns the number of cores that this process may use: one child for each."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
