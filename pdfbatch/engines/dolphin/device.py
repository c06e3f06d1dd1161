"""Choose the device that computes, say which it is, and recognise its errors.

A GPU that is there but cannot be used is an error: the model would take minutes per page on the CPU. Whoever wants
the CPU says so, with PDFBATCH_DEVICE=cpu or an empty CUDA_VISIBLE_DEVICES.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pdfbatch.errors import NotReady, UsageError

_CONTROL, _DRIVER = "dev/nvidiactl", "proc/driver/nvidia/version"
_VERSION = re.compile(r"\b\d{3}\.\d+(?:\.\d+)?\b")
_OLDEST_DRIVER = {"11": "450.80", "12": "525.60", "13": "580.65"}
"""The oldest Linux driver for each major version of CUDA (NVIDIA, CUDA toolkit release notes, minor version
compatibility)."""
_GIB = 2**30

DeviceType = Literal["cuda", "cpu"]


class GpuSystem(NamedTuple):
    """What the system says about an NVIDIA GPU, before torch is imported."""

    is_loaded: bool = False
    """Whether the kernel has NVIDIA's driver."""
    driver: str = ""
    """The driver's version; "" if it is not known."""
    is_reachable: bool = False
    """Whether this process has the driver's device files: a container may lack them."""
    wants_cpu: bool = False

    @property
    def is_present(self) -> bool:
        return self.is_loaded or self.is_reachable


class TorchBuild(NamedTuple):
    """`cuda` is the CUDA version that torch was built for; None: it was built for the CPU."""

    version: str
    cuda: str | None


def gpu_system(environment: Mapping[str, str] = os.environ, root: Path = Path("/")) -> GpuSystem:
    """Looks for a GPU under `root`, and in the environment for a wish to do without.

    Raises:
        UsageError: PDFBATCH_DEVICE is set to something other than `cpu`.
    """
    try:
        first, _, _ = (root / _DRIVER).read_text(encoding="utf-8", errors="replace").partition("\n")
        found = _VERSION.search(first)
        driver, is_loaded = found.group() if found else "", True
    except OSError:
        driver, is_loaded = "", False
    return GpuSystem(is_loaded, driver, (root / _CONTROL).exists(), _wants_cpu(environment))


def _wants_cpu(environment: Mapping[str, str]) -> bool:
    device = environment.get("PDFBATCH_DEVICE", "")
    if device not in ("", "cpu"):
        raise UsageError(
            f"PDFBATCH_DEVICE is {device!r}.", "Set it to cpu to do without the GPU, or unset it to use a GPU."
        )
    visible = environment.get("CUDA_VISIBLE_DEVICES", "all").strip()
    return device == "cpu" or visible == "" or visible.startswith("-")


def chosen(system: GpuSystem, build: TorchBuild, fault: str) -> DeviceType:
    """The device to compute on. `fault` is torch's own word on why it cannot use a GPU; "": it can. Pure.

    Raises:
        NotReady: there is a GPU that torch cannot use.
    """
    if system.wants_cpu:
        return "cpu"
    if not fault:
        return "cuda"
    if not system.is_present:
        return "cpu"
    cuda = f"for CUDA {build.cuda}" if build.cuda else "for the CPU only"
    there = f"torch {build.version}, built {cuda}; driver {system.driver or 'unknown'}"
    why, fix = _reason(system, build, fault)
    raise NotReady(f"The GPU of this machine cannot be used: {why} ({there}).", f"{fix} {_OTHERWISE}")


_OTHERWISE = "Or work without it: --engine cpu, or PDFBATCH_DEVICE=cpu for the model on the CPU (minutes per page)."


