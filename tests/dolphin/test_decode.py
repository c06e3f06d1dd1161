"""The pool: rows are filled, refilled and grown, and every job has its turn."""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import Any

import pytest

from pdfbatch.engines.dolphin.jobs import DecodeJob, Read
from pdfbatch.engines.dolphin.memory import FIRST_LENGTH

from .networks import (
    WAYS,
    Abacus,
    Breaking,
    OutOfMemoryAtRandom,
    Reading,
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


# ── rows, refilling, lengths ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("rows", "budget"), [(1, 0), (2, 900), (3, 1200), (6, 2200), (4, 1 << 40), (40, 1 << 40)])
def test_a_row_decodes_the_same_whatever_is_beside_it_and_however_often_it_restarts(
    rows: int, budget: int, way: str
) -> None:
    """With so small a budget a growing cache has room for fewer rows, and running ones go back into the pool."""
    network = Abacus()
    reading = Reading(abacus_decoder(network, plan(rows=rows, pictures=2, budget=budget), how=WAYS[way]()))
    said = random_jobs(reading, network, 16, seed=rows, most_prompt=360)
    assert tokens(reading.until_idle()) == said


def test_after_a_long_row_ends_there_are_as_many_rows_as_before() -> None:
    network = Abacus(max_positions=4096, mean_length=31)
    reading = Reading(abacus_decoder(network, plan(rows=8, budget=8 * (100 + FIRST_LENGTH))))
    reading.add("long", picture(1), [0, 7] * 700)
    reading.until_idle()
    said = random_jobs(reading, network, 40, seed=1, most_prompt=2)
    most = 0

    def look() -> None:
        nonlocal most
        most = max(most, len(reading.decoder.running))

    del reading.reads["long"]
    assert tokens(reading.until_idle(each_turn=look)) == said
    assert most == 8


def test_three_hundred_jobs_at_once_are_read() -> None:
    network = Abacus()
    reading = Reading(abacus_decoder(network, plan(rows=64, pictures=16), stride=4))
    said = random_jobs(reading, network, 300, seed=0, most_prompt=10)
    assert tokens(reading.until_idle()) == said
    assert reading.decoder.meter.pictures == 300
    assert reading.decoder.meter.tokens == sum(len(line) for line in said.values())


@pytest.mark.parametrize("limit", [0, 1, 5, 10_000, None])
@pytest.mark.parametrize("way", WAYS)
def test_a_row_ends_at_its_limit_or_when_the_model_has_no_positions_left(limit: int | None, way: str) -> None:
    network = Abacus(max_positions=64, mean_length=10**9)  # never says the end mark
    reading = Reading(abacus_decoder(network, how=WAYS[way]()))
    for number in range(1, 7):
        draft = network.following(number, [1] * number)[: 30 * (number % 3)]
        reading.add(number, picture(number), [1] * number, limit=limit, draft=draft)
    for number, read in reading.until_idle().items():
        most = 64 - number - 1
        assert read.tokens == network.following(number, [1] * number)[: most if limit is None else limit]
        assert len(read.tokens) == min(most, most if limit is None else limit)
        assert read.ending == "truncated"


def test_the_end_mark_exactly_at_the_limit_is_an_end() -> None:
    network = Abacus()
    said = network.following(1, [0, 5])
    reading = Reading(abacus_decoder(network))
    reading.add("exact", picture(1), [0, 5], limit=len(said))
    reading.add("one less", picture(1), [0, 5], limit=len(said) - 1)
    assert reading.until_idle() == {"exact": Read(said, "whole"), "one less": Read(said[:-1], "truncated")}


@pytest.mark.parametrize("length", [FIRST_LENGTH - 1, FIRST_LENGTH, FIRST_LENGTH + 1, 500, 509, 510])
def test_prompts_may_be_longer_than_the_first_cache(length: int) -> None:
    network = Abacus(max_positions=512)
    reading = Reading(abacus_decoder(network, stride=4))
    reading.add("short", picture(3))
    reading.add("long", picture(4), [0] * length)
    assert tokens(reading.until_idle()) == {
        "short": network.following(3, [0, 5]),
        "long": network.following(4, [0] * length),
    }


def test_a_turn_with_nothing_to_do_does_nothing() -> None:
    decoder = abacus_decoder(Breaking(after=0))
    for _ in range(1000):
        decoder.turn()
    assert not decoder.busy
    assert (decoder.meter.steps, decoder.meter.out_of_memory) == (0, 0)


def test_jobs_may_be_added_from_the_callback_of_an_ended_job() -> None:
    """As a page's elements are when its layout is read."""
    network = Abacus()
    reading = Reading(abacus_decoder(network))

    def ended(number: int, _: Read) -> None:
        reading.reads[number] = Read([], "whole")
        for more in (3 * number + 1, 3 * number + 2):
            if more < 40:
                reading.decoder.add(DecodeJob(picture(more), [0, 5], 0, 1, partial(ended, more)))

    reading.decoder.add(DecodeJob(picture(0), [0, 5], 0, 1, partial(ended, 0)))
    reading.until_idle()
    assert {0, 1, 2, 4, 5, 7, 8} <= reading.reads.keys()


def test_an_error_other_than_out_of_memory_is_raised() -> None:
    reading = Reading(abacus_decoder(Breaking(after=5)))
    reading.add(1, picture(1))
    with pytest.raises(RuntimeError, match="device-side assert"):
        reading.until_idle()


# ── whose turn it is ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("rows", [1, 2, 8])
def test_an_old_job_ends_soon_whatever_is_added_after_it(rows: int) -> None:
    """New jobs of later page groups, all of them longer, come faster than they can be read."""
    network = Abacus(max_positions=256)
    reading = Reading(abacus_decoder(network, plan(rows=rows, pictures=4)))
    new = count(1000)

    def stream() -> None:
        if reading.turns < 1500:
            number = next(new)
            reading.add(number, picture(number), page_group=1 + number // 16, expected=10**6)

    with torch.inference_mode():
        for _ in range(100):
            stream()
            reading.decoder.turn()
            reading.turns += 1
        began = reading.turns
        for number in range(3):
            reading.add(number, picture(number), page_group=0, expected=1)
        while not {0, 1, 2} <= reading.reads.keys():
            stream()
            reading.decoder.turn()
            reading.turns += 1
            # What has a row keeps it, and a few pictures are encoded ahead: no row is longer than 256.
            assert reading.turns - began < 256 * (2 + 8 // rows)


def test_within_a_page_group_the_longest_start_first_and_no_later_group_starts_before_it() -> None:
    reading = Reading(abacus_decoder(Abacus(max_positions=64), plan(rows=1, pictures=20)))
    wishes = [(group, expected) for group in (1, 0, 2) for expected in (5, 900, 40)]
    for group, expected in wishes:
        reading.add((group, -expected), picture(1), page_group=group, expected=expected)
    reading.until_idle()
    assert sorted(reading.ended_at, key=lambda name: reading.ended_at[name]) == sorted(reading.reads)


def test_discarding_removes_waiting_jobs_and_keeps_those_being_read() -> None:
    network = Abacus(max_positions=400)
    reading = Reading(abacus_decoder(network, plan(rows=2, pictures=2)))
    for number in range(12):
        reading.add(number, picture(number), expected=100 - number)
    with torch.inference_mode():
        for _ in range(3):
            reading.decoder.turn()
    running = {number for number in range(12) if any(job.expected == 100 - number for job in reading.decoder.running)}
    ended = set(reading.reads)
    reading.decoder.discard(lambda job: job.expected <= 100 - 2)
    read = reading.until_idle()
    assert running
    assert set(read) == running | ended | {0, 1}
    assert tokens(read) == {number: network.following(number, [0, 5]) for number in read}


def test_discarding_keeps_a_job_that_lost_its_row_because_memory_ran_out() -> None:
    network = OutOfMemoryAtRandom(0.0)
    reading = Reading(abacus_decoder(network, plan(rows=2, pictures=2)))
    reading.add("begun", picture(4))
    with torch.inference_mode():
        for _ in range(4):
            reading.decoder.turn()
        network.chance = 1.0
        reading.decoder.turn()
    network.quiet()
    reading.add("waiting", picture(2))
    reading.decoder.discard(lambda job: True)
    assert tokens(reading.until_idle()) == {"begun": network.following(4, [0, 5])}


class Banded(Abacus):
    """Notes how many bands its rows are shared out to."""

    def __init__(self) -> None:
        super().__init__(max_positions=2048, mean_length=300)
        self.bands: list[list[int]] = []

    def logits(
        self, tokens: Any, rows: Any, positions: Any, self_kv: Any, cross_kv: Any, bands: Any, wanted: Any = None
    ) -> Any:
        self.bands.append([band.mask.shape[-1] for band in bands])
        return super().logits(tokens, rows, positions, self_kv, cross_kv, bands, wanted)


@pytest.mark.slow
@pytest.mark.parametrize("stride", [1, 4])
def test_a_few_long_rows_do_not_make_the_short_ones_read_as_much(stride: int) -> None:
    network = Banded()
    reading = Reading(abacus_decoder(network, plan(rows=12), stride))
    for number in range(40):
        reading.add(number, picture(number))
    reads = reading.until_idle()
    assert {number: read.tokens for number, read in reads.items()} == {
        number: network.following(number, [0, 5]) for number in range(40)
    }
    lengths = sorted(len(read.tokens) for read in reads.values())
    assert lengths[5] < 100 and lengths[-5] > 600, "or it proves nothing"
    parted = [lengths for lengths in network.bands if len(lengths) == 2]
    assert len(parted) > len(network.bands) / 4
    assert all(short < long and short <= 448 for long, short in parted)
