"""Renders an instance's user data: userdata/boot.sh, without its comments, below its worker's variables. It contains no
secret."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from pdfbatch.errors import PdfbatchError
from pdfbatch.records import FleetRecord, Manifest, text_of

LIMIT = 16_384
"""EC2's limit of user data in bytes, before base64."""
MAX_BOOTS = 5
"""How many instances in a row may make no progress; the next one gives up on its slice."""
ENDPOINT = "AWS_ENDPOINT_URL"
"""A custom AWS endpoint: if the launcher uses one, its instances do too."""


def values_of(
    manifest: Manifest, record: FleetRecord, worker: int, gpus: bool, environment: Mapping[str, str]
) -> dict[str, str]:
    """Returns one worker's variables by name; `environment` is the launcher's own."""
    input_bucket, input_prefix = _bucket_and_prefix(manifest.input)
    output_bucket, output_prefix = _bucket_and_prefix(manifest.output)
    values = {
        "WORKER_ID": str(worker),
        "TOTAL_WORKERS": str(max(manifest.total_workers, worker + 1)),
        "S3_INPUT_BUCKET": input_bucket,
        "S3_INPUT_PREFIX": input_prefix,
        "S3_OUTPUT_BUCKET": output_bucket,
        "S3_OUTPUT_PREFIX": output_prefix,
        "AWS_DEFAULT_REGION": record.region,
        "PDFBATCH_RUN": manifest.run,
        "PDFBATCH_DEADLINE": text_of(record.deadline),
        "PDFBATCH_END": text_of(record.end),
        "PDFBATCH_IMAGE": record.image,
        "PDFBATCH_GPUS": "all" if gpus else "",
        "PDFBATCH_LOG_GROUP": record.log_group,
        "PDFBATCH_TOPIC": record.topic,
        "PDFBATCH_MAX_BOOTS": str(MAX_BOOTS),
    }
    values |= {"PDFBATCH_POOL": "yes"} if manifest.is_pool else {}
    return values | ({ENDPOINT: environment[ENDPOINT]} if environment.get(ENDPOINT) else {})


def render(values: Mapping[str, str]) -> str:
    """Renders the user data of an instance.

    Raises:
        PdfbatchError: it is longer than EC2 accepts.
    """
    first_line, rest = _boot_script().split("\n", 1)
    exports = [f"export {name}={_quoted(value)}" for name, value in values.items()]
    script = [line for line in rest.split("\n") if not line.startswith("#")]
    text = "\n".join([first_line, *exports, *script])
    if (size := len(text.encode())) > LIMIT:
        raise PdfbatchError(
            f"The instances' user data would have {size:,} bytes; EC2 accepts {LIMIT:,}.",
            "Use shorter S3 prefixes.",
        )
    return text


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"


def _bucket_and_prefix(url: str) -> tuple[str, str]:
    """Splits an S3 URL; the prefix is "" or ends with "/"."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    prefix = prefix.rstrip("/")
    return bucket, prefix + "/" if prefix else ""


def _boot_script() -> str:
    """Reads boot.sh: inside an installed package, beside it in a checkout."""
    inside = resources.files("pdfbatch") / "userdata" / "boot.sh"
    if inside.is_file():
        return inside.read_text(encoding="utf-8")
    return (Path(__file__).parents[2] / "userdata" / "boot.sh").read_text(encoding="utf-8")
