"""A device's peak performance, and how much of the time it is busy."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import Any

from .dolphin_counted import CHIPS, Chip

SAMPLE_MILLISECONDS = 200


def chip_of(device: str, side: int = 8192) -> tuple[str, Chip]:
    """The device's name and what its maker promises; for one that is not known what a product of two `side` x `side`
    and a copy of as many numbers reach."""
    import torch

    name = torch.cuda.get_device_name(device) if "cuda" in device else "CPU"
    known = [chip for chip in CHIPS if chip in name.replace("-", " ").split()]
    if known:
        return name, CHIPS[known[0]]
    return f"{name} (its best as measured)", _tried(device, side)


def _tried(device: str, side: int) -> Chip:
    import torch

    dtype = torch.float16 if "cuda" in device else torch.float32
    one = torch.ones(side, side, device=device, dtype=dtype)
    other = torch.empty_like(one)
    product = seconds_of(lambda: torch.mm(one, one, out=other), device)
    copy = seconds_of(lambda: other.copy_(one), device)
    return Chip(2.0 * side**3 / product, 2.0 * one.nbytes / copy)


def seconds_of(work: Callable[[], Any], device: str, times: int = 10) -> float:
    """The time of one call, after three warm-up calls."""
    for _ in range(3):
        work()
    wait(device)
    began = time.perf_counter()
    for _ in range(times):
        work()
    wait(device)
    return (time.perf_counter() - began) / times


def wait(device: str) -> None:
    """Wait until the device has finished its work."""
    import torch

    if "cuda" in device:
        torch.cuda.synchronize(device)


class Busy:
    """As a context: the share of the time in which any kernel ran, as the driver samples it; None without one."""

    share: float | None = None

    def __enter__(self) -> Busy:
        asked = ["nvidia-smi", "-i", "0", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        self._process: subprocess.Popen[str] | None = None
        try:
            command = [*asked, f"--loop-ms={SAMPLE_MILLISECONDS}"]
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        except OSError:
            return self
        assert self._process.stdout is not None
        self._process.stdout.readline()  # of the time before
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            return
        self._process.terminate()
        said, _none = self._process.communicate()
        samples = [float(line) for line in said.splitlines() if line.strip().isdigit()]
        self.share = sum(samples) / len(samples) / 100 if samples else None
