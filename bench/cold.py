"""Measure a cold start of Dolphin: from the start of the process to the first token of the first page's layout.

A folder with random weights of Dolphin's size in fp16, and a tokenizer of its size, is made first. Each part is
measured in a new process, whose file cache is warm: reading 0.64 GB from a disk comes on top.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pymupdf

from .figures import Figure, Section
from .measure import ROOT, say

RUNS = 3
ADDED = 23_900
"""Tokens that Dolphin's tokenizer has beside its ordinary ones: digits, punctuation, tags, CJK."""


class Part(NamedTuple):
    name: str
    seconds: float
    cpu: float


def run(corpus: Path, scratch: Path) -> list[Section]:
    if find_spec("torch") is None or find_spec("transformers") is None:
        return [Section("Cold start of Dolphin", [], ["not measured: torch and transformers are not installed"])]
    folder, page = make_folder(scratch / "model"), make_page(scratch / "page.pdf")
    say("cold: a model of Dolphin's size is made")
    runs = [started(folder, page, scratch) for _ in range(RUNS)]
    best = min(runs, key=lambda found: sum(part.cpu for part in found["parts"]))
    parts = best["parts"]
    return [
        Section(
            "Cold start of Dolphin, from the start of the process to the first token",
            [
                *(Figure(part.name, f"{part.seconds:.2f} s, {part.cpu:.2f} CPU s") for part in parts),
                Figure("in all", f"{sum(p.seconds for p in parts):.2f} s, {sum(p.cpu for p in parts):.2f} CPU s"),
                Figure("private memory after the weights", best["private"] / 2**20, "MiB"),
                Figure("memory of mapped files after the weights", best["mapped"] / 2**20, "MiB"),
            ],
            [
                f"the best of {RUNS} new processes by CPU time; on {best['device']}",
                "random weights of Dolphin 1.5's size, fp16 on disk; file cache warm",
                f"a tokenizer of 73,921 tokens, {ADDED:,} of them added",
                "a run fetches and checks documents meanwhile (engines/dolphin/deferred.py)",
            ],
        )
    ]


def make_folder(folder: Path) -> Path:
    """A model's folder as from the Hub, of the full size."""
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

    from pdfbatch.engines.dolphin.tokenizer import PROMPT_TOKENS, VOCABULARY

    from .dolphin_work import FULL, random_model

    folder.mkdir()
    random_model(FULL).half().save_pretrained(folder)
    pieces = {token: f"piece{token}" for token in range(VOCABULARY)}
    for text, (start, *middle, stop, answer) in PROMPT_TOKENS.items():
        first, *others = text.removesuffix(".").split(" ")
        pieces |= dict(zip(middle, [first, *(f" {word}" for word in others)], strict=True))
        pieces |= {start: "<s>", stop: ".", answer: " <Answer/>", 1: "<pad>", 2: "</s>", 3: "<unk>"}
    tokenizer = Tokenizer(models.WordLevel({piece: token for token, piece in pieces.items()}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(".", "isolated"), pre_tokenizers.Split(" ", "merged_with_next")]
    )
    added = [pieces[token] for token in (*range(4), *range(VOCABULARY - ADDED, VOCABULARY))]
    tokenizer.add_special_tokens([AddedToken(piece, normalized=False) for piece in added])
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def make_page(path: Path) -> Path:
    document = pymupdf.open()
    page = document.new_page()
    for line in range(45):
        page.insert_text((72, 72 + 15 * line), f"Line {line} of a page that is read first after a start.")
    document.save(path)
    return path


def started(folder: Path, page: Path, scratch: Path) -> dict[str, Any]:
    """One start, in a new process."""
    command = [sys.executable, "-m", "bench.cold", str(folder), str(page), str(scratch / "page.rgb")]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout)
    return {**said, "parts": [Part(*part) for part in said["parts"]]}


def _main(folder: Path, page: Path, drawn: Path) -> None:
    parts: list[Part] = []
    began, cpu = psutil.Process().create_time(), 0.0

    def done(name: str) -> None:
        nonlocal began, cpu
        now, used = time.time(), time.process_time()
        parts.append(Part(name, now - began, used - cpu))
        began, cpu = now, used

    done("Python, and what this script imports")
    found: dict[str, Any] = {}
    for name, step in _steps(folder, page, drawn, found):
        step()
        done(name)
        if name == WEIGHTS:
            memory = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
            found |= {"private": _kib(memory["RssAnon"]), "mapped": _kib(memory["RssFile"])}
    print(json.dumps({"parts": parts, **{name: found[name] for name in ("private", "mapped", "device")}}))


WEIGHTS = "the model: weights, tokenizer, device"


def _steps(folder: Path, page: Path, drawn: Path, found: dict[str, Any]) -> Iterator[tuple[str, Callable[[], object]]]:
    def import_torch() -> None:
        import torch  # noqa: F401

    def import_transformers() -> None:
        from transformers import VisionEncoderDecoderModel  # noqa: F401

    def load_tokenizer() -> None:
        from pdfbatch.engines.dolphin import tokenizer

        tokenizer.load_tokenizer(folder, tokenizer.VOCABULARY)

    def load() -> None:
        from pdfbatch.engines.dolphin import model

        found["model"] = model.load(folder)
        found["device"] = str(found["model"].network.device)

    def draw() -> None:
        from pdfbatch.engines.dolphin.tasks import Prepared, prepare_page
        from pdfbatch.records import ReadOptions

        prepared = prepare_page(str(page), 1, ReadOptions(), found["model"].network.side, str(drawn), False)
        assert isinstance(prepared, Prepared)
        found["picture"] = prepared.layout

    yield "import torch", import_torch
    yield "import transformers", import_transformers
    yield "the tokenizer alone", load_tokenizer
    yield WEIGHTS, load
    yield "the first page drawn (in a child, in a run)", draw
    yield "encoded, and the first token", lambda: _first_token(found["model"], found["picture"])


def _first_token(dolphin: Any, picture: Any) -> None:
    import torch

    from pdfbatch.engines.dolphin.decode import DecodeJob, Decoder
    from pdfbatch.engines.dolphin.layout import LAYOUT_PROMPT

    decoder = Decoder(dolphin.network, dolphin.plan, dolphin.image_processor, dolphin.tokenizer.end)
    prompt = dolphin.tokenizer.prompt(LAYOUT_PROMPT)
    decoder.add(DecodeJob(picture, prompt, 0, 1, lambda _: None, limit=1))
    with torch.inference_mode():
        while decoder.meter.tokens == 0:
            decoder.turn()


def _kib(line: str) -> int:
    return int(line.split()[0]) * 1024


if __name__ == "__main__":
    _main(*map(Path, sys.argv[1:]))
