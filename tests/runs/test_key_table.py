"""Values by key outside of memory, and reads in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdfbatch.runs.in_order import in_order
from pdfbatch.runs.key_table import KeyTable

ROWS = st.lists(st.tuples(st.text(max_size=3), st.sampled_from("abc"), st.integers()))


@given(ROWS)
@settings(deadline=None)
def test_a_table_is_a_mapping_in_the_order_of_utf8_with_the_highest_rank_of_each_key(
    rows: list[tuple[str, str, int]],
) -> None:
    table = KeyTable(((key, rank, (number,)) for key, rank, number in rows), int)
    best: dict[str, tuple[str, int]] = {}
    for key, rank, number in rows:
        if key not in best or rank > best[key][0]:
            best[key] = rank, number
    expected = {key: best[key][1] for key in sorted(best, key=lambda key: key.encode())}
    assert list(table.items()) == list(expected.items())
    assert (list(table), list(table.values()), len(table)) == (list(expected), list(expected.values()), len(expected))
    assert all(key in table and table[key] == table.get(key) == number for key, number in expected.items())


def test_a_missing_key_is_missing_in_an_empty_table_and_in_a_full_one() -> None:
    for table in (KeyTable([], int), KeyTable([("a", "", (1,))], int)):
        assert "b" not in table and table.get("b") is None and table.get("b", 2) == 2
        with pytest.raises(KeyError):
            table["b"]


def test_a_table_of_many_rows_is_whole_and_in_order() -> None:
    table = KeyTable(((f"{number * 7919 % 100_000:05}", "", ("x" * 500, number)) for number in range(100_000)), _second)
    assert len(table) == 100_000
    assert list(table) == [f"{number:05}" for number in range(100_000)]
    assert table["07919"] == 1


def _second(_first: str, second: int) -> int:
    return second


class Counting:
    """Reads that take a moment; counts how many run at once, and how many items were asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self.most = self.asked = 0

    def items(self, number: int) -> Iterator[int]:
        for each in range(number):
            self.asked += 1
            yield each

    def read(self, number: int) -> int:
        with self._lock:
            self._running += 1
            self.most = max(self.most, self._running)
        time.sleep(0.001 * (number % 3))
        with self._lock:
            self._running -= 1
        return number


@pytest.mark.parametrize("number", [0, 1, 2, 3, 100])
def test_reads_come_in_order_several_at_once_and_not_too_many(number: int) -> None:
    counting = Counting()
    assert list(in_order(counting.read, counting.items(number), 5)) == list(range(number))
    assert counting.most <= 5


def test_no_more_is_read_ahead_than_may_wait() -> None:
    counting = Counting()
    results = in_order(counting.read, counting.items(1000), 5)
    assert next(results) == 0
    assert counting.asked <= 6


def test_a_read_that_fails_ends_the_others() -> None:
    counting = Counting()
    with pytest.raises(ZeroDivisionError):
        list(in_order(lambda number: 1 // (3 - number), counting.items(1000), 5))
    assert counting.asked < 20
