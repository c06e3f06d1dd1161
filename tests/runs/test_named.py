"""Everything given as INPUT becomes one store and a selection of names and patterns in it."""

from pathlib import Path

import pytest

from pdfbatch.errors import NotFound, PdfbatchError, UsageError
from pdfbatch.records import Chosen
from pdfbatch.runs.inputs import listed
from pdfbatch.runs.named import Inputs, named, places_of
from pdfbatch.store import Store, open_store
from samples import odd


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for key in ("in/a.pdf", "in/B.PDF", "in/sub/c.pdf", "in/sub/deep/d.pdf", "in/pic.png", "in/odd[1].pdf"):
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_bytes(odd.text_page())
    return tmp_path


def inputs(folder: Path, *given: str, output: Store | None = None, known: str = "", text: str = "") -> Inputs:
    places = [f"{folder}/{each}" if each[0] not in "@-" and "://" not in each else each for each in given]
    return named(places, output, known=known, read_list=lambda _name: text)


def keys(found: Inputs) -> list[str]:
    return sorted(filter(found.chosen.taker(), (entry.key for entry in listed(*found).entries)))


@pytest.mark.parametrize(
    ("given", "root", "documents"),
    [
        (["in"], "in/", ["B.PDF", "a.pdf", "odd[1].pdf", "sub/c.pdf", "sub/deep/d.pdf"]),
        (["in/a.pdf"], "in/", ["a.pdf"]),
        (["in/odd[1].pdf"], "in/", ["odd[1].pdf"]),
        (["in/pic.png", "in/sub/"], "in/", ["pic.png", "sub/c.pdf", "sub/deep/d.pdf"]),
        (["in/sub", "in/a.pdf"], "in/", ["a.pdf", "sub/c.pdf", "sub/deep/d.pdf"]),
        (["in/sub", "in/sub/deep"], "in/sub/", ["c.pdf", "deep/d.pdf"]),
        (["in/*.pdf"], "in/", ["B.PDF", "a.pdf", "odd[1].pdf"]),
        (["in/**/*.pdf"], "in/", ["B.PDF", "a.pdf", "odd[1].pdf", "sub/c.pdf", "sub/deep/d.pdf"]),
        (["in/s*/?.pdf"], "in/", ["sub/c.pdf"]),
        (["in/p*"], "in/", ["pic.png"]),
    ],
)
def test_inputs_become_one_store_and_a_selection(
    folder: Path, given: list[str], root: str, documents: list[str]
) -> None:
    found = inputs(folder, *given)
    assert found.source.url == f"{folder}/{root}"
    assert keys(found) == documents


def test_a_list_has_a_path_a_line_and_no_line_is_a_pattern(folder: Path) -> None:
    text = f"\ufeff# papers\n{folder}/in/a.pdf\r\n\n{folder}/in/odd[1].pdf\n{folder}/in/sub\n"
    assert keys(inputs(folder, "-", text=text)) == ["a.pdf", "odd[1].pdf", "sub/c.pdf", "sub/deep/d.pdf"]


def test_many_files_of_one_folder_are_found_in_its_listing(folder: Path) -> None:
    for number in range(30):
        (folder / "in" / f"{number}.pdf").write_bytes(b"")
    text = "\n".join(f"{folder}/in/{number}.pdf" for number in range(30))
    assert len(keys(inputs(folder, "@list", text=text))) == 30


@pytest.mark.parametrize(
    ("given", "said", "next_step"),
    [
        (["in/aa.pdf"], "no file or folder", "in/a.pdf"),
        (["nowhere/*.pdf"], "no folder", "Check"),
        (["in/a.pdf", "s3://bucket/b.pdf"], "some on this machine", "Run once for each"),
        (["s3://bucket/b/", "s3://another/b/"], "2 buckets", "Run once for each bucket"),
        (["https://example.com/a.pdf"], "https://", "Download"),
        (["-"], "names no file", "one path per line"),
    ],
)
def test_an_invalid_input_is_refused_with_a_hint(folder: Path, given: list[str], said: str, next_step: str) -> None:
    with pytest.raises(PdfbatchError) as refused:
        inputs(folder, *given)
    assert said in refused.value.message
    assert next_step in refused.value.hint


