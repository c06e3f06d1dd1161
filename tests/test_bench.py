"""The benchmark counts what it says it counts."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import pytest

from bench import checks, export, scale
from bench.corpus import CorpusFile, PageFacts, copied, own_corpus, pages_in, readable
from bench.figures import Figure, Section, at_least, at_most, missed, table
from bench.measure import CommandFailed, run_measured
from bench.ours import pages_of
from bench.turned import Turned
from bench.words import losses
from samples import odd
from samples.many import long_pdf

PAGE = " ".join(f"{letter * 4}" for letter in "abcdefghijklmnopqrstuvwxyz")


def test_words_lost_are_those_the_markdown_of_the_same_page_lacks() -> None:
    layer = Counter(PAGE.split())
    files = [CorpusFile(Path("a.pdf"), (PageFacts(layer), PageFacts(layer), PageFacts(Counter(["few"]))))]
    markdown = {1: PAGE, 2: PAGE.replace("bbbb", "").replace("cccc", "c")}
    worst, best = losses(files, lambda _name, number: markdown[number])
    assert (worst.number, worst.lost, worst.layer) == (2, 2, 26)
    assert (best.number, best.lost) == (1, 0)


def test_a_missed_target_is_named_and_a_figure_without_one_is_not() -> None:
    figures = [at_least("ratio", 0.5, 0.9, "x"), at_most("memory", 0.5, 0.8, "GiB"), Figure("pages", 12_345)]
    section = Section("Speed", figures, ["a note"])
    assert [figure.name for figure in missed([section])] == ["ratio"]
    assert table(section).splitlines() == [
        "## Speed",
        "   a note",
        "  ratio     0.50 x  >= 0.9  NO",
        "  memory  0.50 GiB  <= 0.8  yes",
        "  pages     12,345",
    ]


def test_a_published_document_is_taken_apart_by_its_anchors(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("<!-- page 1 -->\n\nOne.\n\n<!-- page 2: timeout -->\n\n<!-- page 3 -->\n")
    assert pages_of(tmp_path, "a.pdf") == {1: "One.", 2: "", 3: ""}
    assert pages_of(tmp_path, "b.pdf") == {}


def test_a_page_may_lose_two_words_of_a_hundred_when_it_is_turned() -> None:
    assert [Turned("a.pdf", 1, "drawn", 90, 100, words).off for words in (98, 103)] == [0.02, 0.03]
    assert Turned("a.pdf", 1, "drawn", 90, 0, 0).off == 0


def test_memory_is_counted_over_the_whole_tree() -> None:
    child = "import time; held = bytearray(b'x') * (64 << 20); time.sleep(0.6)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    usage = run_measured([sys.executable, "-c", parent])
    assert usage.processes == 2
    assert usage.worker_mib > 64 > usage.main_mib
    assert usage.tree_mib > usage.worker_mib


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(CommandFailed, match="no such luck"):
        run_measured([sys.executable, "-c", "import sys; sys.exit('no such luck')"])


@pytest.mark.slow
def test_our_own_corpus_holds_readable_files_of_both_kinds(tmp_path: Path) -> None:
    files = readable(own_corpus(tmp_path / "own"))
    kinds = {file.path.name: file.born_digital for file in files}
    assert kinds["two-column-paper.pdf"] and kinds["long.pdf"]
    assert not kinds["scanned-minutes.pdf"] and not kinds["hidden_layer.pdf"]
    assert "password-needed.pdf" not in kinds and "no-pages.pdf" not in kinds


def test_long_files_are_cut_and_short_ones_copied_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    long_pdf(folder / "long.pdf", 30)
    (folder / "short.pdf").write_bytes(odd.text_page())
    copies = copied(readable(folder), tmp_path / "out", 5)
    assert pages_in(copies) == pages_in(readable(tmp_path / "out")) == 6
    assert (tmp_path / "out" / "short.pdf").read_bytes() == odd.text_page()


@pytest.mark.slow
def test_each_check_of_a_page_has_its_time_and_none_takes_more_than_all(tmp_path: Path) -> None:
    page, result = tmp_path / "a.pdf", tmp_path / "checks.json"
    page.write_bytes(odd.text_page())
    run_measured([sys.executable, "-m", "bench.checks", str(result), str(page)])
    seconds = json.loads(result.read_text())
    assert set(seconds) == set(checks.PARTS)
    assert all(0 < spent <= seconds["all"] for spent in seconds.values())


@pytest.mark.slow
def test_every_step_of_a_run_is_measured_and_the_run_is_sound() -> None:
    steps = {step.name: step for step in scale.measured_steps(120)}
    assert set(steps) == {*scale.STEPS, "plan of the next run"}
    assert all(step.requests > 0 and step.mib > 0 and step.cpu > 0 for step in steps.values())
    assert steps["verify"].requests > 120 > steps["report"].requests


@pytest.mark.slow
def test_an_export_is_measured_in_a_process_of_its_own_and_its_second_run_writes_nothing(tmp_path: Path) -> None:
    section = export.measured(tmp_path, 30, ["docling"])
    figures = {figure.name: figure for figure in section.figures}
    assert figures["docling: files it writes"].met
    assert figures["docling: CPU time"].value
    assert len(list((tmp_path / "output").rglob("*.md"))) == 30
