"""An instance as a process group: rendered user data, run by bash, with stubs for what it must not touch.

Real: the script, and its metadata service (tests/imds.py). Stubs on its PATH: see stubs/; each appends its calls to one
file, which shows their order. The stub of `sleep` shortens an hour of pauses to 3.6 s.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pdfbatch.fleet import userdata
from tests.imds import Imds

STUBS = Path(__file__).parent / "stubs"
BUCKET = "papers"
STATE = "out/.pdfbatch/run-1/"
INSTANCE = "i-0123456789abcdef0"
FLEET = "fleet-00000000-0000-4000-8000-000000000000"
IMAGE = "registry.example/pdfbatch@sha256:" + "a" * 64
LIFE_SECONDS = 60


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds")


class Box:
    """One instance in a folder, and the store it writes to; it can boot many times."""

    def __init__(self, folder: Path, imds: Imds) -> None:
        self.folder = folder
        self.imds = imds
        self.stubs = folder / "stubs"
        self.stubs.mkdir()
        self.environment = {
            "PATH": f"{STUBS}:/usr/local/bin:/usr/bin:/bin",
            "STUBS": str(self.stubs),
            "TMPDIR": str(folder),
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url,
        }
        self.values = {
            "WORKER_ID": "1",
            "TOTAL_WORKERS": "3",
            "S3_INPUT_BUCKET": BUCKET,
            "S3_INPUT_PREFIX": "in/",
            "S3_OUTPUT_BUCKET": BUCKET,
            "S3_OUTPUT_PREFIX": "out/",
            "AWS_DEFAULT_REGION": "us-east-1",
            "PDFBATCH_RUN": "run-1",
            "PDFBATCH_DEADLINE": in_seconds(360_000),
            "PDFBATCH_END": in_seconds(360_300),
            "PDFBATCH_IMAGE": IMAGE,
            "PDFBATCH_GPUS": "all",
            "PDFBATCH_LOG_GROUP": "/aws/ec2/pdf-workers/pdfbatch",
            "PDFBATCH_TOPIC": "arn:aws:sns:us-east-1:123456789012:pdfbatch",
            "PDFBATCH_MAX_BOOTS": "5",
        }

    def tell(self, stub: str, text: str) -> None:
        (self.stubs / stub).write_text(text)

    def boot(self, docker: str = "", values: Mapping[str, str] = {}) -> list[str]:
        """Runs one boot until shutdown and returns its calls. `docker`: the script that replaces `docker`."""
        self.tell("does", docker)
        self.tell("calls", "")
        script = self.folder / "user-data.sh"
        script.write_text(userdata.render(self.values | values))
        with (self.folder / "output").open("wb") as output:
            machine = subprocess.Popen(
                ["bash", script], env=self.environment, stdout=output, stderr=output, start_new_session=True
            )
            try:
                machine.wait(LIFE_SECONDS)
            finally:
                if machine.poll() is None:
                    os.killpg(machine.pid, 9)
        return (self.stubs / "calls").read_text().splitlines()

    @property
    def output(self) -> str:
        return (self.folder / "output").read_text()

    def put(self, key: str, text: str = "") -> None:
        path = self.stubs / "store" / BUCKET / STATE / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def stored(self) -> dict[str, str]:
        """What is under the run's state."""
        root = self.stubs / "store" / BUCKET / STATE
        return {str(path.relative_to(root)): path.read_text() for path in sorted(root.rglob("*")) if path.is_file()}