def _reason(system: GpuSystem, build: TorchBuild, fault: str) -> tuple[str, str]:
    """Why torch cannot use the GPU, and the fix."""
    if build.cuda is None:
        return "this torch is built without CUDA", "Install torch with CUDA (docs/dolphin.md)."
    if not system.is_reachable:
        return (
            "this process has no access to it (/dev/nvidiactl is missing)",
            "In a container: docker run --gpus all. On the machine itself: sudo nvidia-modprobe -c 0 -u.",
        )
    oldest = _OLDEST_DRIVER.get(build.cuda.split(".")[0], "")
    if system.driver and oldest and _numbers(system.driver) < _numbers(oldest):
        return (
            f"its driver is too old, CUDA {build.cuda} needs {oldest} or newer",
            "Update the driver, or install a torch built for an older CUDA (docs/image.md: TORCH_INDEX).",
        )
    if "no kernel image" in fault or "not supported by this torch" in fault:
        return fault, "Install a torch built for this GPU (docs/image.md: TORCH_INDEX)."
    return fault, "nvidia-smi shows its state and what uses it; restart the machine if it is in a bad one."


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def torch_build(torch: Any) -> TorchBuild:
    return TorchBuild(torch.__version__, torch.version.cuda)


def fault_of(torch: Any) -> str:
    """Why torch cannot compute on a GPU, in one line; "" if it can: a small product in fp16 came out right."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the same words come as an error below
            torch.cuda.init()
            ones = torch.ones(16, 16, dtype=torch.float16, device="cuda")
            is_right = float((ones @ ones).sum()) == 16.0**3
    except Exception as error:  # torch raises AssertionError, RuntimeError and its own
        return _unsupported(torch) or str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
    return "" if is_right else "it computes wrong results"


def _unsupported(torch: Any) -> str:
    """Says so if the GPU's compute capability is missing in torch's build; "" otherwise, or if nothing is known."""
    try:
        capability = torch.cuda.get_device_capability()
        built_for = [name for name in torch.cuda.get_arch_list() if name.startswith("sm_")]
    except Exception:  # the GPU does not even answer
        return ""
    major, minor = capability
    known = [divmod(int(re.sub(r"\D", "", name)), 10) for name in built_for]
    if not known or any(major == its_major and minor >= its_minor for its_major, its_minor in known):
        return ""
    return f"compute capability {major}.{minor} is not supported by this torch ({' '.join(built_for)})"


def compute_device(torch: Any, system: GpuSystem) -> Any:
    """The torch device to compute on, a GPU with its index.

    Raises:
        NotReady: there is a GPU that torch cannot use.
    """
    fault = "" if system.wants_cpu else fault_of(torch)
    if chosen(system, torch_build(torch), fault) == "cpu":
        return torch.device("cpu")
    return torch.device("cuda", torch.cuda.current_device())


def described(torch: Any, device: Any, system: GpuSystem) -> str:
    """The device in one line: name, compute capability, memory, driver, torch."""
    build = torch_build(torch)
    if device.type == "cpu":
        return f"the CPU, {torch.get_num_threads()} threads, fp32; torch {build.version}"
    major, minor = torch.cuda.get_device_capability(device)
    free, total = torch.cuda.mem_get_info(device)
    return (
        f"{torch.cuda.get_device_name(device)}, compute capability {major}.{minor}, "
        f"{total / _GIB:.1f} GiB ({free / _GIB:.1f} free), fp16; driver {system.driver or 'unknown'}, "
        f"torch {build.version}, CUDA {build.cuda}"
    )


def examined(system: GpuSystem) -> str:
    """The device that a model would compute on here, in one line. Imports torch.

    Raises:
        NotReady: there is a GPU that torch cannot use.
    """
    import torch

    return described(torch, compute_device(torch, system), system)


_OUT_OF_MEMORY_WORDS = (
    "can't allocate memory",
    "not enough memory",
    "CUDA out of memory",
    "CUDA error: out of memory",
    "STATUS_ALLOC_FAILED",
    # cuBLAS and cuDNN make their handles when first used, and do not say that memory for them was missing.
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_INTERNAL_ERROR",
    "unable to find an engine to execute",
    "Unable to find a valid cuDNN algorithm",
    "NVML_SUCCESS ==",  # torch asks NVML for the process's memory when it reports that memory ran out
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out. CUDA's allocator and numpy have a class for it; the CPU's allocator
    and CUDA's libraries only say so in the message, some in other words."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return any(words in str(error) for words in _OUT_OF_MEMORY_WORDS)


def empty_cache(device: object) -> None:
    """Returns unused cached blocks to the device, which avoids fragmentation."""
    import torch

    if "cuda" in str(device):
        torch.cuda.empty_cache()
