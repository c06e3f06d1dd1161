"""The command `view`: over S3, without a run, and without its packages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from samples.many import many_pdfs
from tests.program import Program
from tests.web.conftest import ask, cookie_of, viewing


@pytest.mark.slow
def test_a_run_in_s3_is_shown_with_its_pictures(tmp_path: Path, bucket: str, pdfbatch: Program) -> None:
    many_pdfs(tmp_path / "in", 1)
    output = f"s3://{bucket}/md/"
    assert pdfbatch("local-run", tmp_path / "in", output, "--engine", "null").returncode == 0
    with viewing(output, tmp_path / "marks.tsv") as address:
        cookie = cookie_of(address)
        status, _, table = ask(address, "/documents", cookie=cookie)
        assert status == 200 and b"1 document<" in table
        key = table.decode().partition("/document?key=")[2].partition('"')[0]
        status, headers, data = ask(address, f"/picture?key={key}&page=1", cookie=cookie)
        assert (status, headers["content-type"], data[8:12]) == (200, "image/webp", b"WEBP")


def test_without_a_run_the_error_says_so(tmp_path: Path, pdfbatch: Program) -> None:
    tmp_path.joinpath("out").mkdir()
    ended = pdfbatch("view", tmp_path / "out", "--no-browser")
    assert ended.returncode == 1 and "error:" in ended.stderr


def test_marks_of_another_output_are_refused(tmp_path: Path, pdfbatch: Program) -> None:
    many_pdfs(tmp_path / "in", 1)
    assert pdfbatch("local-run", tmp_path / "in", tmp_path / "out", "--engine", "null").returncode == 0
    marks = tmp_path / "marks.tsv"
    marks.write_text(
        "# Pages to read again, marked in `pdfbatch view`; for `pdfbatch retry-failures --pages`. Output: /b/\n"
    )
    ended = pdfbatch("view", tmp_path / "out", "--no-browser", "--marks", marks)
    assert ended.returncode == 2 and "another output" in ended.stderr


def test_without_its_packages_the_error_has_the_command_that_installs_them() -> None:
    code = "import sys; sys.modules['nh3'] = None; from pdfbatch.cli import main; main()"
    ended = subprocess.run([sys.executable, "-c", code, "view", "out"], capture_output=True, text=True)
    assert ended.returncode == 4
    assert "nh3" in ended.stderr and "pip install '.[view]'" in ended.stderr
