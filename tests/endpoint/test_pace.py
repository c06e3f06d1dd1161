"""How many requests may be under way: more while the endpoint is quick, half as many when it refuses."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdfbatch.engines.endpoint.pace import FIRST, STABLE, Gate, Pace

EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("answered"), st.floats(0.001, 100), st.integers(0, 10_000)),
        st.tuples(st.just("refused"), st.floats(0, 50), st.floats(0, 10_000)),
    ),
    max_size=200,
)


@given(most=st.integers(1, 64), events=EVENTS)
def test_the_limit_is_always_between_one_and_the_most(most: int, events: list[tuple[str, float, float]]) -> None:
    pace, now = Pace(most), 0.0
    for kind, one, other in events:
        now += 1.0
        before = pace.limit
        if kind == "answered":
            pace.answered(one, int(other))
            assert pace.limit <= before + 1
        else:
            pace.refused(max(0.0, now - one), now, other)
            assert before // 2 <= max(1, pace.limit) <= before
            assert pace.opens_at <= now + 60
        assert 1 <= pace.limit <= most


@given(most=st.integers(2, 64))
def test_quick_answers_raise_the_limit_to_the_most(most: int) -> None:
    pace = Pace(most)
    for _ in range(most):
        pace.answered(2.0, 100)
    assert pace.limit == most


@given(waves=st.integers(1, 10), size=st.integers(1, 40))
def test_refusals_of_one_wave_halve_it_only_once(waves: int, size: int) -> None:
    pace, now = Pace(64, first=64), 0.0
    for wave in range(1, waves + 1):
        sent, now = now, now + 10
        for _ in range(size):
            pace.refused(sent, now)
        assert pace.limit == max(1, 64 >> wave)
        now += 1


def test_slow_answers_stop_its_growth_but_do_not_cut_it() -> None:
    pace = Pace(64)
    for _ in range(6):
        pace.answered(1.0, 100)
    reached = pace.limit
    for _ in range(40):
        pace.answered(2 * STABLE, 100)
    assert not pace.is_stable
    settled = pace.limit
    assert reached <= settled <= reached + 6
    for _ in range(40):
        pace.answered(2 * STABLE, 100)
    assert pace.limit == settled


def test_a_long_answer_is_not_taken_for_a_slow_one() -> None:
    pace = Pace(64)
    for tokens in (100, 8000, 50, 6000):
        pace.answered(tokens / 100, tokens)
    assert pace.limit == FIRST + 4


def test_no_more_threads_than_the_limit_are_let_through_at_once() -> None:
    pace = Pace(3, first=3)
    gate = Gate(pace, lambda: 0.0)
    lock, inside, most = threading.Lock(), [0], [0]

    def work() -> None:
        while gate.enter():
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                ended.append(None)
            with lock:
                inside[0] -= 1
            gate.leave()
            if len(ended) > 200:
                return

    ended: list[None] = []
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= most[0] <= 3


@pytest.mark.parametrize("wait", [0.0, 50.0])
def test_a_closed_gate_lets_nobody_wait(wait: float) -> None:
    gate = Gate(Pace(1, first=1), lambda: 0.0)
    assert gate.enter()
    entered: list[bool] = []
    thread = threading.Thread(target=lambda: entered.append(gate.enter()))
    thread.start()
    if wait:
        gate.leave_refused(0.0, wait)
    gate.close()
    thread.join()
    assert entered == [False]


def test_an_endpoint_that_asks_to_wait_gets_no_request_before() -> None:
    now = [100.0]
    gate = Gate(Pace(4), lambda: now[0])
    assert gate.enter()
    gate.leave_refused(99.0, 30.0)
    entered: list[bool] = []
    thread = threading.Thread(target=lambda: entered.append(gate.enter()))
    thread.start()
    assert entered == []
    now[0] = 131.0
    gate.leave()  # wakes it; its own wait would be 30 s of real time
    thread.join()
    assert entered == [True]
