"""The benchmark's workload: pages whose elements have known lengths, and a model with random weights.

A page has 12 elements that the model reads, besides its layout of 25 tokens an element. Two pages in three have one
formula of 40 to 90 tokens, the third has two; every third page has a table of 400 to 1,200, every sixth a code block of
100 to 400; the rest are paragraphs, log-normal around a median of 80 (sigma 0.75), held within 40 and 1,200. That is
some 115 to 125 tokens an element. Figures are left out: they take no call of the model. Boxes are as large as such
texts would be: a line of a column for 12 tokens, sixty lines on a page.

The weights mean nothing and the end mark is never said, so each element ends at its own length: n tokens and one more,
which stands for the end mark.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from pdfbatch.engines.dolphin.layout import Box

Kind = Literal["layout", "table", "formula", "code", "text"]
Pixels = npt.NDArray[np.uint8]

ELEMENTS, LAYOUT_TOKENS = 12, 25
SHORTEST, LONGEST = 40, 1200
TOKENS_A_LINE, LINES, COLUMN = 12, 60, 0.42
"""`COLUMN` is a column's share of the page's width."""
PAGE_200_DPI, PAGE_AS_PUBLISHED = (1654, 2339), (634, 896)
"""Width and height of an A4 page as we draw it, and as Dolphin's own demo does (longest edge 896 px)."""

BOS, PAD, EOS = 0, 1, 2
_FIRST_WORD = 5
FEWEST_WORDS = _FIRST_WORD + 1
_PROMPT_TOKENS: dict[Kind, int] = {"layout": 10, "table": 9, "formula": 8, "code": 8, "text": 8}
"""As many as Dolphin's tokenizer makes of its prompts."""


class Geometry(NamedTuple):
    """Sizes of an encoder (Swin, patches of 4, windows of 7) and a decoder (mBART)."""

    side: int
    embed: int
    depths: tuple[int, ...]
    swin_heads: tuple[int, ...]
    width: int
    layers: int
    heads: int
    ffn: int
    vocab_size: int
    max_positions: int = 4096

    @property
    def picture_tokens(self) -> int:
        return (self.side // (4 * 2 ** (len(self.depths) - 1))) ** 2


FULL = Geometry(896, 128, (2, 2, 14, 2), (4, 8, 16, 32), 1024, 10, 16, 4096, 73_921)
"""Dolphin 1.0 and 1.5."""
QUARTER = Geometry(224, 32, (2, 2, 14, 2), (1, 2, 4, 8), 256, 10, 4, 1024, 18_480)
"""A quarter of every width, as many layers: on a CPU the decode loop decides, not the encoder."""


class Element(NamedTuple):
    """`box` in shares of the page: left, top, right, bottom."""

    kind: Kind
    tokens: int
    box: tuple[float, float, float, float]


class Page(NamedTuple):
    layout: Element
    elements: list[Element]

    @property
    def tokens(self) -> int:
        return sum(element.tokens for element in (self.layout, *self.elements))


def some_pages(count: int, shorter: int = 1, elements: int = ELEMENTS, seed: int = 0) -> list[Page]:
    """`count` pages, always the same for one `seed`. For small machines: `shorter` divides all lengths (not the
    pictures' sizes), and only the first `elements` elements of a page are kept."""
    chance = random.Random(seed)
    pages = []
    for number in range(count):
        found = _elements(number, chance)[:elements]
        layout = Element("layout", max(1, LAYOUT_TOKENS * len(found) // shorter), (0, 0, 1, 1))
        pages.append(Page(layout, [one._replace(tokens=max(1, one.tokens // shorter)) for one in found]))
    return pages


def _elements(number: int, chance: random.Random) -> list[Element]:
    found = [_element("formula", chance.randint(40, 90), chance) for _ in range(2 if number % 3 == 2 else 1)]
    if number % 3 == 0:
        found.append(_element("table", chance.randint(400, LONGEST), chance))
    if number % 6 == 1:
        found.append(_element("code", chance.randint(100, 400), chance))
    while len(found) < ELEMENTS:
        tokens = round(math.exp(chance.gauss(math.log(80), 0.75)))
        found.append(_element("text", min(max(tokens, SHORTEST), LONGEST), chance))
    chance.shuffle(found)
    return found


def _element(kind: Kind, tokens: int, chance: random.Random) -> Element:
    width = 2 * COLUMN if kind == "table" else COLUMN
    lines = 2 if kind == "formula" else math.ceil(tokens / TOKENS_A_LINE * COLUMN / width)
    height = min(0.95, lines / LINES)
    left, top = chance.uniform(0, 1 - width), chance.uniform(0, 1 - height)
    return Element(kind, tokens, (left, top, left + width, top + height))


def page_picture(size: tuple[int, int], seed: int = 0) -> Pixels:
    """A page of grey marks in lines, `size` (width, height) large, height x width x 3."""
    width, height = size
    marks = np.random.default_rng(seed).integers(0, 256, (LINES * 2, width // 4), dtype=np.uint8)
    marks[1::2] = 255
    rows = np.arange(height) * len(marks) // height
    columns = np.minimum(np.arange(width) // 4, marks.shape[1] - 1)
    return np.repeat(marks[rows][:, columns, None], 3, axis=2)


def box_on(element: Element, picture: Pixels) -> Box:
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = element.box
    return Box(int(x0 * width), int(y0 * height), max(1, int(x1 * width)), max(1, int(y1 * height)))


def prompt(kind: Kind, geometry: Geometry) -> list[int]:
    """As many tokens as Dolphin's prompt for this kind of element has, but meaningless ones."""
    chance = random.Random(kind)
    return [BOS, *(chance.randrange(_FIRST_WORD, geometry.vocab_size) for _ in range(_PROMPT_TOKENS[kind] - 1))]


def random_model(geometry: Geometry, device: str = "cpu", seed: int = 0) -> Any:
    """transformers' model of Dolphin's classes in memory: fp16 on CUDA, else fp32. It never says the end mark."""
    import torch
    from transformers import DonutSwinConfig, MBartConfig, VisionEncoderDecoderConfig, VisionEncoderDecoderModel

    encoder = DonutSwinConfig(
        image_size=[geometry.side] * 2,
        patch_size=4,
        embed_dim=geometry.embed,
        depths=list(geometry.depths),
        num_heads=list(geometry.swin_heads),
        window_size=7,
    )
    decoder = MBartConfig(
        vocab_size=geometry.vocab_size,
        d_model=geometry.width,
        decoder_layers=geometry.layers,
        encoder_layers=geometry.layers,  # not used, but transformers sizes its cache by it
        decoder_attention_heads=geometry.heads,
        decoder_ffn_dim=geometry.ffn,
        max_position_embeddings=geometry.max_positions,
        is_decoder=True,
        is_encoder_decoder=False,
        add_cross_attention=True,
        scale_embedding=True,
        add_final_layer_norm=True,
        tie_word_embeddings=True,
        bos_token_id=BOS,
        pad_token_id=PAD,
        eos_token_id=EOS,
    )
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = BOS, PAD, EOS
    torch.manual_seed(seed)
    dtype = torch.float16 if "cuda" in device else torch.float32
    with torch.device(device):
        model = VisionEncoderDecoderModel(config)
    model.decoder.get_output_embeddings().weight.data[EOS] = 0  # its score is 0, and some other's is always above
    return model.to(device=device, dtype=dtype).eval()


def words_of(pages: Sequence[Page]) -> int:
    return sum(page.tokens for page in pages)
