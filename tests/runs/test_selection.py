import pytest

from pdfbatch.records import Reason
from pdfbatch.runs.ledger import Final
from pdfbatch.runs.selection import what_failed, what_is_left
from pdfbatch.store import Entry


def final(outcome: str, reason: Reason | None = None, etag: str = "v1", attempt: int = 1) -> Final:
    return Final(outcome, reason, etag, attempt, 3, "run")


def test_documents_with_markdown_are_skipped_and_the_rest_is_left() -> None:
    chosen = what_is_left([Entry("a.pdf", 1, "v1"), Entry("b.pdf", 2, "v1")], {"a.md": "m"}, {}, redo_changed=False)
    assert [document.key for document in chosen.documents] == ["b.pdf"]
    assert chosen.skipped == 1


def test_a_failed_document_is_left_with_its_next_attempt() -> None:
    history = {"a.pdf": final("failed", Reason.CRASHED, attempt=2)}
    chosen = what_is_left([Entry("a.pdf", 1, "v1")], {}, history, redo_changed=False)
    assert chosen.documents[0].attempt == 3


def test_a_changed_input_is_named_but_left_alone() -> None:
    chosen = what_is_left([Entry("a.pdf", 1, "v2")], {"a.md": "m"}, {"a.pdf": final("ok")}, redo_changed=False)
    assert chosen.documents == []
    assert chosen.changed == ["a.pdf"]


def test_a_changed_input_is_converted_again_when_asked_for_and_its_output_replaced_on_purpose() -> None:
    chosen = what_is_left([Entry("a.pdf", 1, "v2")], {"a.md": "m"}, {"a.pdf": final("ok")}, redo_changed=True)
    assert chosen.documents[0].output_etag == "m"


@pytest.mark.parametrize(("engine", "left"), [("cpu", 1), ("", 1), ("null", 0)])
def test_markdown_of_a_dry_run_is_replaced_by_any_other_engine(engine: str, left: int) -> None:
    history = {"a.pdf": final("ok")._replace(engine="null")}
    chosen = what_is_left([Entry("a.pdf", 1, "v1")], {"a.md": "m"}, history, redo_changed=False, engine=engine)
    assert [document.output_etag for document in chosen.documents] == ["m"] * left
    assert (list(chosen.dry_runs), chosen.skipped) == (["a.pdf"] * left, 1 - left)


@pytest.mark.parametrize("reason", list(Reason))
def test_a_hopeless_document_is_listed_only_while_its_file_is_unchanged(reason: Reason) -> None:
    history = {"a.pdf": final("failed", reason)}
    same = what_is_left([Entry("a.pdf", 1, "v1")], {}, history, redo_changed=False)
    other = what_is_left([Entry("a.pdf", 1, "v2")], {}, history, redo_changed=False)
    hopeless = {
        Reason.EMPTY_FILE,
        Reason.ENCRYPTED,
        Reason.NOT_A_PDF,
        Reason.NO_PAGES,
        Reason.XFA_FORM,
        Reason.BAD_NAME,
    }
    assert dict(same.hopeless) == ({"a.pdf": reason} if reason in hopeless else {})
    assert other.hopeless == {} and len(other.documents) == 1
    assert what_failed([Entry("a.pdf", 1, "v1")], {}, history, frozenset()).hopeless == same.hopeless


@pytest.mark.parametrize(("pages", "hopeless"), [(0, {"a.pdf": Reason.CORRUPT}), (3, {})])
def test_a_damaged_file_is_hopeless_if_it_cannot_even_be_opened(pages: int, hopeless: dict[str, Reason]) -> None:
    history = {"a.pdf": final("failed", Reason.CORRUPT)._replace(pages=pages)}
    assert what_failed([Entry("a.pdf", 1, "v1")], {}, history, frozenset()).hopeless == hopeless


def test_failed_and_partial_documents_are_retried_and_ok_ones_are_not() -> None:
    inputs = [Entry(key, 1, "v1") for key in ("a.pdf", "b.pdf", "c.pdf")]
    history = {
        "a.pdf": final("ok"),
        "b.pdf": final("partial", Reason.TIMEOUT),
        "c.pdf": final("failed", Reason.CORRUPT),
    }
    chosen = what_failed(inputs, {"a.md": "1", "b.md": "2"}, history, frozenset())
    assert [(d.key, d.output_etag, d.attempt) for d in chosen.documents] == [("b.pdf", "2", 2), ("c.pdf", None, 2)]


def test_a_retry_can_be_limited_to_reasons() -> None:
    history = {"b.pdf": final("partial", Reason.TIMEOUT), "c.pdf": final("failed", Reason.CORRUPT)}
    chosen = what_failed([], {}, history, frozenset({Reason.TIMEOUT}))
    assert [document.key for document in chosen.documents] == ["b.pdf"]


def test_a_failed_document_whose_input_is_gone_stays_in_the_retry() -> None:
    chosen = what_failed([], {}, {"c.pdf": final("failed", Reason.CRASHED)}, frozenset())
    assert [document.key for document in chosen.documents] == ["c.pdf"]


def taken(keys: list[str]) -> list[str]:
    found = what_is_left([Entry(key, 1, "v1") for key in keys], {}, {}, redo_changed=False)
    return [document.key for document in found.documents]


def test_only_pdfs_are_taken_whatever_the_case_of_their_ending() -> None:
    keys = ["b.PDF", "a.pdf", "notes.txt", "c.pdf.bak", "d/e.Pdf", ".pdf", "x/.pdf", "pdf", ".pdfbatch/r/x.pdf"]
    assert taken(keys) == ["a.pdf", "b.PDF", "d/e.Pdf"]


def test_keys_are_sorted_as_s3_sorts_them() -> None:
    assert taken(["é.pdf", "z.pdf", "Z.pdf", "\U0001f600.pdf", "豈.pdf"]) == [
        "Z.pdf",
        "z.pdf",
        "é.pdf",
        "豈.pdf",
        "\U0001f600.pdf",
    ]
