"""What is done after an answer or a trouble."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdfbatch.engines.endpoint.answer import Answer, Trouble
from pdfbatch.engines.endpoint.patience import (
    LONGEST_WAIT,
    WARMER,
    Again,
    Circuit,
    End,
    Fail,
    Give,
    Tries,
    backoff,
)
from pdfbatch.records import Reason

GOOD, CUT, LOOPED, EMPTY = Answer("text"), Answer("text", "truncated"), Answer("text", "looped"), Answer(" \n")


@pytest.mark.parametrize("answer", [GOOD, CUT])
def test_an_answer_is_taken_even_if_it_was_cut_short(answer: Answer) -> None:
    assert Tries(0).after(answer, 0.5) == Give(answer)


@pytest.mark.parametrize("useless", [LOOPED, EMPTY])
def test_a_useless_answer_is_asked_for_once_more_in_another_way(useless: Answer) -> None:
    tries = Tries(0)
    assert tries.after(useless, 0.5) == Again(0.0, WARMER)
    assert tries.after(useless, 0.5) == Give(useless)


@pytest.mark.parametrize(("blame", "reason"), [("broken", Reason.ENGINE_ERROR), ("late", Reason.TIMEOUT)])
def test_failures_are_retried_as_often_as_asked_for(blame: str, reason: Reason) -> None:
    tries = Tries(2)
    steps = [tries.after(Trouble(blame, "why"), 0.0) for _ in range(3)]
    assert [type(step) for step in steps] == [Again, Again, Fail]
    assert steps[-1] == Fail(reason, "why")


def test_waiting_for_a_busy_endpoint_is_no_retry() -> None:
    tries = Tries(0)
    assert all(isinstance(tries.after(Trouble("busy", "429"), 0.5), Again) for _ in range(50))
    assert isinstance(tries.after(Trouble("broken", "500"), 0.5), Fail)


def test_the_second_way_of_asking_is_kept_over_a_failure() -> None:
    tries = Tries(1)
    tries.after(LOOPED, 0.5)
    step = tries.after(Trouble("busy", "429"), 0.5)
    assert isinstance(step, Again) and step.temperature == WARMER


def test_a_page_that_is_refused_fails_alone_and_an_endpoint_that_refuses_ends_the_run() -> None:
    trouble = Trouble("fatal", "401")
    assert Tries(5).after(Trouble("page", "too large"), 0.5) == Fail(Reason.ENGINE_ERROR, "too large")
    assert Tries(5).after(trouble, 0.5) == End(trouble)


@given(tries=st.integers(1, 1000), dice=st.floats(0, 1), asked=st.floats(0, 1e9))
def test_every_wait_is_bounded_and_an_endpoint_is_not_asked_before_it_wants(
    tries: int, dice: float, asked: float
) -> None:
    assert 0.5 <= backoff(tries, dice) <= LONGEST_WAIT
    assert backoff(tries, 0.0) <= backoff(tries, dice) <= backoff(tries, 1.0)
    step = Tries(0).after(Trouble("busy", "429", wait=asked), dice)
    assert isinstance(step, Again) and min(asked, LONGEST_WAIT) <= step.seconds <= LONGEST_WAIT


def test_an_endpoint_is_given_up_after_a_long_silence_with_several_failures() -> None:
    circuit = Circuit(0.0, silence=300)
    assert not any(circuit.failed(now) for now in (1, 2, 3, 4, 5, 299))
    circuit.answered(299)
    assert not any(circuit.failed(now) for now in (599, 599, 599, 599)), "four failures may be bad luck"
    assert circuit.failed(599)
