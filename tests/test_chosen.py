"""Which files are documents, and which of their pages are read: told from names and numbers alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdfbatch.errors import UsageError
from pdfbatch.records import Chosen, PageSet, Secret, output_key
from pdfbatch.runs.inputs import common_folder

FILES = [
    "a.pdf",
    "B.PDF",
    "notes.txt",
    "pic.png",
    "2024/c.pdf",
    "2024/d.TIFF",
    "2024/old/e.pdf",
    ".pdfbatch/f.pdf",
    ".pdf",
]


def taken(**chosen: list[str] | str) -> list[str]:
    return list(filter(Chosen.model_validate(chosen).taker(), FILES))


@pytest.mark.parametrize(
    ("chosen", "documents"),
    [
        ({}, ["a.pdf", "B.PDF", "2024/c.pdf", "2024/old/e.pdf"]),
        ({"named": ["pic.png", "a.pdf", "notes.txt"]}, ["a.pdf", "notes.txt", "pic.png"]),
        ({"named": ["2024/"]}, ["2024/c.pdf", "2024/old/e.pdf"]),
        ({"named": ["", "pic.png"]}, ["a.pdf", "B.PDF", "pic.png", "2024/c.pdf", "2024/old/e.pdf"]),
        ({"patterns": ["*.pdf"]}, ["a.pdf", "B.PDF"]),
        ({"patterns": ["**/*.pdf"]}, ["a.pdf", "B.PDF", "2024/c.pdf", "2024/old/e.pdf"]),
        ({"patterns": ["2024/*"]}, ["2024/c.pdf", "2024/d.TIFF"]),
        ({"patterns": ["[!a].pdf"]}, ["B.PDF"]),
        ({"patterns": ["?.pdf", "pic.*"]}, ["a.pdf", "B.PDF", "pic.png"]),
        ({"include": ["*.png"]}, ["pic.png"]),
        ({"include": ["2024"]}, ["2024/c.pdf", "2024/d.TIFF", "2024/old/e.pdf"]),
        ({"exclude": ["old/"]}, ["a.pdf", "B.PDF", "2024/c.pdf"]),
        ({"exclude": ["2024/*"]}, ["a.pdf", "B.PDF"]),
        ({"include": ["*.pdf"], "exclude": ["B*"]}, ["a.pdf", "2024/c.pdf", "2024/old/e.pdf"]),
        ({"without": "2024/"}, ["a.pdf", "B.PDF"]),
    ],
)
def test_pictures_are_documents_only_where_they_are_asked_for(
    chosen: dict[str, list[str] | str], documents: list[str]
) -> None:
    assert sorted(taken(**chosen)) == sorted(documents)


@given(st.text("ab/*?[]!.\\^&|~-", min_size=1, max_size=12), st.text("ab/.-]", max_size=8))
def test_no_pattern_is_too_odd_to_be_matched(pattern: str, key: str) -> None:
    chosen = Chosen(patterns=[pattern], include=[pattern], exclude=[pattern])
    assert chosen.taker()(f"{key}.pdf") in (True, False)


@pytest.mark.parametrize(
    ("key", "output"),
    [("a/b.pdf", "a/b.md"), ("b.Pdf", "b.md"), ("c.JPEG", "c.md"), ("scan", "scan.md"), ("v1.2", "v1.2.md")],
)
def test_the_markdown_is_named_after_the_document(key: str, output: str) -> None:
    assert output_key(key) == output


@pytest.mark.parametrize(
    ("folders", "shared"),
    [
        (["a/b/", "a/c/"], "a/"),
        (["a/b/", "a/b/c/"], "a/b/"),
        (["ab/", "ac/"], ""),
        (["", "a/"], ""),
        (["x/y/"], "x/y/"),
    ],
)
def test_inputs_count_from_the_folder_that_they_share(folders: list[str], shared: str) -> None:
    assert common_folder(folders) == shared


@pytest.mark.parametrize(
    ("typed", "told", "of_five", "beyond"),
    [
        ("", "", [1, 2, 3, 4, 5], ""),
        ("1-", "", [1, 2, 3, 4, 5], ""),
        ("3", "3", [3], ""),
        (" 7, 1-3 ", "1-3,7", [1, 2, 3], "7"),
        ("2-4,3-9", "2-9", [2, 3, 4, 5], "6-9"),
        ("1-2,3", "1-3", [1, 2, 3], ""),
        ("4-", "4-", [4, 5], ""),
        ("8-", "8-", [], "8-"),
        ("5-,2", "2,5-", [2, 5], ""),
    ],
)
def test_pages_are_read_as_people_write_them(typed: str, told: str, of_five: list[int], beyond: str) -> None:
    pages = PageSet.read(typed)
    assert (str(pages), pages.of(5), pages.beyond(5)) == (told, of_five, beyond)


@pytest.mark.parametrize("typed", ["0", "3-1", "a", "1,,2", "-3", "1.5", ","])
def test_what_names_no_page_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match=r"page|backwards"):
        PageSet.read(typed)


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 9)), min_size=1), st.integers(1, 50))
def test_a_page_set_says_what_is_there_and_what_is_not(spans: list[tuple[int, int]], pages: int) -> None:
    asked = {n for first, more in spans for n in range(first, first + more + 1)}
    read = PageSet.read(",".join(f"{first}-{first + more}" for first, more in spans))
    there = read.of(pages)
    assert there == sorted(n for n in asked if n <= pages)
    assert list(read.first(len(there))) == there
    late = PageSet.read(read.beyond(pages)).of(100) if read.beyond(pages) else []
    assert late == sorted(n for n in asked if n > pages)
    assert PageSet.read(str(read)) == read


@pytest.mark.parametrize(
    "arn", ["hunter2", "arn:aws:s3:::bucket", "arn:aws:secretsmanager:us-east-1:123456789012:secret:short"]
)
def test_a_secret_is_named_by_its_whole_arn(arn: str) -> None:
    with pytest.raises(UsageError):
        Secret.read(arn)
