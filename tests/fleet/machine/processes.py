"""An instance as a process group on this computer.

Real: the user data that launch wrote, run by bash; its metadata service; the `aws` command, loaded ahead
(warm_aws.py); the worker with its children. Not real: `docker` starts the worker without a container, and `shutdown`
notifies the simulated AWS; see shims/.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.fleet.machine.region import Row, metadata
from tests.imds import Imds

SHIMS = Path(__file__).parent / "shims"
PASSED_ON = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
"""Of this process's environment: some processors need them."""


class ProcessMachine:
    """`aws`: the address of its warm_aws."""

    def __init__(self, row: Row, folder: Path, aws: Path) -> None:
        folder.mkdir()
        self.output = folder / "output"
        self._metadata = Imds(metadata(row)).__enter__()
        script = folder / "user-data.sh"
        script.write_text(row["user_data"])
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        shims = f"{SHIMS}/without_docker:{SHIMS}/warm:{SHIMS}"
        environment |= {
            "WARM_AWS": str(aws),
            "PATH": f"{shims}:{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "TMPDIR": str(folder),
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self._metadata.url,
        }
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                ["bash", script], env=environment, stdout=output, stderr=output, start_new_session=True
            )

    def tell(self, path: str, text: str) -> None:
        self._metadata.values[path] = text

    def power_off(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)  # the deadline timer lives as long as the machine does
        self._process.wait()
        self._metadata.__exit__()
