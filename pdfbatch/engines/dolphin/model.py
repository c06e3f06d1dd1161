"""Load a Dolphin model: weights onto the device in the right precision, pictures to tensors."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pdfbatch.engines.dolphin import memory
from pdfbatch.engines.dolphin.device import GpuSystem, compute_device, described, gpu_system
from pdfbatch.engines.dolphin.model_files import read_config
from pdfbatch.engines.dolphin.network import Network
from pdfbatch.engines.dolphin.tokenizer import Tokenizer, load_tokenizer
from pdfbatch.errors import NotReady

if TYPE_CHECKING:
    from torch import Tensor

_log = logging.getLogger(__name__)

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CPU_SHARE = 0.25
"""Share of the free memory for the model's rows, on a machine without a GPU."""


class Dolphin(NamedTuple):
    """A loaded model with everything needed to run it."""

    network: Network
    tokenizer: Tokenizer
    image_processor: ImageProcessor
    plan: memory.BatchPlan
    is_cuda: bool


class ImageProcessor:
    """Makes the encoder's input on the device; bit for bit equal to the published processor's normalisation."""

    def __init__(self, network: Network, mean: Sequence[float], std: Sequence[float]) -> None:
        import torch

        self._network = network
        self._torch = torch
        # The published processor scales in float64 and normalises in float32; the device's division may round
        # differently, so the 256 values of each colour come from a table.
        scaled = (np.arange(256) * (1 / 255)).astype(np.float32)
        normal = (scaled - np.array(mean, np.float32)[:, None]) / np.array(std, np.float32)[:, None]
        self._tables = torch.from_numpy(normal).to(network.device, network.dtype)

    def __call__(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> Tensor:
        """E pictures, each height x width x 3 and at most side x side → E x 3 x side x side, centred on black."""
        torch, side = self._torch, self._network.side
        canvas = np.zeros((len(pictures), side, side, 3), np.uint8)
        for place, picture in zip(canvas, pictures, strict=True):
            height, width = picture.shape[:2]
            top, left = (side - height) // 2, (side - width) // 2
            place[top : top + height, left : left + width] = picture
        pixels = torch.from_numpy(canvas).to(self._network.device).permute(0, 3, 1, 2)
        seen: Tensor = torch.stack([table[pixels[:, colour].int()] for colour, table in enumerate(self._tables)], dim=1)
        return seen


def load(
    folder: Path, memory_cap: float | None = None, system: GpuSystem | None = None, as_published: bool = False
) -> Dolphin:
    """Loads the model in `folder` onto the GPU in fp16, or without a GPU onto the CPU in fp32. `memory_cap` limits the
    device memory it may use, in GiB; None: all that is free. `system`: what is known of a GPU; None: look for one.
    `as_published`: pictures are encoded and texts decoded as by Dolphin's own program.

    Raises:
        NotReady: torch or transformers are not installed, there is a GPU that torch cannot use, or the folder holds no
            Dolphin 1.0 or 1.5.
    """
    torch = _torch()
    _be_quiet()
    system = system or gpu_system()
    device = compute_device(torch, system)
    _log.info("the model computes on %s", described(torch, device, system))
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    network = Network(_model(folder, dtype).to(device).eval(), published_encoder=as_published)
    tokenizer = load_tokenizer(folder, network.vocab_size, as_published)
    encoder = read_config(folder, "config.json").get("encoder", {})
    shape = memory.shape_of(
        network.layers,
        network.width,
        network.picture_tokens,
        network.side,
        int(encoder.get("embed_dim", 128)),
        torch.finfo(dtype).bits // 8,
    )
    plan = memory.plan(shape, _free_bytes(device, memory_cap), **({} if device.type == "cuda" else _CPU_LIMITS))
    image_processor = ImageProcessor(network, *_normalisation(folder))
    return Dolphin(network, tokenizer, image_processor, plan, device.type == "cuda")


_CPU_LIMITS = {"most_rows": 32, "most_pictures": 2}
"""On a CPU larger batches save little and cost memory."""


def _torch() -> Any:
    try:
        import torch
        import transformers  # noqa: F401
    except ImportError as error:
        raise NotReady(
            f"The dolphin engine needs torch and transformers ({error.name} is not installed).",
            "pip install '.[dolphin]' in the clone (docs/dolphin.md), or use --engine cpu.",
        ) from error
    return torch


def _be_quiet() -> None:
    """Disables transformers' progress bar, which would overwrite ours."""
    from transformers.utils import logging

    logging.disable_progress_bar()


def _model(folder: Path, dtype: Any) -> Any:
    from transformers import VisionEncoderDecoderModel

    config = read_config(folder, "config.json")
    if not config:
        raise NotReady(f"There is no model in {folder}: it holds no config.json.", "Pass the model's own folder.")
    kind = config.get("model_type")
    if kind != "vision-encoder-decoder":
        raise NotReady(
            f"{folder} holds a model of type {kind!r}, not a Dolphin 1.0 or 1.5.",
            "Dolphin-v2 and other models are not supported; the default is ByteDance/Dolphin-1.5.",
        )
    try:
        # Always pass the dtype: without it transformers 5 takes the file's, and loads fp16 onto CPUs.
        loaded: Any = VisionEncoderDecoderModel.from_pretrained(
            folder, dtype=dtype, local_files_only=True, output_loading_info=True
        )
    except Exception as error:  # safetensors' errors have no more specific class
        raise NotReady(f"The model in {folder} cannot be loaded: {error}", "Download its files again.") from error
    model, loading_info = loaded
    # transformers only warns about missing weights: it fills them with random numbers or leaves them empty.
    missing = set(loading_info["missing_keys"])
    if lacking := [name for name, weight in model.named_parameters() if name in missing or weight.is_meta]:
        raise NotReady(f"The model in {folder} lacks weights: {lacking[0]} and others.", "Download its files again.")
    return model


def _normalisation(folder: Path) -> tuple[Sequence[float], Sequence[float]]:
    """Mean and standard deviation from the model's processor config; ImageNet's if it has none."""
    found = read_config(folder, "preprocessor_config.json") or read_config(folder, "processor_config.json")
    found = found.get("image_processor", found)
    return found.get("image_mean") or IMAGENET_MEAN, found.get("image_std") or IMAGENET_STD


def _free_bytes(device: Any, cap: float | None) -> int:
    import torch

    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        if cap is not None:
            torch.cuda.set_per_process_memory_fraction(min(1.0, cap * 2**30 / total), device)
            free = min(free, int(cap * 2**30) - torch.cuda.memory_allocated(device))
        return int(free)
    return int(_available_bytes() * _CPU_SHARE)


def _available_bytes() -> int:
    """Memory that programs can still allocate: Linux's MemAvailable, elsewhere half of all memory."""
    try:
        sizes = dict(line.split(":") for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines())
        return int(sizes["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
