"""Load a Dolphin: weights to the device in the right precision, words to tokens, pictures to tensors."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pdfbatch.engines.dolphin import memory
from pdfbatch.engines.dolphin.network import Network
from pdfbatch.errors import NotReady

if TYPE_CHECKING:
    from torch import Tensor

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
ANSWER = " <Answer/>"
"""Ends every prompt; the blank before it is part of the token (Dolphin's chat.py)."""
_CPU_SHARE = 0.25
"""Of the free memory of a machine without a GPU, for the model's rows."""


class Dolphin(NamedTuple):
    """A model ready to work."""

    network: Network
    words: Tokenizer
    eye: ImageProcessor
    plan: memory.BatchPlan
    is_cuda: bool


class Tokenizer:
    """The tokenizer: prompts in, text out."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.end = int(tokenizer.eos_token_id)
        self.unknown: int | None = tokenizer.unk_token_id
        """Never said, as in Dolphin's demo (its `bad_words_ids`)."""
        self._known: dict[str, list[int]] = {}

    def prompt(self, text: str) -> list[int]:
        if text not in self._known:
            tokens = self._tokenizer(f"<s>{text}{ANSWER}", add_special_tokens=False)["input_ids"]
            self._known[text] = [int(token) for token in tokens]
        return self._known[text]

    def text(self, tokens: Sequence[int]) -> str:
        """As Dolphin's demo cleans it up: all tokens, less padding and end marks, stripped."""
        said = self._tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        for mark in ("<pad>", "</s>", "<s>"):
            said = said.replace(mark, "")
        return str(said).strip()


class ImageProcessor:
    """Pictures → the encoder's input, on the device; equal in every bit to the published processor's normalisation."""

    def __init__(self, network: Network, mean: Sequence[float], std: Sequence[float]) -> None:
        import torch

        self._network = network
        self._torch = torch
        # The published processor scales in float64 and normalises in float32; a device's own division may round
        # otherwise, so the 256 values of each colour are looked up.
        scaled = (np.arange(256) * (1 / 255)).astype(np.float32)
        normal = (scaled - np.array(mean, np.float32)[:, None]) / np.array(std, np.float32)[:, None]
        self._tables = torch.from_numpy(normal).to(network.device, network.dtype)

    def __call__(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> Tensor:
        """E pictures, each height x width x 3 and at most side x side → E x 3 x side x side, each in the middle of
        black."""
        torch, side = self._torch, self._network.side
        canvas = np.zeros((len(pictures), side, side, 3), np.uint8)
        for place, picture in zip(canvas, pictures, strict=True):
            height, width = picture.shape[:2]
            top, left = (side - height) // 2, (side - width) // 2
            place[top : top + height, left : left + width] = picture
        pixels = torch.from_numpy(canvas).to(self._network.device).permute(0, 3, 1, 2)
        seen: Tensor = torch.stack([table[pixels[:, colour].int()] for colour, table in enumerate(self._tables)], dim=1)
        return seen


def load(folder: Path, memory_cap: float | None = None) -> Dolphin:
    """The model in `folder` on the GPU in fp16, or without one on the CPU in fp32. `memory_cap` is what it may use of
    the device, GiB; None: what is free.

    Raises:
        NotReady: torch or transformers are not installed, or the folder holds no Dolphin 1.0 or 1.5.
    """
    torch = _torch()
    _be_quiet()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    network = Network(_model(folder, dtype).to(device).eval())
    tokenizer = _tokenizer(folder, network.words)
    encoder = _config(folder, "config.json").get("encoder", {})
    shape = memory.shape_of(
        network.layers,
        network.width,
        network.picture_tokens,
        network.side,
        int(encoder.get("embed_dim", 128)),
        torch.finfo(dtype).bits // 8,
    )
    plan = memory.plan(shape, _free_bytes(device, memory_cap), **({} if device.type == "cuda" else _CPU_LIMITS))
    return Dolphin(
        network, Tokenizer(tokenizer), ImageProcessor(network, *_normalisation(folder)), plan, device.type == "cuda"
    )


_CPU_LIMITS = {"most_rows": 32, "most_pictures": 2}
"""On a CPU larger batches save little more and hold memory."""


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
    """Its progress bar would write over ours."""
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def _model(folder: Path, dtype: Any) -> Any:
    from transformers import VisionEncoderDecoderModel

    config = _config(folder, "config.json")
    if not config:
        raise NotReady(f"There is no model in {folder}: it holds no config.json.", "Give the model's own folder.")
    kind = config.get("model_type")
    if kind != "vision-encoder-decoder":
        raise NotReady(
            f"{folder} holds a model of type {kind!r}, not a Dolphin 1.0 or 1.5.",
            "Dolphin-v2 and other models are not supported; the default is ByteDance/Dolphin-1.5.",
        )
    try:
        # The dtype is always said: without it transformers 5 takes the file's, and loads fp16 onto CPUs.
        loaded: Any = VisionEncoderDecoderModel.from_pretrained(
            folder, dtype=dtype, local_files_only=True, output_loading_info=True
        )
    except Exception as error:  # safetensors' own errors have no other class
        raise NotReady(f"The model in {folder} cannot be loaded: {error}", "Fetch its files again.") from error
    model, told = loaded
    # transformers fills in what a file lacks with random numbers, and only warns; or leaves it without any.
    missing = set(told["missing_keys"])
    if lacking := [name for name, weight in model.named_parameters() if name in missing or weight.is_meta]:
        raise NotReady(f"The model in {folder} lacks weights: {lacking[0]} and others.", "Fetch its files again.")
    return model


def _tokenizer(folder: Path, words: int) -> Any:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # tokenizers' own errors have no other class
        raise NotReady(f"The tokenizer in {folder} cannot be loaded: {error}", "Fetch its files again.") from error
    marks = tokenizer(ANSWER, add_special_tokens=False)["input_ids"]
    if len(marks) != 1 or tokenizer.eos_token_id is None:
        missing = repr(ANSWER) if len(marks) != 1 else "an end mark"
        raise NotReady(f"The tokenizer in {folder} does not know {missing}.", "Give a Dolphin 1.0 or 1.5.")
    if max(*marks, tokenizer.eos_token_id) >= words:
        raise NotReady(f"Model and tokenizer in {folder} do not belong together.", "Fetch their files again.")
    return tokenizer


def _normalisation(folder: Path) -> tuple[Sequence[float], Sequence[float]]:
    """Mean and deviation that the model's own processor names; ImageNet's where it names none."""
    found = _config(folder, "preprocessor_config.json") or _config(folder, "processor_config.json")
    found = found.get("image_processor", found)
    return found.get("image_mean") or IMAGENET_MEAN, found.get("image_std") or IMAGENET_STD


def _config(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NotReady(f"{path} is damaged: {error}", "Fetch the model's files again.") from error
    return found if isinstance(found, dict) else {}


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
    """Linux says what programs can still have, its caches counted in; elsewhere half of all memory is taken for it."""
    try:
        told = dict(line.split(":") for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines())
        return int(told["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
