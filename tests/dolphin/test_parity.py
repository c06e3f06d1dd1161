"""Row for row, the pool says what transformers' `generate` says."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest

from pdfbatch.engines.dolphin.decode import PENALTY, Decoder, Decoding, SpecialTokens
from pdfbatch.engines.dolphin.memory import FIRST_LENGTH
from pdfbatch.engines.dolphin.model import IMAGENET_MEAN, IMAGENET_STD, ImageProcessor
from pdfbatch.engines.dolphin.network import Network

from .networks import (
    END,
    WAYS,
    Reading,
    draft_of,
    plan,
    random_model,
    torch,
)

CROPS, LONGEST = 264, 112
TIE = 1e-4
"""Of scores around 9, in single precision."""
PROMPTS = [[0, 10, 4], [0, 20, 21, 22, 4], [0, 30, 31, 32, 33, 34, 35, 4], [0, *range(40, 51), 4]]
"""Of four lengths, as Dolphin's own prompts are."""
FEW_CROPS, MORE_THAN_FIRST = 48, FIRST_LENGTH + 40
LONG_PROMPTS = [[0, 10, 4], [0, *[11, 12, 13, 14] * 60, 4]]
"""Of which the second makes a cache grow soon."""


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


class Asked:
    """Random crops, each with a prompt, and what `generate` says to them."""

    def __init__(self, crops: int, prompts: list[list[int]], max_positions: int) -> None:
        self.model = random_model(max_positions=max_positions)
        self.network = Network(self.model)
        self.eye = ImageProcessor(self.network, IMAGENET_MEAN, IMAGENET_STD)
        chance = np.random.default_rng(0)
        page = chance.integers(0, 256, (400, 400, 3)).astype(np.uint8)
        sizes = [(1, 1), (1, 128), (128, 1), (128, 128), *chance.integers(1, 129, (crops - 4, 2)).tolist()]
        corners = chance.integers(0, 400 - 128, (crops, 2)).tolist()
        self.crops = [page[y : y + h, x : x + w] for (y, x), (h, w) in zip(corners, sizes, strict=True)]
        self.prompts = [prompts[number % len(prompts)] for number in range(crops)]
        self.full = [max_positions - len(prompt) - 1 for prompt in self.prompts]
        """Tokens for which there is room, the last place being the end mark's."""
        self.tied: set[int] = set()
        """Crops for which two words were as likely but for rounding: which of them is said depends on the processor."""
        self.said = self.generated(range(crops))

    def generated(self, numbers: Any, **how: Any) -> dict[int, list[int]]:
        """All that follows the prompt, less the end mark and what fills up the batch."""
        said = {}
        for prompt in {tuple(self.prompts[number]) for number in numbers}:
            batch = [number for number in numbers if tuple(self.prompts[number]) == prompt]
            with torch.inference_mode():
                heard = self.model.generate(
                    pixel_values=self.eye([self.crops[number] for number in batch]),
                    decoder_input_ids=torch.tensor([prompt] * len(batch)),
                    max_length=self.network.max_positions,
                    do_sample=False,
                    output_logits=True,
                    return_dict_in_generate=True,
                    **how,
                )
            best = torch.stack(heard.logits).topk(2).values
            leads = (best[..., 0] - best[..., 1]).T.tolist()
            for number, row, lead in zip(batch, heard.sequences[:, len(prompt) :].tolist(), leads, strict=True):
                said[number] = row[: row.index(END)]
                if min(lead[: len(said[number]) + 1]) < TIE:
                    self.tied.add(number)
        return said

    def decoder(self, its_plan: Any, how: Decoding, banned_token: int | None = None) -> Decoder:
        return Decoder(self.network, its_plan, self.eye, SpecialTokens(END, banned_token), how)


@pytest.fixture(scope="module")
def asked() -> Asked:
    return Asked(CROPS, PROMPTS, LONGEST)


@pytest.fixture(scope="module")
def asked_at_length() -> Asked:
    return Asked(FEW_CROPS, LONG_PROMPTS, MORE_THAN_FIRST)


