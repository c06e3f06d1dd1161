"""The baseline: Dolphin 1.5's own way of reading pages, reimplemented from what is known of its demo.

One page at a time; one `generate` for its layout; then tables, formulas, code and text, each kind in batches of at most
16 of this page; transformers' own image processor for each crop, on the thread that also computes; crops cut from a
page of 896 px; greedy, with the cache. A batch goes on until its longest row has ended. Drawing the page, the layout's
grammar and the tokenizer are left out on both sides.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from pdfbatch.engines.dolphin.images import crop
from pdfbatch.engines.dolphin.model import IMAGENET_MEAN, IMAGENET_STD

from .dolphin_work import PAGE_AS_PUBLISHED, Element, Geometry, Kind, Page, Pixels, box_on, page_picture, prompt

BATCH = 16
ORDER: tuple[Kind, ...] = ("table", "formula", "code", "text")


class Baseline(NamedTuple):
    """`tokens` counts those of the elements, not the padding of a batch's shorter rows."""

    pages: int
    seconds: float
    cpu: float
    """CPU seconds that this process used."""
    tokens: int
    pictures: int
    steps: int
    preparing: float
    """Seconds that the image processor took."""
    lengths: list[list[int]]
    """The number of tokens of each element, the layout first."""


class PageByPage:
    def __init__(self, model: Any, geometry: Geometry) -> None:
        self._model = model
        self._geometry = geometry
        self._processor = stock_processor(geometry.side)
        self._picture = page_picture(PAGE_AS_PUBLISHED)
        self._steps = self._pictures = 0
        self._preparing = 0.0

    def read(self, pages: Sequence[Page]) -> Baseline:
        import torch

        self._steps, self._pictures, self._preparing = 0, 0, 0.0
        began, cpu_began = time.perf_counter(), time.process_time()
        with torch.inference_mode():
            lengths = [self._page(page) for page in pages]
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
        tokens = sum(map(sum, lengths))
        return Baseline(len(pages), seconds, cpu, tokens, self._pictures, self._steps, self._preparing, lengths)

    def _page(self, page: Page) -> list[int]:
        said = dict(zip([0], self._generate([page.layout]), strict=True))
        for kind in ORDER:
            places = [place for place, element in enumerate(page.elements, 1) if element.kind == kind]
            for start in range(0, len(places), BATCH):
                batch = places[start : start + BATCH]
                said |= zip(batch, self._generate([page.elements[place - 1] for place in batch]), strict=True)
        return [said[place] for place in range(len(page.elements) + 1)]

    def _generate(self, elements: Sequence[Element]) -> list[int]:
        """One batch; how many tokens of its own each row said before its end mark's place."""
        import torch

        pixels = self._prepared([crop(self._picture, box_on(element, self._picture)) for element in elements])
        words = prompt(elements[0].kind, self._geometry)
        prompts = torch.tensor([words] * len(elements), device=self._model.device)
        longest = max(element.tokens for element in elements) + 1  # the end mark is said too
        said = self._model.generate(
            pixel_values=pixels,
            decoder_input_ids=prompts,
            decoder_attention_mask=torch.ones_like(prompts),
            max_new_tokens=longest,
            do_sample=False,
            num_beams=1,
            use_cache=True,
        ).tolist()
        self._steps += len(said[0]) - len(words)
        self._pictures += len(elements)
        return [len(row[len(words) :][: element.tokens]) for row, element in zip(said, elements, strict=True)]

    def _prepared(self, crops: Sequence[Pixels]) -> Any:
        began = time.perf_counter()
        pixels = self._processor(list(crops), return_tensors="pt").pixel_values
        self._preparing += time.perf_counter() - began
        return pixels.to(self._model.device, self._model.dtype)


def stock_processor(side: int) -> Any:
    """The installed transformers' processor with Dolphin's settings; without torchvision transformers 5 has one on
    Pillow."""
    import transformers

    settings = {
        "size": {"height": side, "width": side},
        "resample": 2,
        "do_align_long_axis": False,
        "image_mean": list(IMAGENET_MEAN),
        "image_std": list(IMAGENET_STD),
    }
    return transformers.DonutImageProcessor(**settings)
