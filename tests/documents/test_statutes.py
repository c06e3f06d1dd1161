"""Convert a whole document from PDF to Markdown, as a user would."""

import subprocess
import sys

import pytest

from tests.documents.statutes import markdown, write_statutes


@pytest.mark.slow
def test_a_document_of_twelve_pages_reads_as_a_person_reads_it(tmp_path):
    (tmp_path / "in").mkdir()
    write_statutes(tmp_path / "in" / "statutes.pdf")
    command = [sys.executable, "-m", "pdfbatch.cli", "local-run", tmp_path / "in", tmp_path / "out", "--engine", "cpu"]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    assert (tmp_path / "out" / "statutes.md").read_text() == markdown()
