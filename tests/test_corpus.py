"""Thirty real and nasty PDFs from other projects, where they are at hand; none of them is ours to ship."""

import csv
import json
import sys
from pathlib import Path

import pytest

from bench.measure import run_measured
from pdfbatch.records import Outcome
from pdfbatch.runs import ledger
from pdfbatch.store import open_store

CORPUS = Path(__file__).parents[2] / "shared" / "pdfs"
MOST_MIB = 3.5 * 1024

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not at hand")]


def test_every_file_has_the_outcome_it_deserves_in_bounded_memory_and_a_rerun_redoes_only_failures(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-m", "pdfbatch.cli", "local-run", str(CORPUS), str(tmp_path / "out"), "--json"]
    used = run_measured(command, good_codes=(3,))
    assert used.tree_mib < MOST_MIB
    assert json.loads(used.output)["documents"]["done"] == 30

    lines = told(tmp_path / "out")
    with (CORPUS / "MANIFEST.csv").open() as file:
        expected = {row["file"]: row for row in csv.DictReader(file)}
    assert sorted(line.key for line in lines) == sorted(expected)
    wrong = [(line.key, line.outcome, line.reason) for line in lines if not fits(line, expected[line.key])]
    assert wrong == []

    again = run_measured(command, good_codes=(3,))
    failed = {line.key for line in lines if line.outcome == "failed"}
    assert json.loads(again.output)["documents"]["skipped"] == 30 - len(failed)
    redone = {line.key for line in told(tmp_path / "out") if line.attempt == 2}
    assert redone == failed


def told(out: Path) -> list[Outcome]:
    store = open_store(str(out))
    return [line for _, line in ledger.outcomes(store, ledger.segments(store))]


def fits(line: Outcome, row: dict[str, str]) -> bool:
    """Whether an outcome is one of those the manifest allows; a reason may be left open, the pages may not."""
    outcomes, reasons = row["expected_outcome"].split("|"), row["expected_reason"].split("|")
    if line.outcome not in outcomes:
        return False
    if line.outcome == "ok":
        return line.reason is None and line.pages == int(row["pages"])
    return (line.reason or "") in reasons
