"""An instance as a set of namespaces: its own processes, mounts and network, and an empty Docker daemon.

Needs root, and to be run in the bench's own network (bench.sh makes it); nothing in it reaches any other.
Real: as in processes.py, and Docker with its pull, its containers and its `awslogs` driver, and the metadata service at
169.254.169.254, where the `aws` command, Docker and the worker look for it and for the role's credentials.
Not real: the kernel is this machine's, there is no cloud-init and no NVMe, and `shutdown` tells the simulated AWS.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.fleet.machine.processes import SHIMS
from tests.fleet.machine.region import Row, metadata

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
BRIDGE = "pdfbatch0"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
METADATA_ADDRESS = "169.254.169.254"
_numbers = itertools.count(11)


class VirtualMachine:
    """`registry`: host and port of one without TLS. Keeps what it leaves behind in `folder`, but not Docker's data."""

    def __init__(self, row: Row, folder: Path, registry: str) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        number = next(_numbers)
        self._net = f"pdfbatch-{number}"
        self._address = f"10.77.0.{number}"
        self._connect(f"pdfbatch{number}")
        inside = ["nsenter", f"--net=/run/netns/{self._net}"]
        self._metadata = self._serve_metadata(inside, metadata(row))
        (folder / "user-data.sh").write_text(row["user_data"])
        environment = {
            "PATH": f"{SHIMS}:{Path(sys.executable).parent}:{SYSTEM_PATH}",
            "TMPDIR": str(folder),
            "DOCKER_HOST": f"unix://{folder}/docker.sock",
        }
        own = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc"]
        with (folder / "output").open("wb") as output:
            self._process = subprocess.Popen(
                [*inside, *own, HERE / "virtual_machine.sh", folder, registry],
                env=environment,
                stdout=output,
                stderr=output,
            )

    def _connect(self, name: str) -> None:
        """A network of its own, with a cable to the bench's."""
        net = self._net
        _ip("netns", "add", net)
        _ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", net)
        _ip("link", "set", name, "master", BRIDGE, "up")
        _ip("-n", net, "link", "set", "lo", "up")
        _ip("-n", net, "link", "set", "eth0", "up")
        _ip("-n", net, "addr", "add", f"{METADATA_ADDRESS}/32", "dev", "lo")
        _ip("-n", net, "addr", "add", f"{self._address}/24", "dev", "eth0")

    def _serve_metadata(self, inside: list[str], values: dict[str, str]) -> subprocess.Popen[str]:
        command = [*inside, sys.executable, "-m", "tests.imds", "0.0.0.0:80"]
        service = subprocess.Popen(
            [*command, *(f"{path}={value}" for path, value in values.items())],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert service.stdout is not None
        assert service.stdout.readline() != "", "the metadata service does not start"
        return service

    def tell(self, path: str, text: str) -> None:
        request = urllib.request.Request(f"http://{self._address}/_ctl/{path}", text.encode(), method="PUT")
        urllib.request.urlopen(request).close()

    def power_off(self) -> None:
        self._process.kill()
        self._process.wait()
        self._metadata.kill()
        self._metadata.communicate()
        _ip("netns", "delete", self._net)
        subprocess.run(["rm", "-rf", self.folder / "docker", self.folder / "exec"], check=True)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
