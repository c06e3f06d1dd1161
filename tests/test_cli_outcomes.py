"""What `report`, `status` and `retry-failures` say about an output with several runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from samples import odd
from samples.many import many_pdfs
from tests.program import within as pdfbatch

RETRY = ("--local", "--engine", "null")


@pytest.fixture
def pdfs(tmp_path: Path) -> Path:
    """Three good documents, and two of which every try fails."""
    folder = tmp_path / "in"
    many_pdfs(folder, 3)
    (folder / "web.pdf").write_bytes(b"<html>")
    (folder / "zero.pdf").write_bytes(b"")
    return folder


@pytest.fixture
def out(tmp_path: Path, pdfs: Path) -> Path:
    """The output after a first run."""
    out = tmp_path / "out"
    ended = pdfbatch("local-run", pdfs, out, "--engine", "null")
    assert ended.stdout.startswith("DONE  3 ok, 2 failed\n")
    assert f"next:    pdfbatch report --failures {out}/" in ended.stdout, "no retry can mend them"
    return out


def repaired(pdfs: Path, out: Path) -> None:
    """The empty file is replaced, and retried alone."""
    (pdfs / "zero.pdf").write_bytes(odd.text_page())
    again = pdfbatch("retry-failures", out, *RETRY)
    assert again.stdout.startswith("DONE  1 ok\n"), again.stderr


def test_hopeless_failures_are_named_with_their_fix_and_not_retried(out: Path) -> None:
    again = pdfbatch("retry-failures", out, *RETRY)
    assert again.returncode == 0
    assert "empty_file (1): zero.pdf" in again.stderr and "not_a_pdf (1): web.pdf" in again.stderr
    assert "fix: download the file again" in again.stderr and "--all-failures" in again.stderr
    assert "nothing to retry: no other document failed" in again.stderr
    assert f"next:    pdfbatch report --failures {out}/" in again.stdout
    assert len(list(out.glob(".pdfbatch/*/manifest.json.gz"))) == 1


@pytest.mark.parametrize(
    ("words", "failed"), [(["--all-failures"], 2), (["--reason", "not_a_pdf"], 1)], ids=["all", "by its reason"]
)
def test_hopeless_failures_are_retried_on_request(out: Path, words: list[str], failed: int) -> None:
    again = pdfbatch("retry-failures", out, *RETRY, *words, "--json")
    assert json.loads(again.stdout)["documents"]["failed"] == failed


def test_a_report_covers_every_run_of_the_output(pdfs: Path, out: Path) -> None:
    repaired(pdfs, out)
    shown = pdfbatch("report", out).stdout
    assert "2 runs, the latest" in shown and "5 of 5: 4 ok, 0 partial, 1 failed" in shown
    report = json.loads(pdfbatch("report", out, "--json").stdout)
    assert (report["runs"], report["documents"]["total"], report["pages"]["read"]) == (2, 5, 4)
    assert report["reasons"] == {"not_a_pdf": 1}
    one = json.loads(pdfbatch("report", out, "--json", "--run", report["run"]).stdout)
    assert (one["runs"], one["documents"]["total"], one["retried"]["fixed"]) == (1, 1, 1)


def test_failures_are_those_of_every_run(pdfs: Path, out: Path) -> None:
    repaired(pdfs, out)
    listed = pdfbatch("report", "--failures", out).stdout
    assert "web.pdf" in listed and "zero.pdf" not in listed
    lines = pdfbatch("report", out, "--jsonl").stdout.splitlines()
    assert sorted(json.loads(line)["outcome"] for line in lines) == ["failed", "ok", "ok", "ok", "ok"]
    latest = json.loads(pdfbatch("status", out, "--json").stdout)["run"]
    assert pdfbatch("report", "--failures", out, "--run", latest).stdout == "Nothing failed.\n"


def test_the_status_of_the_latest_run_names_the_documents_of_all(pdfs: Path, out: Path) -> None:
    assert "in all" not in pdfbatch("status", out).stdout
    repaired(pdfs, out)
    assert "in all 2 runs: 5 of 5: 4 ok, 0 partial, 1 failed" in pdfbatch("status", out).stdout
    assert json.loads(pdfbatch("status", out, "--json").stdout)["all_documents"]["total"] == 5


def test_a_local_run_has_nothing_to_terminate(out: Path) -> None:
    ended = pdfbatch("down", out, AWS_DEFAULT_REGION="")
    assert ended.returncode == 0
    assert ended.stdout.startswith("Nothing to terminate: run ") and "is local" in ended.stdout
    assert pdfbatch("down", out.parent / "in").returncode == 1, "there is no run"


def test_what_only_the_engine_null_has_opened_is_converted(pdfs: Path, out: Path) -> None:
    again = pdfbatch("local-run", pdfs, out, "--engine", "cpu")
    assert again.stdout.startswith("DONE  3 ok, 2 failed\n")
    assert "only opened by the engine null before, converted now: 000/doc-00000.pdf" in again.stderr
    assert "Document 0" in (out / "000" / "doc-00000.md").read_text()
    assert pdfbatch("verify", out).returncode == 0


def test_documents_of_a_list_are_read_again_whatever_their_outcome(tmp_path: Path) -> None:
    pdfs, out, pages = tmp_path / "in", tmp_path / "out", tmp_path / "pages.tsv"
    first, second = many_pdfs(pdfs, 2)
    (pdfs / "zero.pdf").write_bytes(b"")
    pdfbatch("local-run", pdfs, out, "--engine", "null")
    key, kept = str(first.relative_to(pdfs)), (out / second.relative_to(pdfs)).with_suffix(".md").stat().st_mtime_ns
    pages.write_text(f"# mine\n{key}\t1\n")
    again = pdfbatch("retry-failures", out, "--local", "--engine", "null", "--pages", pages, "--json")
    assert json.loads(again.stdout)["documents"]["total"] == 1, again.stderr
    lines = pdfbatch("report", out, "--jsonl").stdout.splitlines()
    assert {line["key"]: line["attempt"] for line in map(json.loads, lines)}[key] == 2
    assert (out / second.relative_to(pdfs)).with_suffix(".md").stat().st_mtime_ns == kept


def test_markdown_stays_when_a_listed_document_cannot_be_read_again(tmp_path: Path) -> None:
    pdfs, out, pages = tmp_path / "in", tmp_path / "out", tmp_path / "pages.tsv"
    (only,) = many_pdfs(pdfs, 1)
    pdfbatch("local-run", pdfs, out, "--engine", "null")
    markdown = (out / only.relative_to(pdfs)).with_suffix(".md")
    before = markdown.read_bytes()
    only.write_bytes(b"")
    pages.write_text(f"{only.relative_to(pdfs)}\t1\n")
    again = pdfbatch("retry-failures", out, "--local", "--engine", "null", "--pages", pages)
    assert again.returncode == 3 and markdown.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "words", "message"),
    [
        ("nobody.pdf\t1\n", [], "has read 'nobody.pdf'"),
        ("a.pdf\tone\n", [], "line 1"),
        ("# nothing\n", [], "lists no pages"),
        ("a.pdf\t1\n", ["--reason", "timeout"], "Leave out --reason"),
    ],
)
def test_a_list_of_pages_that_makes_no_sense_is_refused(
    tmp_path: Path, content: str, words: list[str], message: str
) -> None:
    many_pdfs(tmp_path / "in", 1)
    pdfbatch("local-run", tmp_path / "in", tmp_path / "out", "--engine", "null")
    (tmp_path / "pages.tsv").write_text(content)
    wish = ["--local", "--engine", "null", "--pages", tmp_path / "pages.tsv"]
    again = pdfbatch("retry-failures", tmp_path / "out", *wish, *words)
    assert again.returncode == 2 and message in again.stderr
