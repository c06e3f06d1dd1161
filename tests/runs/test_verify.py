"""`verify` finds each kind of fault, and its passes over sorted keys find what sets of all keys would."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdfbatch.errors import NotFound
from pdfbatch.records import Reason, figures_prefix, output_key
from pdfbatch.runs.contents import Contents, read_contents
from pdfbatch.runs.key_table import KeyTable
from pdfbatch.runs.ledger import Final
from pdfbatch.runs.verify import Document, Places, Verdict, absent, judge
from pdfbatch.store import Entry, LocalStore

OK = Final("ok", None, "v1", 1, 2, "run")
FAILED = Final("failed", Reason.TIMEOUT, "v1", 1, 2, "run")
WHOLE = Contents(2, frozenset())
KEYS = ["a.pdf", "a.PDF", "a!.pdf", "a.b.pdf", "b/a.pdf", "é.pdf", "z.pdf"]


def judged(
    inputs: Iterable[str],
    history: dict[str, Final],
    written: Iterable[str],
    contents: dict[str, Contents] | None = None,
) -> Verdict:
    """`written`: keys of Markdown and figures."""

    def look(documents: Iterable[Document]) -> Iterator[tuple[Document, Contents]]:
        return (((key, final), (contents or {}).get(key, WHOLE)) for key, final in documents)

    entries = [Entry(key, 1, "v1") for key in sorted(inputs)]
    table = KeyTable(((key, "", ()) for key in written), str)
    return judge(Places("in/", "out/"), entries, lambda _: True, table, dict(sorted(history.items())), look)


def test_an_output_that_is_whole_is_sound() -> None:
    verdict = judged(["a.pdf", "b.pdf"], {"a.pdf": OK, "b.pdf": FAILED}, ["a.md"])
    assert verdict.sound
    assert (verdict.inputs, verdict.ok, verdict.failed) == (2, 1, 1)


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        ("no_outcome", judged(["a.pdf"], {}, [])),
        ("lost", judged(["a.pdf"], {"a.pdf": OK}, [])),
        ("wrong_pages", judged(["a.pdf"], {"a.pdf": OK}, ["a.md"], {"a.pdf": Contents(1, frozenset())})),
        ("lost_figures", judged(["a.pdf"], {"a.pdf": OK}, ["a.md"], {"a.pdf": Contents(2, frozenset({"1.png"}))})),
        ("changed", judged(["a.pdf"], {"a.pdf": OK._replace(etag="v0")}, ["a.md"])),
        ("stale", judged(["a.pdf"], {"a.pdf": FAILED}, ["a.md"])),
    ],
)
def test_a_fault_is_found_and_named(fault: str, verdict: Verdict) -> None:
    assert not verdict.sound
    assert getattr(verdict, fault) == ["a.pdf"]


def test_a_figure_that_is_there_is_not_lost() -> None:
    written = ["a.md", figures_prefix("a.pdf") + "1.png"]
    assert judged(["a.pdf"], {"a.pdf": OK}, written, {"a.pdf": Contents(2, frozenset({"1.png"}))}).sound


def test_markdown_that_no_run_wrote_is_named_with_its_input() -> None:
    verdict = judged(["a.pdf"], {}, ["a.md", "b.md"])
    assert (verdict.foreign, verdict.orphans) == (["a.pdf"], ["a.md", "b.md"])


def test_a_failed_twin_does_not_make_the_others_markdown_stale() -> None:
    assert judged(["b.PDF", "b.pdf"], {"b.PDF": FAILED, "b.pdf": OK}, ["b.md"]).stale == []


@given(
    inputs=st.sets(st.sampled_from(KEYS)),
    outcomes=st.dictionaries(st.sampled_from(KEYS), st.sampled_from([OK, FAILED, OK._replace(etag="v0")])),
    written=st.sets(st.sampled_from([*map(output_key, KEYS), "other.md"])),
)
@settings(deadline=None)
def test_passes_over_sorted_keys_find_what_sets_would(
    inputs: set[str], outcomes: dict[str, Final], written: set[str]
) -> None:
    verdict = judged(inputs, outcomes, written)
    converted = {key for key, final in outcomes.items() if final.outcome != "failed"}
    made = set(map(output_key, converted))
    assert verdict.lost == sorted(key for key in converted & inputs if output_key(key) not in written)
    assert verdict.missing == sorted(outcomes.keys() - inputs)
    assert verdict.no_outcome == sorted(inputs - outcomes.keys())
    assert verdict.orphans == sorted(written - set(map(output_key, outcomes)))
    assert verdict.changed == sorted(key for key in inputs & outcomes.keys() if outcomes[key].etag != "v1")
    failed = outcomes.keys() - converted
    assert verdict.stale == sorted(key for key in failed if output_key(key) in written and output_key(key) not in made)


@given(st.sets(st.text(max_size=3)), st.sets(st.text(max_size=3)))
@settings(deadline=None)
def test_what_is_absent_is_found_in_order(wanted: set[str], known: set[str]) -> None:
    assert list(absent(sorted(wanted), sorted(known))) == sorted(wanted - known)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("documents", [0, 1, 3, 20])
def test_markdown_is_read_in_order_by_one_process_or_several(tmp_path: Path, documents: int, processes: int) -> None:
    store = LocalStore(tmp_path)
    for number in range(documents):
        store.put(f"{number}.md", f"<!-- page 1 -->\n\n![]({number}/figures/a.png)\n".encode())
    keys = [f"{number}.pdf" for number in range(documents)]
    found = list(read_contents(store, keys, str, processes, at_once=3))
    assert found == [(key, Contents(1, frozenset({"a.png"}))) for key in keys]


def test_markdown_that_vanishes_is_an_error_of_ours_from_another_process_too(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as error:
        list(read_contents(LocalStore(tmp_path), ["a.pdf", "b.pdf"], str, 2, at_once=1))
    assert "a.md" in error.value.message and error.value.hint
