"""The example package, as a user installs and runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from samples.many import many_pdfs
from tests.program import own_process

EXAMPLE = Path(__file__).parents[2] / "examples" / "pdfbatch-keywords"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with the example, installed by pip without network."""
    folder = tmp_path_factory.mktemp("packages")
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--quiet", "--disable-pip-version-check"]
    source = folder / "source"  # a build leaves files behind
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "pdfbatch_keywords.py"):
        (source / name).write_bytes((EXAMPLE / name).read_bytes())
    command = [sys.executable, "-m", "pip", "install", *offline, "--no-compile", "--target", str(folder / "site")]
    subprocess.run([*command, str(source)], check=True)
    return folder / "site"


@pytest.mark.slow
def test_a_users_three_lines_install_the_example_run_it_and_show_its_files(packages: Path, tmp_path: Path) -> None:
    many_pdfs(tmp_path / "papers", 2)
    path = {"PYTHONPATH": os.pathsep.join([str(packages), str(ROOT)])}
    papers, out = tmp_path / "papers", tmp_path / "papers-md"
    ran = own_process("local-run", papers, out, "--engine", "cpu", "--also", "keywords:most=3", "--json", **path)
    assert ran.returncode == 0, ran.stderr
    for document in ("doc-00000", "doc-00001"):
        header, *rows = (out / "000" / document / "keywords" / "keywords.csv").read_text().splitlines()
        text = (out / "000" / f"{document}.md").read_text().lower()
        assert header == "word,count,page" and len(rows) == 3
        word, count, page = rows[0].split(",")
        assert text.count(word) == int(count) and page == "1"
    line = json.loads(own_process("report", out, "--jsonl", **path).stdout.splitlines()[0])
    assert line["processed"] == {"keywords": "1.0 letters=4 most=3"}


def test_the_class_in_the_manual_runs_from_the_current_folder(tmp_path: Path) -> None:
    manual = (ROOT / "docs" / "processors.md").read_text()
    (tmp_path / "mine.py").write_text(manual.split('```python title="mine.py"\n')[1].split("```")[0])
    many_pdfs(tmp_path / "papers", 1, pages=2)
    path = {"PYTHONPATH": os.pathsep.join([".", str(ROOT)])}
    words = ("local-run", "papers", "papers-md", "--engine", "null", "--also", "mine:Lengths")
    ran = own_process(*words, folder=tmp_path, **path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    made = tmp_path / "papers-md" / "000" / "doc-00000" / "Lengths" / "lengths.json"
    assert json.loads(made.read_text()) == {"1": 0, "2": 0}
