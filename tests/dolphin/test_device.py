"""Which device computes, what is said where a GPU cannot be used, and how errors of devices are recognised."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pdfbatch.cli.account import gpu_check
from pdfbatch.engines.dolphin.device import (
    GpuSystem,
    TorchBuild,
    chosen,
    compute_device,
    described,
    fault_of,
    gpu_system,
    is_out_of_memory,
)
from pdfbatch.errors import NotReady, UsageError

T4 = GpuSystem(is_loaded=True, driver="550.54.15", is_reachable=True)
NONE = GpuSystem()
CUDA, CPU_BUILD = TorchBuild("2.13.0+cu126", "12.6"), TorchBuild("2.13.0+cpu", None)
CLOSED = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\nGCC 12.2.0"
OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (dvs-builder@U22)\n"


def machine(root: Path, driver: str | None, control: bool) -> Path:
    if driver is not None:
        (root / "proc/driver/nvidia").mkdir(parents=True)
        (root / "proc/driver/nvidia/version").write_text(driver)
    if control:
        (root / "dev").mkdir()
        (root / "dev/nvidiactl").touch()
    return root


@pytest.mark.parametrize(
    ("driver", "control", "found"),
    [
        (CLOSED, True, T4),
        (OPEN, True, T4._replace(driver="580.65.06")),
        ("something new", True, T4._replace(driver="")),
        (CLOSED, False, T4._replace(is_reachable=False)),
        (None, True, GpuSystem(is_reachable=True)),
        (None, False, NONE),
    ],
)
def test_a_gpu_is_found_by_its_drivers_files(
    tmp_path: Path, driver: str | None, control: bool, found: GpuSystem
) -> None:
    assert gpu_system({}, machine(tmp_path, driver, control)) == found


@pytest.mark.parametrize(
    ("environment", "wants_cpu"),
    [
        ({}, False),
        ({"CUDA_VISIBLE_DEVICES": "0"}, False),
        ({"CUDA_VISIBLE_DEVICES": ""}, True),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, True),
        ({"PDFBATCH_DEVICE": "cpu"}, True),
        ({"PDFBATCH_DEVICE": ""}, False),
    ],
)
def test_the_environment_may_ask_for_the_cpu(tmp_path: Path, environment: dict[str, str], wants_cpu: bool) -> None:
    assert gpu_system(environment, tmp_path).wants_cpu is wants_cpu


def test_an_unknown_device_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="tpu"):
        gpu_system({"PDFBATCH_DEVICE": "tpu"}, tmp_path)


@pytest.mark.parametrize(
    ("system", "build", "fault", "device"),
    [
        (T4, CUDA, "", "cuda"),
        (NONE, CUDA, "", "cuda"),  # as under WSL, whose driver is elsewhere
        (NONE, CUDA, "Found no NVIDIA driver on your system", "cpu"),
        (NONE, CPU_BUILD, "Torch not compiled with CUDA enabled", "cpu"),
        (T4._replace(wants_cpu=True), CUDA, "", "cpu"),
        (T4._replace(wants_cpu=True), CPU_BUILD, "Torch not compiled with CUDA enabled", "cpu"),
    ],
)
def test_the_model_computes_on_the_gpu_if_there_is_one(
    system: GpuSystem, build: TorchBuild, fault: str, device: str
) -> None:
    assert chosen(system, build, fault) == device


@pytest.mark.parametrize(
    ("system", "build", "fault", "why", "fix"),
    [
        (T4, CPU_BUILD, "Torch not compiled with CUDA enabled", "built without CUDA", "Install torch with CUDA"),
        (
            T4._replace(driver="470.256.02"),
            CUDA,
            "The NVIDIA driver on your system is too old (found version 11040)",
            "driver is too old, CUDA 12.6 needs 525.60 or newer",
            "Update the driver",
        ),
        (
            T4,
            TorchBuild("2.13.0+cu130", "13.0"),
            "The NVIDIA driver on your system is too old (found version 12040)",
            "CUDA 13.0 needs 580.65 or newer",
            "TORCH_INDEX",
        ),
        (
            T4,
            CUDA,
            "CUDA error: all CUDA-capable devices are busy or unavailable",
            "all CUDA-capable devices are busy",
            "nvidia-smi shows",
        ),
        (T4, CUDA, "CUDA out of memory. Tried to allocate 2 MiB", "CUDA out of memory", "what uses it"),
        (T4, CUDA, "CUDA error: no kernel image is available for execution on the device", "no kernel", "TORCH_INDEX"),
        (T4._replace(is_reachable=False), CUDA, "No CUDA GPUs are available", "no access", "docker run --gpus all"),
        (GpuSystem(is_reachable=True), CUDA, "unknown error", "driver unknown", "nvidia-smi"),
    ],
)
def test_a_gpu_that_cannot_be_used_is_an_error_with_versions_and_fix(
    system: GpuSystem, build: TorchBuild, fault: str, why: str, fix: str
) -> None:
    with pytest.raises(NotReady) as error:
        chosen(system, build, fault)
    assert why in error.value.message and fix in error.value.hint
    assert build.version in error.value.message and (system.driver or "unknown") in error.value.message
    assert (build.cuda or "for the CPU only") in error.value.message
    assert "PDFBATCH_DEVICE=cpu" in error.value.hint
    assert "\n" not in error.value.message + error.value.hint


class Ones:
    """A tensor whose product may come out wrong."""

    def __init__(self, total: float) -> None:
        self.total = total

    def __matmul__(self, other: Ones) -> Ones:
        return self

    def sum(self) -> float:
        return self.total


def torch_that(fails: Exception | None = None, total: float = 4096.0, arches: str = "sm_75 sm_80") -> Any:
    """What this package uses of torch, on a T4."""

    def init() -> None:
        warnings.warn("CUDA initialization: something", stacklevel=1)
        if fails is not None:
            raise fails

    cuda = SimpleNamespace(
        init=init,
        current_device=lambda: 1,
        get_device_capability=lambda *_: (7, 5),
        get_arch_list=arches.split,
        mem_get_info=lambda _: (15 * 2**30, 15.5 * 2**30),
        get_device_name=lambda _: "Tesla T4",
    )
    version = SimpleNamespace(cuda="12.6")
    ones = lambda *_, **__: Ones(total)  # noqa: E731
    return SimpleNamespace(
        cuda=cuda,
        ones=ones,
        device=lambda *name: name,
        float16="half",
        version=version,
        __version__="2.13.0+cu126",
    )


@pytest.mark.parametrize(
    ("torch", "fault"),
    [
        (torch_that(), ""),
        (torch_that(total=1.0), "wrong results"),
        (torch_that(AssertionError("Torch not compiled with CUDA enabled")), "Torch not compiled with CUDA enabled"),
        (torch_that(RuntimeError("CUDA error: busy.\nCUDA kernel errors might…")), "CUDA error: busy"),
        (torch_that(RuntimeError()), "RuntimeError"),
        (torch_that(RuntimeError("no kernel image"), arches="sm_80 sm_90a"), "compute capability 7.5 is not supported"),
        (torch_that(RuntimeError("no kernel image"), arches="sm_70 sm_120"), "no kernel image"),
    ],
)
def test_torch_is_tried_and_its_word_is_kept_in_one_line(torch: Any, fault: str) -> None:
    said = fault_of(torch)
    assert said == fault if not fault else fault in said
    assert "\n" not in said


def test_a_gpu_has_its_index_which_a_cap_on_memory_needs() -> None:
    assert compute_device(torch_that(), T4) == ("cuda", 1)
    assert compute_device(torch_that(), T4._replace(wants_cpu=True)) == ("cpu",)


def test_the_device_is_described_with_all_that_a_report_needs() -> None:
    said = described(torch_that(), SimpleNamespace(type="cuda"), T4)
    for part in ("Tesla T4", "7.5", "15.5 GiB", "550.54.15", "2.13.0+cu126", "CUDA 12.6"):
        assert part in said


def test_the_doctor_has_a_row_for_this_computers_gpu() -> None:
    assert gpu_check(NONE).state == "ok" and "none" in gpu_check(NONE).found
    assert gpu_check(T4._replace(wants_cpu=True)).state == "ok"


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


MEMORY = [
    MemoryError("Unable to allocate 2 GiB for an array"),
    OutOfMemoryError("anything"),
    RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 14.58 GiB"),
    RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] data. DefaultCPUAllocator: not enough memory: you tried 9 bytes"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("cuDNN error: CUDNN_STATUS_NOT_INITIALIZED"),
    RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR"),
    RuntimeError("FIND was unable to find an engine to execute this computation"),
    RuntimeError("GET was unable to find an engine to execute this computation"),
    RuntimeError("Unable to find a valid cuDNN algorithm to run convolution"),
    RuntimeError('NVML_SUCCESS == r INTERNAL ASSERT FAILED at "CUDACachingAllocator.cpp":1131, please report a bug'),
]
RECORDING = [
    RuntimeError("CUDA error: operation not permitted when stream is capturing"),
    RuntimeError("CUDA error: operation failed due to a previous error during capture"),
    RuntimeError("cudaErrorStreamCaptureInvalidated"),
    RuntimeError("CUDA error: operation would result in a merge of separate capture sequences"),
    RuntimeError("CUDA error: capture was not initiated in this stream"),
    RuntimeError("CUDA error: capturing stream has unjoined work"),
    RuntimeError("CUDA error: dependency created on uncaptured work in another stream"),
    RuntimeError("Cannot prepare for replay during capturing stage."),
]
OTHER = [
    RuntimeError("CUDA error: an illegal memory access was encountered"),
    RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx`"),
    RuntimeError("CUDA error: unspecified launch failure"),
    RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    RuntimeError("CUDA error: no kernel image is available for execution on the device"),
    RuntimeError("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)"),
    ValueError("memory"),
]


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [*((error, True) for error in MEMORY), *((error, False) for error in (*RECORDING, *OTHER))],
    ids=str,
)
def test_out_of_memory_is_told_from_other_errors(error: Exception, is_memory: bool) -> None:
    assert is_out_of_memory(error) == is_memory
