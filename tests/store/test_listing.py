"""A large S3 listing is cut into ranges: it shows what one chain of pages would show, in the same order."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.s3_process import S3Process, s3_process
from pdfbatch import aws
from pdfbatch.store import Entry, S3Store
from pdfbatch.store.listing import IN_FLIGHT, Page, guesses, pages

PAGE = 3
_buckets = (f"bucket-{number}" for number in itertools.count())
SIGNS = st.sampled_from("01239afzAZ-_./ +%&<é日\U0001f600\x7f")
NAMES = st.one_of(
    st.text(SIGNS, min_size=1, max_size=5),
    st.integers(0, 400).map(lambda number: f"doc-{number:04}.pdf"),
    st.integers(0, 400).map(str),
    st.integers(0, 400).map(lambda number: f"{number % 7}/{number}.pdf"),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=3),
)


def served(*options: str) -> Iterator[tuple[S3Process, Any]]:
    with s3_process("--page", str(PAGE), *options) as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield server, aws.client("s3")


@pytest.fixture(scope="module")
def small_pages(no_account: None) -> Iterator[tuple[S3Process, Any]]:
    yield from served()


@pytest.fixture(scope="module")
def without_start_after(no_account: None) -> Iterator[tuple[S3Process, Any]]:
    yield from served("--ignores-start-after")


@pytest.fixture(scope="module")
def slow(no_account: None) -> Iterator[tuple[S3Process, Any]]:
    yield from served("--latency", "10")


def seeded(server: tuple[S3Process, Any], keys: set[str]) -> S3Store:
    bucket = next(_buckets)
    server[0].seed(bucket, (("pre/" + key, 1) for key in keys))
    server[0].requests()
    return S3Store(bucket, "pre/", server[1])


def expected(keys: set[str], prefix: str = "") -> list[str]:
    """In the order of UTF-8 bytes, as S3 lists."""
    return sorted((key for key in keys if key.startswith(prefix)), key=lambda key: key.encode())


@given(keys=st.sets(NAMES, max_size=150), prefix=st.sampled_from(["", "d", "doc-00", "1/"]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_keys_are_listed_once_and_in_order(small_pages: tuple[S3Process, Any], keys: set[str], prefix: str) -> None:
    store = seeded(small_pages, keys)
    assert [entry.key for entry in store.list(prefix)] == expected(keys, prefix)


@given(keys=st.sets(NAMES, max_size=60))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_server_that_ignores_where_to_begin_is_listed_page_by_page(
    without_start_after: tuple[S3Process, Any], keys: set[str]
) -> None:
    store = seeded(without_start_after, keys)
    assert [entry.key for entry in store.list()] == expected(keys)


class WithEmptyPages:
    """A server some of whose pages are empty although more follow."""

    def __init__(self, keys: list[str], each: int) -> None:
        self._keys = keys
        self._each = each
        self._asked = itertools.count()

    def fetch(self, after: str, token: str) -> Page:
        after = token[1:] if token else after
        if next(self._asked) % self._each == 0 and not token:
            return Page([], "", "", f"t{after}")
        rest = [key for key in self._keys if key > after]
        found, more = rest[:PAGE], len(rest) > PAGE
        ends = (found[0], found[-1]) if found else ("", "")
        return Page([Entry(key, 1, "") for key in found], *ends, f"t{found[-1]}" if more else "")


@given(keys=st.sets(NAMES, max_size=150).map(expected), each=st.integers(1, 4))
@settings(deadline=None)
def test_an_empty_page_is_not_the_end(keys: list[str], each: int) -> None:
    server = WithEmptyPages(keys, each)
    assert [entry.key for page in pages(server.fetch) for entry in page] == keys


@pytest.mark.parametrize("shape", ["doc-{:05}.pdf", "{}.pdf", "{:08x}", "2026/{:03}/scan.pdf"])
def test_most_requests_show_new_keys(small_pages: tuple[S3Process, Any], shape: str) -> None:
    keys = {shape.format(number) for number in range(900)}
    store = seeded(small_pages, keys)
    assert [entry.key for entry in store.list()] == expected(keys)
    assert small_pages[0].requests()["LIST"] < 2 * len(keys) / PAGE


def test_a_listing_of_one_page_is_one_request(small_pages: tuple[S3Process, Any]) -> None:
    store = seeded(small_pages, {"a", "b", "c"})
    assert [entry.key for entry in store.list()] == ["a", "b", "c"]
    assert small_pages[0].requests()["LIST"] == 1


def test_requests_run_at_once_but_not_too_many(slow: tuple[S3Process, Any]) -> None:
    keys = {f"{number:04}.pdf" for number in range(300)}
    store = seeded(slow, keys)
    assert [entry.key for entry in store.list()] == expected(keys)
    assert 4 < slow[0].requests()["at once"] <= IN_FLIGHT


def test_keys_that_stay_are_listed_while_others_come_and_go(small_pages: tuple[S3Process, Any]) -> None:
    stay = {f"{number:04}-stays.pdf" for number in range(0, 400, 2)}
    go = {f"{number:04}-goes.pdf" for number in range(1, 400, 2)}
    store = seeded(small_pages, stay | go)
    found = []
    for number, entry in enumerate(store.list()):
        found.append(entry.key)
        if number % 10 == 0:
            store.delete([sorted(go)[number % len(go)]])
            store.put(f"{number:04}-comes.pdf", b"")
    assert found == sorted(set(found)), "in order, and none twice"
    assert stay <= set(found)


def test_a_listing_may_be_left_early(small_pages: tuple[S3Process, Any]) -> None:
    store = seeded(small_pages, {f"{number:04}.pdf" for number in range(300)})
    assert [entry.key for entry in itertools.islice(store.list(), 5)] == [f"{number:04}.pdf" for number in range(5)]


def test_folders_are_not_entered_by_a_shallow_listing(small_pages: tuple[S3Process, Any]) -> None:
    keys = {f"{number}{name}" for number in range(20) for name in ("/a", "/b", ".pdf")}
    store = seeded(small_pages, keys)
    assert [entry.key for entry in store.list(deep=False)] == sorted(key for key in keys if "/" not in key)


@pytest.mark.parametrize(
    ("first", "last", "following"),
    [
        ("doc-0000", "doc-0009", ["doc-0039", "doc-0069", "doc-0099", "doc-0129"]),
        ("in/9998", "in/9999", []),
        ("日", "日", []),
    ],
)
def test_a_guess_goes_on_as_the_page_did(first: str, last: str, following: list[str]) -> None:
    page = [first, *(f"doc-000{number}" for number in range(1, 9)), last] if first[:3] == "doc" else [first, last]
    assert guesses(page, 4) == following


@given(page=st.lists(st.text(SIGNS, min_size=1, max_size=6), min_size=1, unique=True).map(sorted))
@settings(deadline=None)
def test_guesses_ascend_from_the_end_of_the_page(page: list[str]) -> None:
    found = guesses(page, 5)
    assert found == sorted(set(found)) and all(guess > page[-1] for guess in found)
