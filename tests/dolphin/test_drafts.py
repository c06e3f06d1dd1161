"""Drafts: where a row's answer is looked for in its draft, and when steps use drafts at all."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pdfbatch.engines.dolphin.draft_policy import FIRST_COST, DraftPolicy
from pdfbatch.engines.dolphin.drafts import agreed, drafted
from pdfbatch.engines.dolphin.row_state import DRAFT_LENGTH, NO_TOKEN, RowState, padded

from .networks import torch


def following(draft: Sequence[int], last: int, before: int = 0, place: int = 0, ahead: int = 3) -> list[int]:
    """Returns what is guessed to follow the tokens `before`, `last`."""
    rows = RowState.empty(1, words=1, device="cpu")
    rows.draft = padded([draft])
    rows.tokens[0], rows.before[0], rows.place[0] = last, before, place
    found = drafted(rows, ahead).tokens[0].tolist()
    return [token for token in found if token != NO_TOKEN]


@pytest.mark.parametrize(
    ("last", "before", "place", "expected"),
    [
        pytest.param(5, 0, 0, [6, 7, 8], id="the first token"),
        pytest.param(7, 6, 2, [8, 9, 5], id="where the last agreement ended"),
        pytest.param(8, 1, 2, [9, 5, 7], id="one token further on, after another word in place of one"),
        pytest.param(5, 9, 1, [7, 1], id="the nearest one further on"),
        pytest.param(7, 5, 1, [1], id="a pair further on rather than a single token that is nearer"),
        pytest.param(6, 5, 3, [9, 5, 7], id="not before the last agreement"),
        pytest.param(1, 7, 6, [], id="the last token of the draft"),
        pytest.param(4, 0, 2, [8, 9, 5], id="a token that is not in the draft, in place of one"),
        pytest.param(4, 0, 8, [], id="a token behind the draft"),
    ],
)
def test_a_rows_last_token_is_found_in_its_draft(last: int, before: int, place: int, expected: list[int]) -> None:
    assert following([5, 6, 7, 8, 9, 5, 7, 1], last, before, place) == expected


def test_no_draft_gives_no_tokens() -> None:
    assert following([], 5) == []


def test_a_draft_may_fill_its_columns_and_what_is_beyond_is_not_used() -> None:
    draft = list(range(1, DRAFT_LENGTH + 50))
    assert following(draft, DRAFT_LENGTH - 3, place=DRAFT_LENGTH - 4) == [DRAFT_LENGTH - 2, DRAFT_LENGTH - 1]
    assert following(draft, DRAFT_LENGTH - 1, place=DRAFT_LENGTH - 2) == []


def test_tokens_agree_up_to_the_first_that_the_model_would_not_say() -> None:
    rows = RowState.empty(4, words=1, device="cpu")
    rows.draft = padded([[1, 2, 3, 4]] * 4)
    rows.tokens[:] = 1
    guess = drafted(rows, 3)
    said = torch.tensor([[2, 3, 4, 5], [2, 9, 4, 5], [9, 3, 4, 5], [2, 3, 4, 5]])
    sure = torch.ones(4, 4)
    may_follow = torch.tensor([True, True, True, False])
    assert agreed(sure, said, guess, may_follow).tolist() == [3, 1, 0, 0]
    sure[0, 1] = torch.nan
    assert agreed(sure, said, guess, may_follow).tolist() == [1, 1, 0, 0]


# ── when drafts are used ─────────────────────────────────────────────────────────────────────────────────────────────


def test_drafts_are_used_in_as_many_rows_as_make_the_most_tokens_in_a_second() -> None:
    policy = DraftPolicy()
    assert policy.best(64, [], [16, 32]) == 0
    assert policy.best(64, ["para"] * 2, [16, 32]) == 0
    assert policy.best(64, ["para"] * 16, [16, 32]) == 16
    assert policy.best(64, ["para"] * 60, [16, 32]) == 32
    assert policy.best(3, ["para"], [1]) == 1


def test_kinds_whose_drafts_are_wrong_no_longer_count() -> None:
    policy = DraftPolicy()
    for _ in range(200):
        policy.heard("formula", steps=4, tokens=4)
        policy.heard("para", steps=4, tokens=28)
    assert policy.gain("formula") < 0.1
    assert 5 < policy.gain("para") <= 6
    assert policy.best(10, ["formula"] * 10, [10]) == 0
    assert policy.best(10, ["formula"] * 9 + ["para"], [10]) == 10


def test_drafts_are_given_up_where_steps_with_them_take_too_long_and_tried_again_later() -> None:
    policy = DraftPolicy()
    assert policy.cost(8, 8) == 1 + 8 * FIRST_COST
    for _ in range(50):
        policy.took(8, 0, 0.010)
        policy.took(8, 8, 0.060)
    policy.took(8, 8, 5.0)
    assert policy.cost(8, 8) == pytest.approx(6.0)
    asked = [policy.best(8, ["para"] * 8, [8]) for _ in range(1000)]
    assert 1 <= sum(map(bool, asked)) <= 10


def test_a_known_cost_is_not_measured() -> None:
    policy = DraftPolicy(known_cost=lambda rows, drafting: 1 + drafting / rows)
    policy.took(8, 0, 0.001)
    policy.took(8, 8, 0.100)
    assert policy.cost(8, 4) == 1.5
