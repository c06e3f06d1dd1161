"""Rows of a cache: each says what it would say alone, wherever it lies and whatever lay there before."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdfbatch.engines.dolphin.network import Network
from pdfbatch.engines.dolphin.slots import SlotEntry, Slots
from pdfbatch.engines.dolphin.step_shape import DRAFTED, LENGTH_STEP, StepShape

from .networks import END, Abacus, Looping, random_model, torch

LONGEST = 256


class Rows:
    """Slots, and what each row is to say."""

    def __init__(self, network: Abacus, rows: int, length: int) -> None:
        self.network = network
        self.slots = Slots(network, rows, length)
        self.in_use: dict[int, tuple[int, list[int], list[int]]] = {}

    def admit(self, jobs: dict[int, tuple[int, list[int]]], penalty: float = 1.0) -> None:
        entries = [
            SlotEntry(torch.full((1, 1), float(shown)), prompt, penalty, self.draft(shown, prompt))
            for shown, prompt in jobs.values()
        ]
        [said] = self.slots.admit(list(jobs), entries)()
        for (row, (shown, prompt)), word in zip(jobs.items(), said, strict=True):
            self.in_use[row] = (shown, prompt, word.tokens)

    def draft(self, shown: int, prompt: list[int]) -> list[int]:
        """The right one for every second picture."""
        return [] if shown % 2 else self.network.following(shown, prompt)

    @property
    def longest(self) -> int:
        return max((len(prompt) + len(said) for _, prompt, said in self.in_use.values()), default=0)

    def step(self, count: int, drafted: int = 0) -> None:
        """All rows use their drafts, or none does."""
        rows = max(self.in_use) + 1
        shape = StepShape(rows, self.longest + count * (1 + drafted), drafting=rows if drafted else 0)
        for step in self.slots.step(shape, count)():
            for row, (_, _, said) in self.in_use.items():
                said += step[row].tokens

    def move(self, source: int, target: int) -> None:
        self.slots.move(source, target, self.longest)
        self.in_use[target] = self.in_use.pop(source)

    def swap(self, one: int, other: int) -> None:
        self.slots.swap(one, other, self.longest)
        self.in_use[one], self.in_use[other] = self.in_use[other], self.in_use[one]

    def free(self, row: int) -> None:
        self.slots.free(row)
        del self.in_use[row]

    def check(self) -> None:
        for shown, prompt, said in self.in_use.values():
            ours = said[: said.index(END)] if END in said else said
            assert ours == self.network.following(shown, prompt)[: len(ours)]
            assert END not in said or ours == self.network.following(shown, prompt)


def never_ending() -> Abacus:
    return Abacus(max_positions=LONGEST, mean_length=10**9)


prompts = st.lists(st.integers(1, 200), min_size=1, max_size=40)
deeds = st.lists(st.sampled_from(["admit", "free", "move", "swap", "step", "draft", "grow", "shrink"]), max_size=25)


@settings(deadline=None, max_examples=25)
@given(deeds, st.data())
def test_rows_say_the_same_whatever_is_done_around_them(deeds: list[str], data: Any) -> None:
    """Admitted, freed, moved, stepped and resized in any order."""
    rows = Rows(never_ending(), rows=5, length=64)

    def chosen(things: Any) -> Any:
        return data.draw(st.sampled_from(sorted(things)))

    with torch.inference_mode():
        for deed in deeds:
            spare = set(range(rows.slots.rows)) - set(rows.in_use)
            if deed == "admit" and spare:
                few = data.draw(st.lists(st.sampled_from(sorted(spare)), min_size=1, unique=True))
                rows.admit({row: (data.draw(st.integers(1, 500)), data.draw(prompts)) for row in few})
            elif deed == "free" and rows.in_use:
                rows.free(chosen(rows.in_use))
            elif deed == "swap" and rows.in_use:
                rows.swap(chosen(rows.in_use), chosen(rows.in_use))
            elif deed == "move" and rows.in_use and spare:
                rows.move(chosen(rows.in_use), chosen(spare))
            elif deed == "grow":
                rows.slots.resize(rows.slots.rows + 1, min(LONGEST, rows.slots.length + 64))
            elif deed == "shrink" and rows.longest <= rows.slots.length - 24:
                rows.slots.resize(max(rows.in_use, default=0) + 1, rows.slots.length - 20)
            elif deed in ("step", "draft") and rows.in_use:
                count, drafted = (3, 0) if deed == "step" else (2, DRAFTED)
                if rows.longest + count * (1 + drafted) > rows.slots.length:
                    rows.slots.resize(rows.slots.rows, rows.slots.length + 64)
                rows.step(count, drafted)
            rows.check()


def test_prompts_of_different_lengths_are_admitted_together() -> None:
    rows = Rows(never_ending(), rows=4, length=64)
    with torch.inference_mode():
        rows.admit({2: (7, [1]), 0: (8, [1, 2, 3, 4, 5, 6, 7]), 3: (9, [1, 2])})
        rows.step(5)
    rows.check()


def test_a_row_may_be_filled_to_its_last_place() -> None:
    rows = Rows(never_ending(), rows=1, length=2 * LENGTH_STEP + 3)
    with torch.inference_mode():
        rows.admit({0: (7, [1, 2, 3])})
        rows.step(2 * LENGTH_STEP + 3 - 4)
    rows.check()


@pytest.mark.parametrize("drafting", [0, 1, 2])
def test_a_nan_is_reported_for_its_row_alone_and_not_left_behind(drafting: int) -> None:
    network = never_ending()
    slots = Slots(network, 2, 64)
    with torch.inference_mode():
        entries = [SlotEntry(torch.full((1, 1), value), [1] * 30) for value in (torch.nan, 3.0)]
        [said] = slots.admit([0, 1], entries)()
        assert [word.sound for word in said] == [False, True]
        steps = slots.step(StepShape(2, 60, drafting=drafting), 2)()
        assert [[word.sound for word in step] for step in steps] == [[False, True]] * 2
        slots.free(0)
        [[word]] = slots.admit([0], [SlotEntry(torch.full((1, 1), 4.0), [1, 2])])()
        assert word.sound
        steps = slots.step(StepShape(2, 62, drafting=drafting), 2)()
    assert word.tokens + [token for step in steps for token in step[0].tokens] == network.following(4, [1, 2])[:3]
    assert all(one.sound for step in steps for one in step)


@pytest.mark.slow
def test_a_draft_may_hold_tokens_that_the_model_does_not_know() -> None:
    network = Network(random_model(words=50, max_positions=64))
    hidden = torch.zeros(network.picture_tokens, network.width)
    said = []
    for draft in ([], [10**6, 50, 51] * 20):
        slots = Slots(network, 1, 64)
        with torch.inference_mode():
            [[first]] = slots.admit([0], [SlotEntry(hidden, [0, 5], draft=draft)])()
            steps = slots.step(StepShape(1, 50, drafting=1), 3)()
        said.append([*first.tokens, *(token for [row] in steps for token in row.tokens)][:4])
    assert said[0] == said[1]


def test_drafts_of_the_last_rows_alone_are_used() -> None:
    rows = Rows(never_ending(), rows=4, length=LONGEST)
    with torch.inference_mode():
        rows.admit({0: (2, [1, 2]), 1: (4, [1, 2, 3]), 2: (6, [1]), 3: (3, [2])})
        for step in rows.slots.step(StepShape(4, 200, 1, 150, drafting=2), 4)():
            for row, (_, _, said) in rows.in_use.items():
                said += step[row].tokens
    rows.check()
    assert [len(said) for _, _, said in rows.in_use.values()] == [5, 5, 1 + 4 * (1 + DRAFTED), 5]


def test_a_row_with_a_right_draft_says_it_in_few_steps_and_one_with_none_as_before() -> None:
    rows = Rows(never_ending(), rows=3, length=LONGEST)
    with torch.inference_mode():
        rows.admit({0: (2, [1, 2]), 1: (3, [1, 2])})
        rows.step(10, DRAFTED)
    rows.check()
    assert [len(rows.in_use[row][2]) for row in (0, 1)] == [1 + 10 * (1 + DRAFTED), 1 + 10]


def test_a_penalty_applies_to_its_row_alone_and_moves_with_it() -> None:
    """The moody network ends as soon as it is to say a word again under a penalty."""
    network = Looping(moody=[1, 2], max_positions=LONGEST)
    slots = Slots(network, 4, 64)
    with torch.inference_mode():
        slots.admit(
            [0, 2], [SlotEntry(torch.full((1, 1), 1.0), [0], 1.1), SlotEntry(torch.full((1, 1), 2.0), [0], 1.0)]
        )
        slots.step(StepShape(3, 4), 3)()
        slots.move(0, 1, 5)
        slots.resize(4, 128)
        steps = slots.step(StepShape(3, 20), 16)()
    assert END in [step[1].tokens[0] for step in steps]
    assert END not in [step[2].tokens[0] for step in steps]


@pytest.mark.parametrize("length", [1, 63, 64, 65, 100])
def test_a_cache_may_have_any_length(length: int) -> None:
    rows = Rows(never_ending(), rows=2, length=length)
    with torch.inference_mode():
        rows.admit({0: (5, [1] * min(length, 7))})
        if length > 10:
            rows.step(min(length, 90) - 10)
    rows.check()
