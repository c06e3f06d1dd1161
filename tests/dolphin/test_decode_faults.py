"""What goes wrong in the pool costs the job that it is about, and no other."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from pdfbatch.engines.dolphin.device import is_out_of_memory
from pdfbatch.engines.dolphin.jobs import Read
from pdfbatch.engines.dolphin.memory import FIRST_LENGTH

from .networks import (
    END,
    WAYS,
    Abacus,
    Looping,
    NotANumber,
    OutOfMemoryAtRandom,
    Reading,
    TooSmall,
    abacus_decoder,
    picture,
    plan,
    random_jobs,
    tokens,
    torch,
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


# ── out of memory ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("chance", "way"),
    [
        (0.05, "step by step"),
        (0.1, "heard at every 4th step"),
        (0.2, "started before the last is heard"),
        (0.05, "all at once"),
    ],
)
def test_running_out_of_memory_at_random_changes_no_token_and_loses_no_job(chance: float, way: str, seed: int) -> None:
    """At 20 % a job may fail so often in turn, alone, that it is given up; what it said until then is right too."""
    network = OutOfMemoryAtRandom(chance, seed)
    reading = Reading(abacus_decoder(network, plan(rows=8), how=WAYS[way]()))
    said = random_jobs(reading, network, 24, seed, most_prompt=20)
    read = reading.until_idle()
    given_up = [number for number in said if read[number].ending == "memory"]
    assert network.failures > 10
    assert reading.decoder.meter.out_of_memory == network.failures
    assert {number: read[number].tokens for number in said if number not in given_up} == {
        number: line for number, line in said.items() if number not in given_up
    }
    for number in given_up:
        assert said[number][: len(read[number].tokens)] == read[number].tokens
    assert len(given_up) <= (8 if chance > 0.1 else 0)


@pytest.mark.parametrize("stride", [1, 4])
def test_a_job_too_large_for_the_memory_fails_alone(stride: int) -> None:
    network = TooSmall(positions=2 * FIRST_LENGTH, max_positions=1024)
    reading = Reading(abacus_decoder(network, plan(rows=16), stride))
    said = random_jobs(reading, network, 30, seed=5, most_prompt=20)
    reading.add("large", picture(7), [0, 9] * 200)
    reading.add("huge", picture(7), [0, 9] * 260)
    read = reading.until_idle()
    assert read.pop("huge") == Read([], "memory")
    assert read.pop("large") == Read(network.following(7, [0, 9] * 200), "whole")
    assert {number: read[number] for number in said} == {number: Read(line, "whole") for number, line in said.items()}


def test_a_job_that_grows_too_large_ends_with_the_tokens_so_far() -> None:
    network = TooSmall(positions=FIRST_LENGTH, max_positions=1024)
    network.mean_length = 101
    never_ends = next(number for number in range(100, 2000) if len(network.following(number, [0, 5])) > FIRST_LENGTH)
    reading = Reading(abacus_decoder(network, plan(rows=4)))
    said = random_jobs(reading, network, 12, seed=3, most_prompt=4)
    reading.add("huge", picture(never_ends))
    read = reading.until_idle()
    assert read["huge"].ending == "memory"
    assert len(read["huge"].tokens) >= FIRST_LENGTH - 4
    whole = network.following(never_ends, [0, 5])
    assert whole[: len(read["huge"].tokens)] == read["huge"].tokens
    short = [number for number in said if len(said[number]) < 200]
    assert {number: read[number].tokens for number in short} == {number: said[number] for number in short}


def test_every_job_ends_if_not_even_one_picture_can_be_encoded() -> None:
    reading = Reading(abacus_decoder(TooSmall(positions=10**6, pictures=0), plan(rows=8, pictures=8)))
    for number in range(9):
        reading.add(number, picture(number))
    assert reading.until_idle() == {number: Read([], "memory") for number in range(9)}


@pytest.mark.slow
def test_the_batch_is_halved_until_it_fits_and_restored_after_a_quiet_time() -> None:
    network = OutOfMemoryAtRandom(0.3, seed=4)
    whole = plan(rows=16, pictures=8, budget=100_000)
    reading = Reading(abacus_decoder(network, whole))
    random_jobs(reading, network, 20, seed=2, most_prompt=4)
    smallest = whole

    def look() -> None:
        nonlocal smallest
        smallest = min(smallest, reading.decoder.plan, key=lambda now: now.rows)
        if network.failures > 40:
            network.quiet()

    reading.until_idle(each_turn=look)
    assert (smallest.rows, smallest.pictures) == (1, 1)
    assert smallest.budget > 0
    for number in range(100, 500):
        reading.add(number, picture(number))
    reading.until_idle()
    assert reading.decoder.plan == whole


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: 12 bytes"),
            True,
        ),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (MemoryError(), True),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
        (ValueError("memory"), False),
    ],
)
def test_out_of_memory_is_distinguished_from_other_errors(error: Exception, is_memory: bool) -> None:
    assert is_out_of_memory(error) == is_memory


def test_numpy_running_out_of_memory_counts_too() -> None:
    with pytest.raises(MemoryError) as error:
        np.zeros(1 << 55)
    assert is_out_of_memory(error.value)


# ── no number ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("way", WAYS)
def test_a_picture_that_gives_nan_fails_only_its_own_job(rows: int, way: str) -> None:
    """Also not the jobs that come into its row later, and in the moved and grown cache."""
    network = NotANumber(picture=11)
    reading = Reading(abacus_decoder(network, plan(rows=rows, pictures=3), how=WAYS[way]()))
    said = random_jobs(reading, network, 20, seed=rows, most_prompt=300)
    read = reading.until_idle()
    assert read[11] == Read([], "nan")
    assert tokens(read) == said | {11: []}


class SpoiltBehindItsEnd(Abacus):
    """Overflows on whatever follows an end mark: steps that are taken before the end is heard, and thrown away."""

    def logits(self, tokens: Any, rows: Any, *given: Any) -> Any:
        scores = super().logits(tokens, rows, *given)
        return torch.where((tokens == END)[:, None], torch.nan, scores) if len(scores) == len(tokens) else scores


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("way", WAYS)
def test_a_nan_after_the_end_token_does_not_spoil_the_rows_next_job(rows: int, way: str) -> None:
    network = SpoiltBehindItsEnd()
    reading = Reading(abacus_decoder(network, plan(rows=rows, pictures=3), how=WAYS[way]()))
    said = random_jobs(reading, network, 20, seed=1, most_prompt=4)
    assert tokens(reading.until_idle()) == said


# ── loops ────────────────────────────────────────────────────────────────────────────────────────────────────────────

PROMPT = [0, 9]


def looped_until(network: Looping) -> list[int]:
    """All before the loop, and its first turn."""
    begin = network.PROLOGUE
    return [network.said_at(place) for place in range(1, begin + len(network.TURN))]


@pytest.mark.parametrize("way", WAYS)
def test_a_loop_is_retried_with_a_penalty_and_then_cut_where_it_began(way: str) -> None:
    network = Looping(stubborn=[1], moody=[2])
    reading = Reading(abacus_decoder(network, how=WAYS[way]()))
    for number in range(6):
        reading.add(number, picture(number), PROMPT, loop_span=128)
    read = reading.until_idle()
    assert read.pop(1) == Read(looped_until(network), "looped", retried=True)
    # The second try goes as the first, until the penalty falls on a word that was said before.
    assert read.pop(2) == Read(looped_until(network), "whole", retried=True)
    assert read == {number: Read(network.following(number, PROMPT), "whole") for number in (0, 3, 4, 5)}


def test_a_loop_costs_no_more_than_its_span_and_one_check() -> None:
    network = Looping(stubborn=[1], max_positions=4096)
    reading = Reading(abacus_decoder(network, plan(rows=1)))
    reading.add(1, picture(1), PROMPT, loop_span=128)
    reading.until_idle(at_most=2 * (128 + 5 + 10 + 32))


@pytest.mark.parametrize(("span", "ending"), [(128, "looped"), (768, "truncated")])
def test_a_repetition_shorter_than_the_span_stays(span: int, ending: str) -> None:
    network = Looping(stubborn=[1])
    reading = Reading(abacus_decoder(network))
    reading.add(1, picture(1), PROMPT, loop_span=span, limit=500)
    read = reading.until_idle()[1]
    assert read.ending == ending
    assert len(read.tokens) == (500 if ending == "truncated" else len(looped_until(network)))


def test_loops_are_retried_correctly_while_memory_runs_out_at_random() -> None:
    class LoopingOutOfMemory(Looping, OutOfMemoryAtRandom):
        def __init__(self) -> None:
            Looping.__init__(self, stubborn=[1], moody=[2])
            self.chance, self._dice, self.failures = 0.05, random.Random(1), 0

    network = LoopingOutOfMemory()
    reading = Reading(abacus_decoder(network, stride=4))
    for number in range(6):
        reading.add(number, picture(number), PROMPT, loop_span=128)
    read = reading.until_idle()
    assert network.failures
    assert read.pop(1) == Read(looped_until(network), "looped", retried=True)
    assert read.pop(2) == Read(looped_until(network), "whole", retried=True)
    assert read == {number: Read(network.following(number, PROMPT), "whole") for number in (0, 3, 4, 5)}


class LoopingLater(Looping):
    """Under a penalty loops on another turn, and later."""

    def _scores(self, seen: Any, picture: Any, place: Any) -> Any:
        scores = super()._scores(seen, picture, place)
        for row, where in enumerate(place.tolist()):
            scores[row, 150 + where % 30 if where < 60 else 60] = 0.97
        return scores


def test_of_two_tries_that_loop_the_longer_is_kept() -> None:
    network = LoopingLater(stubborn=[1])
    reading = Reading(abacus_decoder(network))
    reading.add(1, picture(1), PROMPT, loop_span=64)
    read = reading.until_idle()[1]
    assert read.ending == "looped"
    assert len(read.tokens) > len(looped_until(network))
