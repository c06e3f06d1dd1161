"""What counts as saying the same over and over, and what does not."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdfbatch.engines.answers.loops import (
    FILLER_SPAN,
    LONGEST_PERIOD,
    LOOK_EVERY,
    MIN_SPAN,
    MIN_TURNS,
    TABLE_SPAN,
    filler_tokens,
    loop_start,
)

few_words = st.lists(st.integers(0, 2), max_size=300)
spans = st.sampled_from([1, 4, 20, MIN_SPAN])


def begins_by_definition(tokens: list[int], min_span: int) -> int | None:
    """The first cut, written as the definition says it."""
    for period in range(1, LONGEST_PERIOD + 1):
        span = max(min_span, MIN_TURNS * period)
        if span + period <= len(tokens) and tokens[-span:] == tokens[-span - period : -period]:
            place = len(tokens)
            while place > period and tokens[place - 1] == tokens[place - 1 - period]:
                place -= 1
            return place
    return None


def planted(prologue: int, period: int, length: int, seed: int = 0) -> list[int]:
    """A prologue of different words, and a loop of others, of so many tokens in all."""
    turn = [10**6 + place for place in range(period)]
    random.Random(seed).shuffle(turn)
    return [*range(prologue), *(turn * (length // period + 1))[: length - prologue]]


@settings(deadline=None)
@given(few_words, st.lists(st.integers(0, 2), min_size=1, max_size=40), st.integers(0, 300), spans)
def test_a_loop_is_found_where_the_definition_finds_one(
    before: list[int], turn: list[int], length: int, span: int
) -> None:
    tokens = before + (turn * length)[:length]
    expected = begins_by_definition(tokens, span)
    while expected is not None and (earlier := begins_by_definition(tokens[:expected], span)) is not None:
        expected = earlier
    assert loop_start(tokens, span) == expected


@settings(deadline=None)
@given(few_words, few_words, st.integers(1, 60), spans)
def test_what_remains_of_a_loop_is_not_a_loop(before: list[int], turn: list[int], turns: int, span: int) -> None:
    tokens = before + turn * turns
    start = loop_start(tokens, span)
    if start is not None:
        assert 0 < start < len(tokens)
        assert loop_start(tokens[:start], span) is None


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**6), max_size=600, unique=True), spans)
def test_words_that_do_not_repeat_are_never_cut(tokens: list[int], span: int) -> None:
    assert loop_start(tokens, span) is None


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 1500), st.integers(1, LONGEST_PERIOD))
def test_a_planted_loop_of_any_period_is_cut_behind_its_first_turn(prologue: int, period: int) -> None:
    span = max(MIN_SPAN, MIN_TURNS * period)
    enough = prologue + period + span
    assert loop_start(planted(prologue, period, enough)) == prologue + period
    assert loop_start(planted(prologue, period, enough + 77)) == prologue + period
    assert loop_start(planted(prologue, period, enough - 1)) is None


def test_too_long_a_period_is_not_a_loop() -> None:
    assert loop_start(planted(0, LONGEST_PERIOD + 1, 4096)) is None


def test_a_repetition_that_ended_is_not_a_loop() -> None:
    assert loop_start([*planted(5, 3, 1000), 7]) is None


def test_a_loop_inside_the_turns_of_another_is_cut_too() -> None:
    turn = [1, 2, 3, *[9] * 200]
    assert loop_start([5, 6, *turn * 7]) == len([5, 6, 1, 2, 3, 9])


@pytest.mark.parametrize(("rows", "cut"), [(76, False), (80, True)])
def test_a_table_may_have_many_empty_rows(rows: int, cut: bool) -> None:
    """Rows of ten tokens, behind a head of thirty."""
    row = [40, 41, 42, 43, 42, 43, 42, 43, 44, 45]
    tokens = [*range(30), *row * rows]
    assert (loop_start(tokens, TABLE_SPAN) is not None) == cut
    assert loop_start(tokens) == 40


@pytest.mark.parametrize("words", [[5], [5, 5, 5, 6, 7], [5, 6], range(1000)])
def test_the_longest_rows_are_searched_for_loops(words: list[int]) -> None:
    """Of empty cells, where nearly every distance meets the last token again, and of others."""
    chance = random.Random(0)
    tokens = [chance.choice(words) for _ in range(4096)]
    assert loop_start(tokens) == (1 if words == [5] else None)


# ── fillers ──────────────────────────────────────────────────────────────────────────────────────────────────────────

VOCABULARY = [*".-_ \n·…", "��", *"0123456789abcdefghijklmnopqrstuvwxyz", "<td>", "</td>", "<tr>", "</tr>", "中", " ."]
FILLERS = filler_tokens(VOCABULARY)
TEXT = VOCABULARY.index


def spelled(text: str) -> list[int]:
    """One token for each character, as the real tokenizer has for digits and punctuation."""
    return [TEXT(char) for char in text]


def looked_at(tokens: list[int], span: int = MIN_SPAN) -> int | None:
    """The first loop that is found as the tokens come, a look at every 32nd."""
    for length in range(LOOK_EVERY, len(tokens) + LOOK_EVERY, LOOK_EVERY):
        if (start := loop_start(tokens[:length], span, FILLERS)) is not None:
            return start
    return None


def test_fillers_are_tokens_without_letters_and_digits() -> None:
    assert [text for text, filler in zip(VOCABULARY, FILLERS, strict=True) if filler] == [*".-_ \n·…", " ."]


@pytest.mark.parametrize("dots", [20, 128, 150, 400])
@pytest.mark.parametrize("leader", [".", " .", ". ", "·"])
def test_a_contents_page_with_dot_leaders_is_no_loop(dots: int, leader: str) -> None:
    lines = [
        [*spelled(f"{number} chapter {chr(97 + number % 26)} "), *[TEXT(leader)] * dots]
        if leader in VOCABULARY
        else spelled(f"{number} chapter {chr(97 + number % 26)} " + leader * (dots // 2))
        for number in range(40)
    ]
    tokens = [token for number, line in enumerate(lines) for token in [*line, *spelled(f"{3 * number}\n")]]
    assert looked_at(tokens) is None


@pytest.mark.parametrize("row", ["_" * 60 + "\n", "name " + "_" * 50 + "\n", "_" * 30 + "   " + "_" * 30 + "\n"])
def test_five_equal_lines_to_write_on_are_no_loop(row: str) -> None:
    tokens = spelled("application\n" + row * 5 + "end")
    assert looked_at(tokens) is None


@pytest.mark.parametrize("row", [".", "_" * 60 + "\n", ". "])
def test_fillers_without_end_are_a_loop_all_the_same(row: str) -> None:
    tokens = spelled("signed " + row * (4096 // len(row)))
    found = looked_at(tokens)
    assert found is not None
    assert found <= len("signed ") + len(row)
    assert loop_start(tokens[: FILLER_SPAN - 1], MIN_SPAN, FILLERS) is None


def test_few_words_among_fillers_make_a_loop_sooner() -> None:
    row = "name " + "_" * 19 + "\n"
    rows = next(rows for rows in range(100) if loop_start(spelled(row * rows), MIN_SPAN, FILLERS) is not None)
    assert MIN_SPAN < rows * len(row) < FILLER_SPAN


@pytest.mark.parametrize("turn", ["no ", "the end of ", "0", "a"])
def test_words_that_are_said_over_and_over_are_found_nearly_as_soon(turn: str) -> None:
    tokens = spelled("once " + turn * 400)
    found = next(n for n in range(len(tokens)) if loop_start(tokens[:n], MIN_SPAN, FILLERS) is not None)
    assert found <= len("once ") + len(turn) + MIN_SPAN * 3 // 2


def test_a_table_of_empty_cells_ends_where_it_did() -> None:
    row = [TEXT("<tr>"), *[TEXT("<td>"), TEXT("</td>")] * 4, TEXT("</tr>")]
    assert looked_at([*spelled("head"), *row * 76], TABLE_SPAN) is None
    dots = [*spelled("head"), *[TEXT("."), TEXT("<td>")] * 1000]
    assert loop_start(dots, TABLE_SPAN, FILLERS) == loop_start(dots, TABLE_SPAN) is not None


@settings(deadline=None)
@given(few_words, st.lists(st.integers(0, 2), min_size=1, max_size=40), st.integers(0, 300), spans)
def test_fillers_only_ever_make_a_loop_longer(before: list[int], turn: list[int], length: int, span: int) -> None:
    tokens = before + (turn * length)[:length]
    with_fillers = loop_start(tokens, span, filler_tokens([".", "a", "b"]))
    assert with_fillers is None or loop_start(tokens, span) is not None
    assert loop_start(tokens, span, filler_tokens(["c", "a", "b"])) == loop_start(tokens, span)