@pytest.mark.slow
def test_the_random_model_is_worth_comparing_with(asked: Asked) -> None:
    assert len(asked.tied) < CROPS // 50
    said = list(asked.said.values())
    assert len({tuple(line) for line in said}) > CROPS * 3 // 4
    assert len({len(line) for line in said}) > 40
    assert CROPS // 20 < sum(len(asked.said[number]) == most for number, most in enumerate(asked.full)) < CROPS * 2 // 3


def assert_same(asked: Asked, reading: Reading, crops: int) -> None:
    """Reads them in a random order, from several page groups, and compares token by token."""
    numbers = list(range(crops))
    random.Random(1).shuffle(numbers)
    dice = random.Random(2)
    for number in numbers:
        draft = draft_of(asked.said[number], dice)
        reading.add(
            number,
            asked.crops[number],
            asked.prompts[number],
            page_group=number // 40,
            expected=number % 7,
            draft=draft,
        )
    read = reading.until_idle()
    clear = [number for number in numbers if number not in asked.tied]
    assert {number: read[number].tokens for number in clear} == {number: asked.said[number] for number in clear}
    for number in clear:
        assert read[number].ending == "whole" or len(read[number].tokens) == asked.full[number]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("crops", "its_plan", "way"),
    [
        pytest.param(CROPS, plan(rows=24, pictures=16), "heard at every 4th step", id="all crops, 24 rows"),
        pytest.param(CROPS, plan(rows=64, pictures=16), "all at once", id="all crops, 64 rows, drafts and graphs"),
        pytest.param(96, plan(rows=3, pictures=2), "step by step", id="3 rows"),
        pytest.param(24, plan(rows=1, pictures=2), "with drafts", id="1 row, drafts"),
    ],
)
def test_pooled_rows_say_what_generate_says(asked: Asked, crops: int, its_plan: Any, way: str) -> None:
    """Greedy, single precision, those cut at the last place included; run with transformers 4.57.6 and 5.23.0."""
    assert_same(asked, Reading(asked.decoder(its_plan, WAYS[way]())), crops)


@pytest.mark.slow
def test_attention_by_matrix_products_says_what_generate_says(asked: Asked) -> None:
    asked.network.attention = "products"
    try:
        assert_same(asked, Reading(asked.decoder(plan(rows=16, pictures=8), WAYS["all at once"]())), 64)
    finally:
        asked.network.attention = "fused"


@pytest.mark.slow
@pytest.mark.parametrize("way", ["step by step", "all at once"])
def test_rows_that_become_fewer_as_they_grow_say_what_generate_says(asked_at_length: Asked, way: str) -> None:
    """100 bytes are pretended to go for a picture and one for a token: of rows of full length there are 3 less."""
    its_plan = plan(rows=8, pictures=5, budget=8 * (100 + FIRST_LENGTH))
    reading = Reading(asked_at_length.decoder(its_plan, WAYS[way]()))
    assert_same(asked_at_length, reading, FEW_CROPS)
    assert asked_at_length.network.max_positions > FIRST_LENGTH


@pytest.mark.slow
def test_a_penalised_try_says_what_generate_says_with_that_penalty(asked: Asked) -> None:
    numbers = range(24)
    expected = asked.generated(numbers, repetition_penalty=PENALTY)
    assert expected != {number: asked.said[number] for number in numbers}
    reading = Reading(asked.decoder(plan(rows=5), WAYS["all at once"]()))
    for number in numbers:
        job = reading.add(number, asked.crops[number], asked.prompts[number], draft=asked.said[number])
        if number % 3:
            job.penalty = PENALTY
    read = reading.until_idle()
    wanted = {number: expected[number] if number % 3 else asked.said[number] for number in numbers}
    assert {number: read[number].tokens for number in numbers} == wanted


@pytest.mark.slow
def test_a_banned_token_is_replaced_by_the_next_best_as_in_generate(asked: Asked) -> None:
    numbers = range(24)
    (banned, _), *_ = Counter(word for number in numbers for word in asked.said[number]).most_common(1)
    expected = asked.generated(numbers, bad_words_ids=[[banned]])
    assert expected != {number: asked.said[number] for number in numbers}
    reading = Reading(asked.decoder(plan(rows=5), WAYS["all at once"](), banned))
    for number in numbers:
        reading.add(number, asked.crops[number], asked.prompts[number], draft=asked.said[number])
    assert {number: read.tokens for number, read in reading.until_idle().items()} == expected
