"""The worker processes of a story, and who starts them again: as the boot script does on an instance."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.chaos.nursery import Born, Nursery
from tests.imds import Imds

FINAL = (0, 3)
"""Exit codes after which a slice is done."""


class Kind(NamedTuple):
    """What a story's workers are: processes on your own machine, or on instances of a fleet."""

    is_fleet: bool
    workers: int


class Circumstances(NamedTuple):
    """`jump`: by how many hours the process's clock is wrong; `small_disk`: a folder for its temporary files, too
    small."""

    jump: float = 0.0
    small_disk: Path | None = None


class Worker:
    """One slice of a story, and the process that works on it."""

    def __init__(
        self,
        number: int,
        words: list[str],
        environment: Mapping[str, str],
        imds: Imds | None,
        nursery: Nursery,
    ) -> None:
        self.number = number
        self.words = words
        self.nursery = nursery
        self.environment = dict(environment)
        self.imds = imds
        self.process: Born | None = None
        self.lives = 0
        self.exits: list[int] = []
        self.began_in = ""
        """The current run when its process began."""
        self.may_start = 0.0

    @property
    def is_done(self) -> bool:
        return bool(self.exits) and self.exits[-1] in FINAL and self.process is None

    @property
    def is_running(self) -> bool:
        return self.process is not None

    def look(
        self,
        dice: random.Random,
        log: Path,
        finished_in: Callable[[int], tuple[str, bool]],
        circumstances: Callable[[], Circumstances] | None = None,
    ) -> None:
        """Notices an end, and starts the worker again if it is not done, under new `circumstances`. One that was killed
        after its done mark has finished: started again, it would begin another run. It is needed once more if a second
        launch has begun another run since it began, and it has not worked in that."""
        if self.is_done:
            run, finished = finished_in(self.number)
            if run != self.began_in and not finished:
                self.exits.clear()
        elif self.process is not None and (code := self.process.poll()) is not None:
            _, finished = finished_in(self.number)
            self.exits.append(FINAL[0] if finished else code)
            self.process = None
            self.may_start = time.monotonic() + dice.uniform(0.0, 0.3)
        if self.process is None and not self.is_done and time.monotonic() >= self.may_start:
            self.began_in, _ = finished_in(self.number)
            self.process = self._start(log, *(circumstances() if circumstances else Circumstances()))
            self.lives += 1

    def _start(self, log: Path, jump: float, small_disk: Path | None) -> Born:
        environment = dict(self.environment)
        if self.imds is not None:
            self.imds.values.pop("spot/instance-action", None)
            environment["PDFBATCH_INSTANCE"] = f"i-{self.number}-{self.lives}"
        if small_disk is not None:
            small_disk.mkdir(exist_ok=True)
            environment["TMPDIR"] = str(small_disk)
        return self.nursery.start(self.words, environment, log, jump, small_disk)

    def signal(self, number: signal.Signals) -> bool:
        """Sends a signal to the worker alone; its children must follow it by themselves."""
        if self.process is None or self.process.poll() is not None:
            return False
        try:
            os.kill(self.process.pid, number)
        except ProcessLookupError:  # it ended just now
            return False
        return True

    def notice(self) -> bool:
        if self.imds is None or self.process is None:
            return False
        self.imds.values["spot/instance-action"] = '{"action": "terminate", "time": "2026-11-25T19:45:00Z"}'
        return True

    def end(self) -> None:
        if self.process is not None:
            for number in (signal.SIGCONT, signal.SIGKILL):
                self.signal(number)
            self.process.wait()


def can_fill_a_disk() -> bool:
    if shutil.which("unshare") is None:
        return False
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", "mount -t tmpfs -o size=64k none /mnt"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def words_of(kind: Kind, number: int, url: str, sinks: Sequence[str]) -> list[str]:
    """Returns the words of the command that a worker runs."""
    if kind.is_fleet:
        return ["worker"]
    slices = ["--total-workers", str(kind.workers), "--worker-id", str(number)]
    events = [word for sink in sinks for word in ("--events", sink)]
    return ["local-run", f"{url}in/", f"{url}out/", "--engine", "null", "--processes", "1", *slices, *events]


def environment_of(kind: Kind, number: int, run: str, imds: Imds | None) -> dict[str, str]:
    known = {name: value for name, value in os.environ.items() if not name.startswith("PDFBATCH_")}
    if not kind.is_fleet:
        return known
    assert imds is not None
    del known["AWS_EC2_METADATA_DISABLED"]
    return known | {
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url,
        "WORKER_ID": str(number),
        "TOTAL_WORKERS": str(kind.workers),
        "S3_INPUT_BUCKET": "chaos",
        "S3_INPUT_PREFIX": "in/",
        "S3_OUTPUT_BUCKET": "chaos",
        "S3_OUTPUT_PREFIX": "out/",
        "PDFBATCH_RUN": run,
        "PDFBATCH_INSTANCE_TYPE": "g4dn.xlarge",
        "PDFBATCH_ZONE": "us-east-1a",
        "PDFBATCH_BOOTED": "2026-11-25T19:00:00Z",
    }
