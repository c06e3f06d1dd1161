"""What a machine of the fleet is booted with: userdata/boot.sh under the values of its worker. No secret is in it."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from pdfbatch.errors import PdfbatchError
from pdfbatch.records import FleetRecord, Manifest

LIMIT = 16_384
"""Bytes of user data that EC2 takes, before they are encoded."""
MAX_BOOTS = 5
"""So many machines in a row may get nothing done; the next one gives its slice up."""
ENDPOINT = "AWS_ENDPOINT_URL"
"""Somebody's own AWS: where the launcher speaks to it, its machines do too."""


def values_of(
    manifest: Manifest, record: FleetRecord, worker: int, gpus: bool, environment: Mapping[str, str]
) -> dict[str, str]:
    """The variables of one worker's machine, by name; `environment` is the launcher's own."""
    input_bucket, input_prefix = _bucket_and_prefix(manifest.input)
    output_bucket, output_prefix = _bucket_and_prefix(manifest.output)
    values = {
        "WORKER_ID": str(worker),
        "TOTAL_WORKERS": str(manifest.total_workers),
        "S3_INPUT_BUCKET": input_bucket,
        "S3_INPUT_PREFIX": input_prefix,
        "S3_OUTPUT_BUCKET": output_bucket,
        "S3_OUTPUT_PREFIX": output_prefix,
        "AWS_DEFAULT_REGION": record.region,
        "PDFBATCH_RUN": manifest.run,
        "PDFBATCH_DEADLINE": record.deadline,
        "PDFBATCH_END": record.end,
        "PDFBATCH_IMAGE": record.image,
        "PDFBATCH_GPUS": "all" if gpus else "",
        "PDFBATCH_LOG_GROUP": record.log_group,
        "PDFBATCH_TOPIC": record.topic,
        "PDFBATCH_MAX_BOOTS": str(MAX_BOOTS),
    }
    return values | ({ENDPOINT: environment[ENDPOINT]} if environment.get(ENDPOINT) else {})


def render(values: Mapping[str, str]) -> str:
    """
    Raises:
        PdfbatchError: EC2 would not take it.
    """
    first_line, rest = _boot_script().split("\n", 1)
    exports = [f"export {name}={_quoted(value)}" for name, value in values.items()]
    text = "\n".join([first_line, *exports, rest])
    if (size := len(text.encode())) > LIMIT:
        raise PdfbatchError(
            f"The machines' user data would have {size:,} bytes; EC2 takes {LIMIT:,}.",
            "Use shorter S3 prefixes.",
        )
    return text


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"


def _bucket_and_prefix(url: str) -> tuple[str, str]:
    """The prefix is "" or ends with "/"."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    prefix = prefix.rstrip("/")
    return bucket, prefix + "/" if prefix else ""


def _boot_script() -> str:
    """In an installed package it lies inside, in a checkout beside it."""
    inside = resources.files("pdfbatch") / "userdata" / "boot.sh"
    if inside.is_file():
        return inside.read_text(encoding="utf-8")
    return (Path(__file__).parents[2] / "userdata" / "boot.sh").read_text(encoding="utf-8")
