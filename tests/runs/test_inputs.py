"""Special cases of an input: unreadable folders, PDFs without a name, twins."""

from hypothesis import given
from hypothesis import strategies as st

from pdfbatch.records import Reason, output_key
from pdfbatch.runs.inputs import nameless, twins_of
from pdfbatch.runs.ledger import Final
from pdfbatch.runs.selection import what_failed, what_is_left
from pdfbatch.store import Entry

FAILED = Final("failed", Reason.NAME_CLASH, "v1", 1, 0, "run")
MADE = Final("ok", None, "v1", 1, 1, "run")


def entries(*keys: str) -> list[Entry]:
    return [Entry(key, 1, "v1") for key in keys]


@given(st.lists(st.sampled_from(["a", "b", "sub/a", "é"]), max_size=8).map(set), st.data())
def test_of_all_twins_exactly_one_gets_the_output(stems: set[str], data: st.DataObject) -> None:
    endings = st.sets(st.sampled_from([".pdf", ".PDF", ".Pdf"]), min_size=1)
    keys = [stem + ending for stem in sorted(stems) for ending in sorted(data.draw(endings))]
    twins = twins_of(keys)
    chosen = [key for key in keys if key not in twins]
    assert sorted(map(output_key, chosen)) == sorted({output_key(key) for key in keys})
    assert all(output_key(twin) == output_key(other) and other in chosen for twin, other in twins.items())


def test_the_twin_whose_markdown_is_there_keeps_it() -> None:
    assert twins_of(["b.PDF", "b.pdf"]) == {"b.PDF": "b.pdf"}
    assert twins_of(["b.PDF", "b.pdf"], {"b.PDF"}) == {"b.pdf": "b.PDF"}
    chosen = what_is_left(entries("b.PDF", "b.pdf"), {"b.md": "m"}, {"b.PDF": MADE}, redo_changed=False)
    assert [(each.key, each.twin) for each in chosen.documents] == [("b.pdf", "b.PDF")]


def test_a_twin_is_hopeless_only_while_the_other_is_there() -> None:
    history = {"b.pdf": MADE, "b.PDF": FAILED}
    outputs = {"b.md": "m"}
    both = what_is_left(entries("b.PDF", "b.pdf"), outputs, history, redo_changed=False)
    alone = what_is_left(entries("b.PDF"), outputs, history, redo_changed=False)
    assert both.hopeless == {"b.PDF": Reason.NAME_CLASH} and alone.hopeless == {}
    assert [(each.twin, each.output_etag) for each in alone.documents] == [("", "m")]


def test_a_retry_of_a_twin_never_takes_the_others_output() -> None:
    history = {"b.pdf": MADE, "b.PDF": FAILED}
    chosen = what_failed(entries("b.PDF", "b.pdf"), {"b.md": "m"}, history, frozenset())
    assert [(each.key, each.twin) for each in chosen.documents] == [("b.PDF", "b.pdf")]


def test_pdfs_without_a_name_are_named() -> None:
    assert nameless(["a.pdf", ".pdf", "x/.PDF", ".pdfbatch/.pdf", "x/y.pdf"]) == [".pdf", "x/.PDF"]
    chosen = what_is_left(entries(".pdf", "a.pdf"), {}, {}, redo_changed=False)
    assert ([each.key for each in chosen.documents], list(chosen.nameless)) == (["a.pdf"], [".pdf"])
