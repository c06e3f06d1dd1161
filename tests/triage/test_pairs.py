"""Pages that two outputs have in common, and what is said where they have none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from pdfbatch.errors import NotFound, UsageError
from pdfbatch.records import Page, Reason
from pdfbatch.store import LocalStore, Store
from pdfbatch.triage.pairs import read_pairs, signalled_pages
from tests.export.outputs import Made, finish
from tests.triage.needs import needs
from tests.triage.pages import WORDS, signals_of, text_page

pytestmark = needs("rapidfuzz")


@pytest.fixture
def cheap(tmp_path: Path) -> Store:
    return LocalStore(tmp_path / "cpu")


@pytest.fixture
def reference(tmp_path: Path) -> Store:
    return LocalStore(tmp_path / "dolphin")


def ours(number: int = 1, words: Sequence[str] = WORDS, **fields: object) -> Page:
    return text_page(number, words, **{"signals": signals_of(), "score": 0.9} | fields)


def theirs(number: int = 1, words: Sequence[str] = WORDS, **fields: object) -> Page:
    return text_page(number, words, **{"read_by": "dolphin"} | fields)


def fill(store: Store, *pages: Page, key: str = "a.pdf", **outcome: object) -> None:
    finish(store, [Made(key, pages, dict(outcome))])


def test_the_loss_of_a_page_is_what_its_two_readings_do_not_have_in_common(cheap: Store, reference: Store) -> None:
    fill(cheap, ours(1), ours(2, [*WORDS[:7], *"abcdefg"]))
    fill(reference, theirs(1), theirs(2))
    found = read_pairs(cheap, reference)
    assert [(pair.page.number, pair.loss) for pair in found.pairs] == [(1, 0.0), (2, 0.5)]
    assert found.pairs[0].page.score == 0.9 and not found.left_out


def test_where_the_model_failed_it_would_not_have_helped(cheap: Store, reference: Store) -> None:
    fill(cheap, ours(1), ours(2))
    fill(reference, theirs(1, [], reason=Reason.REPETITION, read_by=""), theirs(2, []))
    assert [pair.loss for pair in read_pairs(cheap, reference).pairs] == [0.0, 0.0]


def test_pages_that_teach_nothing_are_left_out_and_counted(cheap: Store, reference: Store) -> None:
    pages = [
        ours(1),
        ours(2, [], read_by="blank", signals=None),
        ours(3, signals=None),
        ours(4, signals=signals_of().model_copy(update={"version": 0})),
        ours(5, [], reason=Reason.TIMEOUT, read_by=""),
        ours(6),
        ours(7),
    ]
    fill(cheap, *pages)
    fill(reference, *(theirs(number) for number in range(1, 6)), theirs(6, read_by="text"))
    found = read_pairs(cheap, reference)
    assert len(found.pairs) == 1
    assert sorted(found.left_out.values()) == [1, 1, 1, 1, 2]


def test_a_document_that_changed_between_the_readings_is_left_out(cheap: Store, reference: Store) -> None:
    finish(cheap, [Made("a.pdf", [ours()]), Made("b.pdf", [ours()], {"etag": "v2"})])
    finish(reference, [Made("a.pdf", [theirs()]), Made("b.pdf", [theirs()])])
    found = read_pairs(cheap, reference)
    assert {pair.page.key for pair in found.pairs} == {"a.pdf"}
    assert found.left_out == {"documents that changed between the two readings": 1}


def test_the_same_content_in_a_copied_folder_is_the_same_document(cheap: Store, reference: Store) -> None:
    fill(cheap, ours(), etag="1-2", digest="d")
    fill(reference, theirs(), etag="1-3", digest="d")
    assert len(read_pairs(cheap, reference).pairs) == 1


def test_an_output_without_a_run_is_named(cheap: Store, reference: Store) -> None:
    fill(cheap, ours())
    with pytest.raises(NotFound):
        read_pairs(cheap, reference)


@pytest.mark.parametrize(
    ("one", "other", "said", "hint"),
    [
        (ours(), theirs(read_by="text"), "1 pages not read whole by the model", "--engine dolphin or endpoint"),
        (ours(signals=None), theirs(), "without signals", "Convert INPUT with this version and --engine cpu"),
        (ours(read_by="dolphin"), theirs(), "not read without the model", "--engine cpu"),
    ],
)
def test_two_outputs_without_both_readings_are_refused_with_the_next_step(
    cheap: Store, reference: Store, one: Page, other: Page, said: str, hint: str
) -> None:
    fill(cheap, one)
    fill(reference, other)
    with pytest.raises(UsageError, match=said) as refused:
        read_pairs(cheap, reference)
    assert hint in refused.value.hint


def test_two_outputs_of_other_inputs_are_refused(cheap: Store, reference: Store) -> None:
    fill(cheap, ours())
    fill(reference, theirs(), key="b.pdf")
    with pytest.raises(UsageError, match="no document in common"):
        read_pairs(cheap, reference)


def test_pages_for_scoring_are_those_that_were_read_without_the_model(cheap: Store) -> None:
    fill(cheap, ours(1), ours(2, signals=None), ours(3, read_by="dolphin"), ours(4, reason=Reason.CORRUPT))
    assert [page.number for page in signalled_pages(cheap)] == [1]
