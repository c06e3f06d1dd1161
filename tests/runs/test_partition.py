import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdfbatch.errors import UsageError
from pdfbatch.records import SourceDocument, output_key
from pdfbatch.runs.partition import (
    BLOCK_DOCUMENTS,
    LONG_BYTES,
    PART_BYTES,
    WORTH_MOVING,
    Slice,
    blocks,
    divided,
    in_parts,
    is_left,
    share_of_pages,
    slice_of,
    work_of,
)

documents = st.lists(st.integers(), unique=True, max_size=200).map(
    lambda numbers: [SourceDocument(f"{number}.pdf", 1, "e") for number in numbers]
)


@given(documents, st.integers(1, 12))
def test_every_document_is_in_exactly_one_slice(found: list[SourceDocument], total: int) -> None:
    slices = [slice_of(found, Slice(worker, total)) for worker in range(total)]
    assert sorted(document for part in slices for document in part) == sorted(found)


@given(documents, st.integers(1, 12))
def test_slices_differ_by_one_document_at_most(found: list[SourceDocument], total: int) -> None:
    sizes = [len(slice_of(found, Slice(worker, total))) for worker in range(total)]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(("worker", "total"), [(-1, 3), (3, 3), (0, 0), (7, 2)])
def test_a_worker_out_of_range_is_refused_with_the_range(worker: int, total: int) -> None:
    with pytest.raises(UsageError) as error:
        Slice.checked(worker, total)
    assert error.value.hint


@given(st.text(min_size=1))
def test_an_output_keeps_the_path_of_its_input(stem: str) -> None:
    assert output_key(stem + ".PdF") == stem + ".md"


@pytest.mark.parametrize(
    ("now", "frozen", "left"),
    [(None, None, True), ("e1", None, False), ("e1", "e1", True), ("e2", "e1", False), (None, "e1", True)],
)
def test_a_document_is_left_while_it_has_no_output_or_the_one_it_had_at_the_freeze(
    now: str | None, frozen: str | None, left: bool
) -> None:
    outputs = {} if now is None else {"a.md": now}
    assert is_left(SourceDocument("a.pdf", 1, "e", frozen), outputs) is left
    assert is_left(SourceDocument("a.PDF", 1, "e", None, 1, "a.pdf"), outputs)


# ── work ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def sized(*sizes: int) -> list[SourceDocument]:
    return [SourceDocument(f"{number:03}.pdf", size, "e") for number, size in enumerate(sizes)]


def test_documents_of_about_one_size_stay_in_modulo_slices() -> None:
    found = sized(*(100_000 + 1_000 * (number % 7) for number in range(100)))
    assert divided(found, 3) == [found[0::3], found[1::3], found[2::3]]


def test_uneven_documents_are_divided_by_work() -> None:
    found = sized(*[5_000_000, 100_000] * 20)
    slices = divided(found, 2)
    works = [sum(map(work_of, each)) for each in slices]
    assert max(works) < 1.15 * min(works)
    assert all([document.key for document in each] == sorted(document.key for document in each) for each in slices)


@given(st.lists(st.integers(0, 2**24), max_size=60), st.integers(1, 8))
def test_every_entry_is_in_one_slice_and_no_slice_is_longer_than_by_modulo(sizes: list[int], workers: int) -> None:
    found = sized(*sizes)
    slices = divided(found, workers)
    assert len(slices) == workers and sorted(document for each in slices for document in each) == found
    modulo = max(sum(map(work_of, found[worker::workers])) for worker in range(workers))
    longest = max(sum(map(work_of, each)) for each in slices)
    assert longest == modulo or longest <= WORTH_MOVING * modulo
    assert divided(found, workers) == slices


def test_known_pages_count_more_than_bytes() -> None:
    few, many = SourceDocument("a.pdf", 10**7, "e", pages=1), SourceDocument("b.pdf", 10**5, "e", pages=3000)
    assert work_of(many) > 100 * work_of(few)


@given(st.lists(st.integers(0, 2**26), min_size=1, max_size=40), st.integers(1, 8))
def test_parts_are_complete_and_nothing_is_longer_than_half_a_share(sizes: list[int], workers: int) -> None:
    found = sized(*sizes)
    entries = in_parts(found, workers)
    by_key: dict[str, list[SourceDocument]] = {}
    for entry in entries:
        by_key.setdefault(entry.key, []).append(entry)
    share = sum(map(work_of, found)) / workers
    for document in found:
        parts = by_key[document.key]
        if parts == [document]:
            assert workers == 1 or work_of(document) <= share / 2 or work_of(document) < LONG_BYTES
        else:
            assert [(each.part, each.parts) for each in parts] == [(n, len(parts)) for n in range(1, len(parts) + 1)]
            assert document.size / len(parts) <= max(share / 2, PART_BYTES)
    assert sum(entry.documents for entry in entries) == len(found)


@given(st.integers(0, 50), st.integers(1, 60))
def test_the_parts_of_a_document_have_each_page_once_in_order(pages: int, parts: int) -> None:
    numbers = list(range(1, pages + 1))
    shares = [list(share_of_pages(numbers, part, parts)) for part in range(1, parts + 1)]
    assert [number for share in shares for number in share] == numbers
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@given(st.integers(0, 20_000))
def test_blocks_cover_a_slice_and_get_smaller_towards_its_end(entries: int) -> None:
    found = blocks(entries)
    assert [number for block in found for number in block] == list(range(entries))
    sizes = list(map(len, found))
    assert sizes == sorted(sizes, reverse=True) and all(0 < size <= BLOCK_DOCUMENTS for size in sizes)
    assert sizes[-8:] == [1] * len(sizes[-8:])