def test_a_line_of_a_list_that_is_wrong_is_named(folder: Path) -> None:
    with pytest.raises(NotFound) as refused:
        inputs(folder, "@papers.txt", text=f"{folder}/in/a.pdf\n\n{folder}/in/c.pdf")
    assert "papers.txt, line 3" in refused.value.message


def test_keys_go_on_counting_from_where_the_output_counts(folder: Path) -> None:
    found = inputs(folder, "in/sub/c.pdf", known=f"{folder}/in/")
    assert (found.source.url, found.chosen.named) == (f"{folder}/in/", ["sub/c.pdf"])
    elsewhere = inputs(folder, "in/a.pdf", known=f"{folder}/in/sub/")
    assert elsewhere.source.url == f"{folder}/in/"


def test_nothing_in_the_output_is_an_input(folder: Path) -> None:
    found = inputs(folder, "in", output=open_store(f"{folder}/in/sub"))
    assert keys(found) == ["B.PDF", "a.pdf", "odd[1].pdf"]


def test_only_the_named_folders_are_listed(folder: Path) -> None:
    (folder / "in" / "sub").chmod(0)
    try:
        found = inputs(folder, "in/a.pdf", "in/*.PDF")
        assert list(listed(*found).locked) == []
        assert sorted(entry.key for entry in listed(*found).entries) == ["B.PDF", "a.pdf", "odd[1].pdf"]
    finally:
        (folder / "in" / "sub").chmod(0o700)


def test_a_named_file_that_is_missing_is_reported(folder: Path) -> None:
    source = open_store(f"{folder}/in")
    found = listed(source, Chosen(named=["a.pdf", "gone.pdf"], patterns=["*.pdf", "x*"]))
    assert found.absent == ["gone.pdf", "x*"]
    known = listed(source, Chosen(named=["a.pdf"]), ["B.PDF", "no.pdf"]).entries
    assert sorted(entry.key for entry in known) == ["B.PDF", "a.pdf"]


def test_keys_in_s3_are_files_patterns_and_folders_too(bucket: str) -> None:
    store = open_store(f"s3://{bucket}/in/")
    for key in ("a.pdf", "2024/b.pdf", "2024/c.PDF", "2024/more/d.pdf"):
        store.put(key, b"")

    def of(*given: str) -> tuple[str, list[str]]:
        found = named([f"s3://{bucket}/{each}" for each in given], None, read_list=str)
        return found.source.url, keys(found)

    assert of("in/a.pdf") == (f"s3://{bucket}/in/", ["a.pdf"])
    assert of("in/2024") == (f"s3://{bucket}/in/2024/", ["b.pdf", "c.PDF", "more/d.pdf"])
    assert of("in/2024/*.pdf") == (f"s3://{bucket}/in/2024/", ["b.pdf", "c.PDF"])
    assert of("in/a.pdf", "in/2024/more/") == (f"s3://{bucket}/in/", ["2024/more/d.pdf", "a.pdf"])
    with pytest.raises(NotFound, match=r"There is no s3://.*/in/A1\.pdf") as refused:
        of("in/A1.pdf")
    assert "in/a.pdf" in refused.value.hint


def test_a_role_needs_no_more_than_the_folders_that_are_read() -> None:
    store = open_store("s3://bucket/")
    assert places_of(store, Chosen()) == ("s3://bucket/",)
    chosen = Chosen(named=["a/x.pdf", "b/", "b/c/y.pdf"], patterns=["d/e*/*.pdf"])
    assert places_of(store, chosen) == ("s3://bucket/a/", "s3://bucket/b/", "s3://bucket/d/")


def test_a_pipe_is_not_an_input(folder: Path) -> None:
    with pytest.raises(UsageError, match="neither a file nor a folder"):
        named(["/dev/null"], None, read_list=str)
