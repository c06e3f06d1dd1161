"""The documents of a run, by slice."""

import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdfbatch.errors import PdfbatchError
from pdfbatch.records import RunKeys, SourceDocument
from pdfbatch.runs import manifest, slices
from pdfbatch.store import LocalStore
from tests.frozen import frozen

_COPIES = (SourceDocument("x.pdf", 1, "e"), SourceDocument("y.pdf", 1, "e", "m", 2))
_DOCUMENTS = [
    SourceDocument("a.pdf", 0, ""),
    SourceDocument('"\\\n\u2028[].pdf', 2**40, "e"),
    SourceDocument("é/豈.PDF", 1, "e", None, 3),
    SourceDocument("b.pdf", 1, "e", "m", 1, "b.PDF"),
    SourceDocument("c.pdf", 1, "e", pages=3000),
    SourceDocument("c.pdf", 1, "e", part=2, parts=3),
    SourceDocument("d.pdf", 1, "e", copies=_COPIES),
]


@pytest.fixture
def store(tmp_path: object) -> LocalStore:
    return LocalStore(tmp_path)  # type: ignore[arg-type]


@settings(max_examples=25)
@given(st.lists(st.sampled_from(_DOCUMENTS), max_size=8), st.integers(1, 3))
def test_a_slice_reads_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, documents: list[SourceDocument], workers: int
) -> None:
    store = LocalStore(tmp_path_factory.mktemp("out"))
    run = frozen(documents, workers)
    manifest.save(store, run)
    read = [slices.documents_of(store, run.manifest, worker) for worker in range(workers)]
    assert [list(each) for each in read] == [list(each) for each in run.slices]
    assert [len(each) for each in read] == [len(each) for each in run.slices]
    assert manifest.load(store, "r") == run.manifest


def test_the_keys_of_a_run_come_in_order_each_once(store: LocalStore) -> None:
    long = SourceDocument("b.pdf", 10, "e", parts=2, copies=(SourceDocument("é.pdf", 10, "e"),))
    documents = [SourceDocument("a.pdf", 1, "e"), long._replace(part=1), long._replace(part=2)]
    run = frozen([*documents, SourceDocument("z.pdf", 1, "e")], 3)
    manifest.save(store, run)
    assert list(slices.keys_of(store, run.manifest)) == ["a.pdf", "b.pdf", "z.pdf", "é.pdf"]
    assert run.manifest.documents == 4


def test_a_manifest_of_version_1_is_still_read_with_its_documents(store: LocalStore) -> None:
    known = frozen([], 2).manifest.model_dump(mode="json")
    rows = [[f"{number}.pdf", 1, "e", None, 1, ""] for number in range(5)]
    old = {**known, "version": 1, "documents": rows}
    del old["slices"]
    store.put(RunKeys("r").manifest, gzip.compress(json.dumps(old).encode()))
    run = manifest.load(store, "r")
    assert run.slices == [3, 2]
    assert [each.key for each in slices.documents_of(store, run, 1)] == ["1.pdf", "3.pdf"]


@pytest.mark.parametrize(
    "data", [b"", b"x", *(gzip.compress(line, mtime=0) for line in (b"[1\n", b"7\n", b"[7,1,2]\n"))]
)
def test_a_damaged_slice_says_so_and_what_to_do(store: LocalStore, data: bytes) -> None:
    run = frozen([SourceDocument("a.pdf", 1, "e")])
    manifest.save(store, run)
    store.put(RunKeys("r").slice_documents(0), data)
    with pytest.raises(PdfbatchError, match="missing or damaged") as error:
        slices.documents_of(store, run.manifest, 0)
    assert "current.json" in error.value.hint
