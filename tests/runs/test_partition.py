import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdfbatch.errors import UsageError
from pdfbatch.records import SourceDocument, output_key
from pdfbatch.runs.partition import Slice, document_keys, is_left, slice_of

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


def test_only_pdfs_are_taken_whatever_the_case_of_their_ending() -> None:
    keys = ["b.PDF", "a.pdf", "notes.txt", "c.pdf.bak", "d/e.Pdf", ".pdf", "x/.pdf", "pdf", ".pdfbatch/r/x.pdf"]
    assert document_keys(keys) == ["a.pdf", "b.PDF", "d/e.Pdf"]


def test_keys_are_sorted_as_s3_sorts_them() -> None:
    assert document_keys(["é.pdf", "z.pdf", "Z.pdf", "\U0001f600.pdf", "豈.pdf"]) == [
        "Z.pdf",
        "z.pdf",
        "é.pdf",
        "豈.pdf",
        "\U0001f600.pdf",
    ]


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
