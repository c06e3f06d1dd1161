"""Processors in runs, by the command line and real children: what a fault costs, and what a later run makes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from samples.many import long_pdf
from tests.program import Ended, Program

NOTES, WHOLE = "tests.processors.own:Notes", "tests.processors.own:Whole"
PAGES = 7


@pytest.fixture
def run(tmp_path: Path, pdfbatch: Program) -> Callable[..., Ended]:
    (tmp_path / "in" / "sub").mkdir(parents=True)
    for number, name in enumerate(("a", "bad", "sub/c")):
        long_pdf(tmp_path / "in" / f"{name}.pdf", PAGES + number, lines=2)

    def run(*also: str, more: tuple[object, ...] = ()) -> Ended:
        options = [word for each in also for word in ("--also", each)]
        return pdfbatch(
            *("local-run", tmp_path / "in", tmp_path / "out", "--engine", "null", "--json"),
            *("--max-retries", 1, *options, *more),
        )

    return run


def lines(pdfbatch: Program, out: Path) -> dict[str, dict[str, object]]:
    return {each["key"]: each for each in map(json.loads, pdfbatch("report", out, "--jsonl").stdout.splitlines())}


def tree(out: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and ".pdfbatch" not in path.parts
    }


def test_each_document_gets_the_files_of_all_its_pages_and_a_second_run_has_nothing_to_do(
    tmp_path: Path, run: Callable[..., Ended], pdfbatch: Program
) -> None:
    out = tmp_path / "out"
    assert run(NOTES, WHOLE).returncode == 0
    found = tree(out)
    for name, pages in (("a", 7), ("bad", 8), ("sub/c", 9)):
        notes = [found[f"{name}/Notes/pages/{n}.txt"].decode() for n in range(1, pages + 1)]
        assert notes == [f"{name}.pdf {n} of {pages}: \n" for n in range(1, pages + 1)]
        assert found[f"{name}/Whole/copy.md"] == found[f"{name}.md"], "the Markdown as it is published"
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.txt")}
    assert json.loads(run(NOTES, WHOLE).stdout)["documents"]["skipped"] == 3
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.txt")} == before
    verified = json.loads(pdfbatch("verify", out, "--json").stdout)
    assert verified["sound"] and verified["orphans"] == [], "Markdown of a processor is no stray file"


def test_one_child_and_several_make_the_same_files(
    tmp_path: Path, run: Callable[..., Ended], pdfbatch: Program
) -> None:
    also = ["--also", NOTES, "--also", WHOLE, "--also", "images:dpi=30", "--also", "analysis"]
    for children in (1, 3):
        out = tmp_path / f"out-{children}"
        ran = pdfbatch("local-run", tmp_path / "in", out, "--engine", "null", "--processes", children, *also)
        assert ran.returncode == 0, ran.stdout
    assert tree(tmp_path / "out-1") == tree(tmp_path / "out-3")


DETAILS = {
    "kill": "died (SIGKILL)",
    "crash": "died (SIGSEGV)",
    "eat": "needs more memory",
    "raise": "Strange: no such word",
    "exit": "SystemExit: 3",
    "look": "PermissionError",
    "call": "PermissionError",
    "unfit": "there is nothing to note",
}


@pytest.mark.slow
def test_a_fault_costs_only_the_files_of_that_processor_for_that_document(
    tmp_path: Path, run: Callable[..., Ended], pdfbatch: Program
) -> None:
    out = tmp_path / "out"
    for how in DETAILS:
        long_pdf(tmp_path / "in" / f"{how}.pdf", 2, lines=1)
    assert run(f"{NOTES}:how=by_name", WHOLE).returncode == 3
    outcomes, found = lines(pdfbatch, out), tree(out)
    for how, detail in DETAILS.items():
        bad = outcomes[f"{how}.pdf"]
        assert (bad["outcome"], bad["reason"]) == ("partial", "processor_failed"), how
        assert detail in str(bad["detail"]) and str(bad["detail"]).startswith("Notes: "), bad["detail"]
        assert bad["processed"] == {"Whole": "2"} and bad["failed_pages"] == []
        assert found[f"{how}.md"].count(b"<!-- page") == 2, "its Markdown is complete"
        assert found[f"{how}/Whole/copy.md"] == found[f"{how}.md"]
    for key, pages in (("a", 7), ("bad", 8), ("sub/c", 9)):
        assert outcomes[f"{key}.pdf"]["outcome"] == "ok"
        assert sum(name.startswith(f"{key}/Notes/") for name in found) == pages
    assert json.loads(pdfbatch("verify", out, "--json").stdout)["sound"]


@pytest.mark.slow
def test_a_processor_that_hangs_is_killed(tmp_path: Path, run: Callable[..., Ended], pdfbatch: Program) -> None:
    assert run(f"{NOTES}:how=hang", more=("--also-seconds", 5)).returncode == 3
    outcomes = lines(pdfbatch, tmp_path / "out")
    assert outcomes["bad.pdf"]["detail"] == "Notes: took longer than its deadline and was killed"
    assert {outcomes[key]["outcome"] for key in ("a.pdf", "sub/c.pdf")} == {"ok"}


def test_a_child_that_is_killed_once_is_tried_again(
    tmp_path: Path, run: Callable[..., Ended], pdfbatch: Program
) -> None:
    assert run(f"{NOTES}:how=kill_once,page=5").returncode == 0
    assert sum(name.startswith("bad/Notes/") for name in tree(tmp_path / "out")) == 8


def test_a_retry_runs_only_the_processor_that_failed(
    tmp_path: Path, run: Callable[..., Ended], pdfbatch: Program
) -> None:
    out = tmp_path / "out"
    assert run(f"{NOTES}:how=raise,page=8", WHOLE).returncode == 3
    before = {path: path.stat().st_mtime_ns for path in (*out.rglob("*.md"), *out.glob("a/**/*.txt"))}
    again = ("retry-failures", out, "--local", "--engine", "null", "--json")
    still = pdfbatch(*again)
    assert still.returncode == 3 and json.loads(still.stdout)["documents"]["total"] == 1, "with the same processors"
    fixed = pdfbatch(*again, "--reason", "processor_failed", "--also", NOTES, "--also", WHOLE)
    assert fixed.returncode == 0 and json.loads(fixed.stdout)["documents"]["ok"] == 1, fixed.stderr
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert sum(name.startswith("bad/Notes/") for name in tree(out)) == 8
    assert lines(pdfbatch, out)["bad.pdf"]["processed"].keys() == {"Notes", "Whole"}


@pytest.mark.slow
def test_a_later_run_makes_only_what_is_new_and_reads_no_page_again(
    tmp_path: Path, run: Callable[..., Ended], pdfbatch: Program
) -> None:
    out = tmp_path / "out"
    assert run().returncode == 0
    markdown = {path: path.stat().st_mtime_ns for path in out.rglob("*.md")}
    first = run(NOTES)
    assert first.returncode == 0 and "only --also is done for them" in first.stderr
    assert json.loads(first.stdout)["documents"]["ok"] == 3
    notes = {path: path.stat().st_mtime_ns for path in out.rglob("*.txt")}
    assert len(notes) == 7 + 8 + 9
    assert run(NOTES, "images:dpi=30").returncode == 0
    assert {path: path.stat().st_mtime_ns for path in notes} == notes, "they were there"
    assert {path: path.stat().st_mtime_ns for path in markdown} == markdown
    pictures = {path: path.read_bytes() for path in out.rglob("*.webp")}
    assert len(pictures) == 7 + 8 + 9
    assert run("images:dpi=60").returncode == 0, "other options are other files, in their place"
    assert {path for path in out.rglob("*.webp") if path.read_bytes() != pictures[path]} == pictures.keys()
    assert lines(pdfbatch, out)["a.pdf"]["processed"].keys() == {"Notes", "images"}
    assert run().returncode == 0 and json.loads(pdfbatch("verify", out, "--json").stdout)["sound"]


def test_without_the_elements_of_an_earlier_run_its_markdown_stays(
    tmp_path: Path, run: Callable[..., Ended], pdfbatch: Program
) -> None:
    out = tmp_path / "out"
    assert run().returncode == 0
    (out / "a.json").unlink()
    markdown = (out / "a.md").stat().st_mtime_ns
    assert run(NOTES).returncode == 3
    line = lines(pdfbatch, out)["a.pdf"]
    assert line["outcome"] == "partial" and "a.json, from which processors get the pages, is missing" in line["detail"]
    assert (out / "a.md").stat().st_mtime_ns == markdown
    assert json.loads(pdfbatch("verify", out, "--json").stdout)["sound"]


def test_a_file_of_somebody_else_is_not_overwritten(
    tmp_path: Path, run: Callable[..., Ended], pdfbatch: Program
) -> None:
    theirs = tmp_path / "out" / "a" / "Whole" / "copy.md"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("mine")
    assert run(WHOLE).returncode == 3 and theirs.read_text() == "mine"
    assert "already exists with other content" in str(lines(pdfbatch, tmp_path / "out")["a.pdf"]["detail"])
    assert pdfbatch("retry-failures", tmp_path / "out", "--local", "--engine", "null").returncode == 0
    assert theirs.read_text() == (tmp_path / "out" / "a.md").read_text()


def test_documents_with_the_same_content_each_get_files_of_their_own(
    tmp_path: Path, run: Callable[..., Ended], pdfbatch: Program
) -> None:
    (tmp_path / "in" / "copy.pdf").write_bytes((tmp_path / "in" / "a.pdf").read_bytes())
    assert run(f"{NOTES}:how=raise,where=copy").returncode == 3
    found, outcomes = tree(tmp_path / "out"), lines(pdfbatch, tmp_path / "out")
    assert found["a/Notes/pages/1.txt"] == b"a.pdf 1 of 7: \n" and not any("copy/" in name for name in found)
    assert found["copy.md"] == found["a.md"] and outcomes["copy.pdf"]["same_as"] == "a.pdf"
    assert (outcomes["a.pdf"]["outcome"], outcomes["copy.pdf"]["outcome"]) == ("ok", "partial")


def test_a_processor_that_fails_for_every_document_is_given_up(
    tmp_path: Path, run: Callable[..., Ended], pdfbatch: Program
) -> None:
    more = ("--max-failures-in-a-row", 2, "--processes", 1)
    assert run(f"{NOTES}:how=raise,where=pdf", WHOLE, more=more).returncode == 3
    details = sorted(str(line["detail"]) for line in lines(pdfbatch, tmp_path / "out").values())
    assert [("not tried" in detail) for detail in details] == [False, False, True]
    assert all(line["processed"] == {"Whole": "2"} for line in lines(pdfbatch, tmp_path / "out").values())
