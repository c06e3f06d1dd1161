"""Which documents count as the same."""

from pathlib import Path

from pdfbatch.records import SourceDocument
from pdfbatch.runs.copies import digest_in, etag_of, without_copies
from pdfbatch.store import LocalStore


def document(key: str, size: int = 10, etag: str = "e", twin: str = "") -> SourceDocument:
    return SourceDocument(key, size, etag, twin=twin)


def groups(documents: list[SourceDocument]) -> list[list[str]]:
    return [[each.key, *(copy.key for copy in each.copies)] for each in without_copies(documents, etag_of)]


def test_the_first_of_several_stands_for_the_others_wherever_they_are() -> None:
    found = [document("a"), document("b", etag="f"), document("c"), document("d", etag="f"), document("e")]
    assert groups(found) == [["a", "c", "e"], ["b", "d"]]


def test_another_size_another_version_or_no_content_make_no_copy() -> None:
    assert groups([document("a"), document("b", size=11), document("c", etag="f")]) == [["a"], ["b"], ["c"]]
    assert groups([document("a", size=0), document("b", size=0)]) == [["a"], ["b"]]


def test_a_name_clash_is_no_copy() -> None:
    assert groups([document("a.PDF"), document("a.pdf", twin="a.PDF"), document("b.pdf")]) == [
        ["a.PDF", "b.pdf"],
        ["a.pdf"],
    ]


def test_local_files_of_one_size_are_compared_by_their_content_and_no_others_are_read(tmp_path: Path) -> None:
    read: list[str] = []

    class Counting(LocalStore):
        def digest(self, key: str) -> str:
            read.append(key)
            return super().digest(key)

    store = Counting(tmp_path)
    for name, data in {"a": b"same", "b": b"same", "c": b"else", "d": b"longer"}.items():
        store.put(name, data)
    documents = [SourceDocument(*entry) for entry in store.list()]
    documents.append(SourceDocument("gone", 4, "e"))
    found = without_copies(documents, digest_in(store))
    assert [[each.key, *(copy.key for copy in each.copies)] for each in found] == [["a", "b"], ["c"], ["d"], ["gone"]]
    assert sorted(read) == ["a", "b", "c", "gone"]
