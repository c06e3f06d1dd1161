"""Small networks for tests of the decoder: random models of Dolphin's classes, and second implementations of `Network`
named by what is wrong with them. A test module that imports this one is skipped where torch is not installed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest

from pdfbatch.engines.dolphin.decode import Decoder, Decoding, SpecialTokens
from pdfbatch.engines.dolphin.draft_policy import DraftPolicy
from pdfbatch.engines.dolphin.graphs import WARM_UPS, Graphs, Step
from pdfbatch.engines.dolphin.jobs import DecodeJob, Pixels, Read
from pdfbatch.engines.dolphin.memory import BatchPlan, Shape

torch = pytest.importorskip("torch", reason="needs torch and transformers, see the extra [dolphin]")

BEGIN, PAD, END = 0, 1, 2
NO_LOOPS = 10**9
"""A `loop_span` that no row is long enough for."""
SHAPE = Shape(picture_row=100, row_token=1, encoding=10)
"""Of a pretended device, so that plans can be made small."""


def plan(rows: int = 4, pictures: int = 3, budget: int = 1 << 40) -> BatchPlan:
    return BatchPlan(SHAPE, budget, rows, pictures)


class Abacus:
    """Reckons its next word exactly from the picture and from every word that it finds in its cache.

    A cache that is moved, masked or kept wrongly therefore gives other words. `following` says the same in plain
    Python.
    """

    device = torch.device("cpu")
    dtype = torch.float32
    heads, width, layers, picture_tokens, side = 1, 1, 2, 1, 8
    vocab_size = padded_vocab_size = 211
    LIKELIEST = 1.0
    _WEIGHT_TURN = 13

    def __init__(self, max_positions: int = 512, mean_length: int = 29) -> None:
        self.max_positions, self.mean_length = max_positions, mean_length

    def encode(self, pictures: Any) -> Any:
        return pictures.reshape(-1, 1, 1)

    def cross_kv(self, layer: int, hidden: Any) -> tuple[Any, Any]:
        return hidden[:, None] * (layer + 1), hidden[:, None]

    def logits(
        self, tokens: Any, rows: Any, positions: Any, self_kv: Any, cross_kv: Any, bands: Any, wanted: Any = None
    ) -> Any:
        ours = torch.zeros(len(tokens), self_kv[0][0].shape[2])
        begin = 0
        for band in bands:
            mask = (band.mask[:, 0] == 0).flatten(0, 1).float()
            ours[begin : begin + len(mask), : mask.shape[-1]] = mask
            begin += len(mask)
        assert begin == len(tokens)
        seen = 0.0
        for layer, ((keys, values), (picture, _)) in enumerate(zip(self_kv, cross_kv, strict=True)):
            keys[rows, 0, positions] = (tokens * (1 + positions % self._WEIGHT_TURN))[:, None].float()
            values[rows, 0, positions] = tokens[:, None].float()
            # A place that is masked counts 0 times, and 0 times NaN is NaN: as in an attention.
            weighed = (ours * (keys + 3 * values)[rows, 0, :, 0]).sum(-1)
            seen = seen + weighed + picture[rows, 0, 0, 0] * (layer + 1)
        shown = cross_kv[0][0][rows, 0, 0, 0]
        if wanted is not None:
            seen, shown, positions = seen[wanted], shown[wanted], positions[wanted]
        return self._scores(seen, shown, positions)

    def _scores(self, seen: Any, picture: Any, place: Any) -> Any:
        number = seen.nan_to_num(0).long()
        wanted = torch.where(number % self.mean_length == 0, END, 3 + number % (self.vocab_size - 3))
        scores = torch.zeros(len(seen), self.vocab_size) + 0 * seen[:, None]
        scores[torch.arange(len(seen)), wanted] += self.LIKELIEST
        return scores

    def following(self, picture: int, prompt: Sequence[int]) -> list[int]:
        """What is said to a picture after a prompt, the end mark not counted."""
        words = list(prompt)
        seen = 5 * picture + sum(self._weight(place, word) for place, word in enumerate(words))
        while len(words) < self.max_positions - 1 and seen % self.mean_length:
            words.append(3 + seen % (self.vocab_size - 3))
            seen += self._weight(len(words) - 1, words[-1])
        return words[len(prompt) :]

    def _weight(self, place: int, word: int) -> int:
        return word * (2 * (1 + place % self._WEIGHT_TURN) + 6)


class OutOfMemoryAtRandom(Abacus):
    """Like a device that others use as well: at `chance` of all calls there is no memory. `quiet` ends it."""

    def __init__(self, chance: float, seed: int = 0, max_positions: int = 512) -> None:
        super().__init__(max_positions)
        self.chance, self._dice = chance, random.Random(seed)
        self.failures = 0

    def quiet(self) -> None:
        self.chance = 0.0

    def _ask_for_memory(self) -> None:
        if self._dice.random() < self.chance:
            self.failures += 1
            raise torch.OutOfMemoryError("no memory, says the test")

    def encode(self, pictures: Any) -> Any:
        self._ask_for_memory()
        return super().encode(pictures)

    def cross_kv(self, layer: int, hidden: Any) -> tuple[Any, Any]:
        self._ask_for_memory()
        return super().cross_kv(layer, hidden)

    def logits(self, *given: Any) -> Any:
        self._ask_for_memory()
        return super().logits(*given)


class TooSmall(Abacus):
    """Never has memory for more than `rows` x `positions` of the cache, nor for more than `pictures` at once."""

    def __init__(self, positions: int, pictures: int = 1 << 20, max_positions: int = 512) -> None:
        super().__init__(max_positions)
        self._most_positions, self._most_pictures = positions, pictures

    def encode(self, pictures: Any) -> Any:
        self._check(len(pictures), self._most_pictures)
        return super().encode(pictures)

    def logits(self, tokens: Any, rows: Any, positions: Any, self_kv: Any, *given: Any) -> Any:
        keys, _ = self_kv[0]
        self._check(len(keys) * keys.shape[2], self._most_positions)
        return super().logits(tokens, rows, positions, self_kv, *given)

    @staticmethod
    def _check(wanted: int, most: int) -> None:
        if wanted > most:
            raise RuntimeError(f"DefaultCPUAllocator: can't allocate memory: you tried to allocate {wanted} bytes.")


class NotANumber(Abacus):
    """Overflows for one picture, in everything that is reckoned from it."""

    def __init__(self, picture: int, max_positions: int = 512) -> None:
        super().__init__(max_positions)
        self._picture = picture

    def encode(self, pictures: Any) -> Any:
        return super().encode(torch.where(pictures == self._picture, torch.nan, pictures))


class Looping(Abacus):
    """Says the same turn over and over to some pictures: those of `stubborn` for ever, those of `moody` until a penalty
    on what was said makes the end mark the likelier word. Before, it says as many words as `PROLOGUE`."""

    TURN: ClassVar = [50, 51, 52, 53, 54]
    PROLOGUE = 7

    def __init__(self, stubborn: Sequence[int] = (), moody: Sequence[int] = (), max_positions: int = 512) -> None:
        super().__init__(max_positions)
        self._stubborn, self._moody = set(stubborn), set(moody)

    def _scores(self, seen: Any, picture: Any, place: Any) -> Any:
        scores = super()._scores(seen, picture, place)
        for row, (shown, where) in enumerate(zip(picture.tolist(), place.tolist(), strict=True)):
            if shown in self._stubborn or shown in self._moody:
                scores[row] = 0.0
                scores[row, self.said_at(where)] = self.LIKELIEST
                scores[row, END] = 0.95 * self.LIKELIEST if shown in self._moody else 0.0
        return scores

    def said_at(self, place: int) -> int:
        """The word that follows the one at `place`."""
        return 100 + place if place < self.PROLOGUE else self.TURN[place % len(self.TURN)]


class Breaking(Abacus):
    """Breaks off at its n-th look, with an error that is no lack of memory."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self._left = after

    def logits(self, *given: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise RuntimeError("device-side assert triggered")
        return super().logits(*given)


def picture(shown: int) -> Pixels:
    """A picture of one pixel, which is all that an abacus looks at; `shown` is at most 65,535."""
    return np.array([[[shown // 256, shown % 256, 0]]], np.uint8)


def shown(pictures: Sequence[Pixels]) -> Any:
    """What `Decoder` is to prepare an abacus's pictures with."""
    return torch.tensor([256 * int(seen[0, 0, 0]) + int(seen[0, 0, 1]) for seen in pictures], dtype=torch.float32)


class Replaying:
    """A recorder for a device that is none: replaying a step runs it. It counts what is asked of it."""

    def __init__(self) -> None:
        self.warm_ups = self.recorded = 0

    def warm_up(self, step: Step) -> None:
        self.warm_ups += 1
        for _ in range(WARM_UPS):
            step()

    def record(self, step: Step) -> Step:
        self.recorded += 1
        return step


class AlwaysDrafts(DraftPolicy):
    """Uses drafts wherever a row has one."""

    def best(self, rows: int, kinds: Sequence[str], choices: Sequence[int]) -> int:
        return max(choices, default=0)


WAYS: dict[str, Callable[[], Decoding]] = {
    "step by step": Decoding,
    "heard at every 4th step": lambda: Decoding(stride=4),
    "started before the last is heard": lambda: Decoding(stride=2, ahead=True),
    "recorded": lambda: Decoding(Graphs(Replaying()), stride=4),
    "with drafts": lambda: Decoding(drafts=AlwaysDrafts()),
    "all at once": lambda: Decoding(Graphs(Replaying()), stride=3, ahead=True, drafts=AlwaysDrafts()),
    "as on a GPU": lambda: Decoding(Graphs(Replaying()), stride=4, ahead=True, drafts=DraftPolicy()),
}
"""All ways of decoding; none may change a token."""


def abacus_decoder(
    network: Any, its_plan: BatchPlan | None = None, stride: int = 1, how: Decoding | None = None
) -> Decoder:
    return Decoder(network, its_plan or plan(), shown, SpecialTokens(END), how or Decoding(stride=stride))


def draft_of(words: Sequence[int], dice: random.Random) -> list[int]:
    """Makes a draft of what will be said: right, with words changed, left out or put in, unlike it, or none."""
    kind = dice.choice(["right", "half", "half", "wrong", "none", "other end"])
    if kind == "half":
        return [word + dice.choice([0, 1]) for word in words for _ in range(dice.choice([0, 1, 1, 1, 1, 2]))]
    return {
        "right": [*words],
        "wrong": [dice.randrange(3, 200) for _ in words],
        "none": [],
        "other end": [7, 8, 9, *words[len(words) // 2 :], *words[: len(words) // 2]],
    }[kind]


class Reading:
    """Jobs of a decoder, and what came of them."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder
        self.reads: dict[Any, Read] = {}
        self.ended_at: dict[Any, int] = {}
        self.turns = 0

    def add(self, name: Any, image: Pixels, prompt: Sequence[int] = (0, 5), **how: Any) -> DecodeJob:
        job = DecodeJob(
            image,
            prompt,
            **{"page_group": 0, "expected": 1, "loop_span": NO_LOOPS, **how},
            ended=lambda read: self._ended(name, read),
        )
        self.decoder.add(job)
        return job

    def _ended(self, name: Any, read: Read) -> None:
        assert name not in self.reads, f"{name} ended twice"
        self.reads[name] = read
        self.ended_at[name] = self.turns

    def until_idle(self, at_most: int = 200_000, each_turn: Callable[[], object] = lambda: None) -> dict[Any, Read]:
        with torch.inference_mode():
            while self.decoder.busy:
                assert self.turns < at_most, "the decoder does not come to an end"
                self.decoder.turn()
                self.turns += 1
                each_turn()
        return self.reads


def random_jobs(
    reading: Reading, network: Abacus, jobs: int, seed: int, most_prompt: int = 200
) -> dict[int, list[int]]:
    """Adds jobs of all kinds; gives back what is to be said to each."""
    dice = random.Random(seed)
    said = {}
    for number in range(jobs):
        prompt = [0, number % 200] * dice.choice([1, 1, 2, most_prompt // 2])
        expected = dice.choice([1, 2, 3, 900])
        job = reading.add(number, picture(number), prompt, page_group=dice.randint(0, 3), expected=expected)
        said[number] = network.following(number, prompt)
        job.draft, job.kind = draft_of(said[number], dice), dice.choice(["para", "list"])
    return said


def tokens(read: dict[Any, Read]) -> dict[Any, list[int]]:
    return {name: one.tokens for name, one in read.items()}


def small_model(words: int, max_positions: int, side: int, **of_decoder: Any) -> Any:
    """A `VisionEncoderDecoderModel` of Dolphin's classes, not trained: pictures of `side` pixels (a multiple of 32),
    rows of at most `max_positions` tokens. `of_decoder` are further settings of its MBartConfig."""
    from transformers import DonutSwinConfig, MBartConfig, VisionEncoderDecoderConfig, VisionEncoderDecoderModel

    encoder = DonutSwinConfig(
        image_size=[side, side],
        patch_size=4,
        embed_dim=16,
        depths=[1, 1, 1, 1],
        num_heads=[1, 2, 4, 8],
        window_size=7 if side % 224 == 0 else side // 32,
        initializer_range=0.15,
    )
    decoder = MBartConfig(
        vocab_size=words,
        d_model=128,
        decoder_layers=2,
        encoder_layers=2,  # not used, but transformers sizes its cache by it
        decoder_attention_heads=4,
        encoder_attention_heads=4,
        decoder_ffn_dim=128,
        max_position_embeddings=max_positions,
        is_decoder=True,
        is_encoder_decoder=False,
        add_cross_attention=True,
        scale_embedding=True,
        add_final_layer_norm=True,
        tie_word_embeddings=True,
        bos_token_id=BEGIN,
        pad_token_id=PAD,
        eos_token_id=END,
        **of_decoder,
    )
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = BEGIN, PAD, END
    return VisionEncoderDecoderModel(config)


def random_model(words: int = 300, max_positions: int = 256, side: int = 128, seed: int = 2) -> Any:
    """A small model whose words depend on the picture.

    The deviation of the decoder's weights is many times the usual one: otherwise it says its last word again for ever,
    whatever it is shown. Larger position embeddings keep it from looping, and a larger end token
    makes it stop.
    """
    torch.manual_seed(seed)
    model = small_model(words, max_positions, side, init_std=0.3).eval()
    with torch.no_grad():
        model.decoder.model.decoder.embed_tokens.weight[END] *= 5
        model.decoder.model.decoder.embed_positions.weight *= 8
    return model
