"""Which file that a command wrote belongs to which document."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdfbatch.records import output_key, stem_of
from pdfbatch.worker.command_files import made_files, markdown_for


def written(folder: Path, names: Sequence[str]) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


@pytest.mark.parametrize(
    ("keys", "name", "owner", "published"),
    [
        (["2024/a.pdf"], "2024/a.md", "2024/a.pdf", "2024/a.md"),
        (["2024/a.pdf"], "2024/a.pdf.md", "2024/a.pdf", "2024/a.md"),
        (["a.docx"], "a.md", "a.docx", "a.docx.md"),
        (["a.docx"], "a.docx.md", "a.docx", "a.docx.md"),
        (["a.docx", "a.pdf"], "a.md", "a.pdf", "a.md"),
        (["a.docx", "a.html"], "a.docx.md", "a.docx", "a.docx.md"),
        (["a.png"], "a/figures/1.png", "a.png", "a/figures/1.png"),
        (["a.png"], "a.tar.gz", "a.png", "a.tar.gz"),
        (["a.png", "a.b.png"], "a.b.md", "a.b.png", "a.b.md"),
        (["a.png", "a.b.png"], "a.c.md", "a.png", "a.c.md"),
    ],
)
def test_a_file_belongs_to_the_document_that_it_is_named_after(
    tmp_path: Path, keys: Sequence[str], name: str, owner: str, published: str
) -> None:
    found = made_files(written(tmp_path, [name]), keys)
    assert {key: [made.key for made in files] for key, files in found.items() if files} == {owner: [published]}


@pytest.mark.parametrize("name", ["b.md", "ab.md", "log.txt", "2024/a.md"])
def test_other_files_belong_to_nobody(tmp_path: Path, name: str) -> None:
    assert made_files(written(tmp_path, [name]), ["a.pdf"]) == {"a.pdf": []}


def test_what_two_documents_could_claim_belongs_to_neither(tmp_path: Path) -> None:
    assert made_files(written(tmp_path, ["a.md"]), ["a.docx", "a.html"]) == {"a.docx": [], "a.html": []}


def test_links_are_left_out_wherever_they_lead(tmp_path: Path) -> None:
    written(tmp_path / "elsewhere", ["secret"])
    folder = written(tmp_path / "out", ["b.md"])
    (folder / "a.md").symlink_to(tmp_path / "elsewhere" / "secret")
    (folder / "a").symlink_to(tmp_path / "elsewhere")
    assert made_files(folder, ["a.pdf"]) == {"a.pdf": []}


def test_the_markdown_is_last_and_without_any_it_links_to_the_other_files(tmp_path: Path) -> None:
    (files,) = made_files(written(tmp_path / "1", ["d/a.md", "d/a.json", "d/a.xml"]), ["d/a.pdf"]).values()
    assert [made.key for made in files] == ["d/a.json", "d/a.xml", "d/a.md"]
    assert markdown_for("d/a.pdf", files) == b"d/a.md"
    (files,) = made_files(written(tmp_path / "2", ["d/a b]/1.txt", "d/a b].json"]), ["d/a b].pdf"]).values()
    assert markdown_for("d/a b].pdf", files) == b"- [a b\\].json](a%20b%5D.json)\n- [a b\\]/1.txt](a%20b%5D/1.txt)\n"
    assert markdown_for("d/a.pdf", []) is None


names = st.text("ab.", min_size=1, max_size=5).filter(lambda name: name.strip(".") == name)
keys = st.sets(st.builds("{}.{}".format, names, st.sampled_from(["pdf", "png", "docx"])), min_size=1, max_size=4)


@given(keys, st.sets(st.builds("{}.{}".format, names, st.sampled_from(["md", "json"])), max_size=6))
def test_no_two_documents_get_one_file_and_each_gets_only_keys_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, documents: set[str], outputs: set[str]
) -> None:
    folder = written(tmp_path_factory.mktemp("out"), sorted(outputs))
    found = made_files(folder, documents)
    paths = [made.path for files in found.values() for made in files]
    assert len(paths) == len(set(paths))
    for key, files in found.items():
        assert all(made.key.startswith(stem_of(key) + ".") for made in files)
        assert output_key(key) not in [made.key for made in files[:-1]]
