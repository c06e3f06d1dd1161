"""`--command`: any program converts batches of files of any kind, by the command line and real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.program import Ended, Program, within

TOOL = """#!/bin/sh
# Writes the size of each picture, and a copy of it. Calls go to a log beside this script.
echo "$(ls "$1" | wc -l)" >> "$0.log"
cd "$1" || exit 1
find . -type f | while read -r name; do
    mkdir -p "$2/$(dirname "$name")"
    case "$name" in
        *fails*) echo "cannot read $name"; exit 3 ;;
        *hangs*) sleep 600 ;;
        *silent*) continue ;;
        *later*) [ -e "$0.later" ] || { touch "$0.later"; exit 75; } ;;
        *json*) echo '{}' > "$2/${name%.*}.json"; continue ;;
        *twice*) printf '<!-- page 1 -->\\n<!-- page 1 -->\\n' > "$2/${name%.*}.md"; continue ;;
        *pages*) printf '<!-- page 1 -->\\none\\n<!-- page 2: timeout -->\\n' > "$2/${name%.*}.md"; continue ;;
    esac
    wc -c < "$name" > "$2/${name%.*}.md" && cp "$name" "$2/${name%.*}.copy"
done
"""


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    path = tmp_path / "tool.sh"
    path.write_text(TOOL)
    path.chmod(0o755)
    return path


@pytest.fixture
def run(tmp_path: Path, tool: Path) -> Callable[..., Ended]:
    (tmp_path / "in").mkdir()

    def run(*names: str, more: tuple[object, ...] = ()) -> Ended:
        for name in names:
            path = tmp_path / "in" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(name.encode())
        command = f"sh {tool} {{in}} {{out}}"
        return within(
            *("local-run", tmp_path / "in", tmp_path / "out", "--include", "*"),
            *("--command", command, "--max-retries", 1, "--json", *more),
        )

    return run


def calls(tool: Path) -> list[int]:
    return [int(line) for line in Path(f"{tool}.log").read_text().split()]


def outcomes(out: Path) -> dict[str, tuple[str, str]]:
    lines = map(json.loads, within("report", out, "--jsonl").stdout.splitlines())
    return {line["key"]: (line["outcome"], line.get("reason") or "") for line in lines}


def test_files_of_any_kind_are_converted_in_batches_and_a_second_run_has_nothing_to_do(
    tmp_path: Path, tool: Path, run: Callable[..., Ended]
) -> None:
    names = ["a.png", "b.docx", "2024/c d.html", "2024/e.pdf", "f.txt"]
    ended = run(*names, more=("--batch", 2))
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["documents"]["ok"] == 5
    out = tmp_path / "out"
    assert (out / "a.md").read_text().strip() == "5" and (out / "a.copy").read_text() == "a.png"
    assert (out / "b.docx.md").is_file() and (out / "2024/c d.html.md").is_file() and (out / "f.txt.md").is_file()
    assert len(calls(tool)) == 3
    assert run().returncode == 0 and len(calls(tool)) == 3
    assert within("verify", out).returncode == 0


def test_a_document_that_fails_costs_only_itself(tmp_path: Path, tool: Path, run: Callable[..., Ended]) -> None:
    ended = run("a.png", "fails.png", "silent.png", "b.png")
    assert ended.returncode == 3, ended.stderr
    assert outcomes(tmp_path / "out") == {
        "a.png": ("ok", ""),
        "b.png": ("ok", ""),
        "fails.png": ("failed", "command_failed"),
        "silent.png": ("failed", "command_failed"),
    }
    assert calls(tool) == [4, 1, 1, 1, 1], "the whole batch, then each alone"
    said = " ".join(within("report", tmp_path / "out", "--failures").stdout.split())
    assert "exit code 3: cannot read ./fails.png" in said and "wrote nothing for it" in said


def test_exit_code_75_means_try_again(tmp_path: Path, tool: Path, run: Callable[..., Ended]) -> None:
    assert run("a.png", "later.png").returncode == 0
    assert calls(tool) == [2, 2]


def test_a_command_that_hangs_is_killed_and_named(tmp_path: Path, run: Callable[..., Ended]) -> None:
    assert run("a.png", "hangs.png", more=("--batch-seconds", 1)).returncode == 3
    assert outcomes(tmp_path / "out") == {"a.png": ("ok", ""), "hangs.png": ("failed", "timeout")}


def test_without_markdown_there_is_a_list_of_what_was_written(tmp_path: Path, run: Callable[..., Ended]) -> None:
    assert run("json.png").returncode == 0
    assert (tmp_path / "out" / "json.md").read_text() == "- [json.json](json.json)\n"
    assert within("verify", tmp_path / "out").returncode == 0


def test_pages_that_the_markdown_names_are_counted(tmp_path: Path, run: Callable[..., Ended]) -> None:
    ended = run("pages.pdf")
    assert ended.returncode == 3, ended.stderr
    found = json.loads(ended.stdout)
    assert (found["documents"]["partial"], found["pages"]["read"], found["pages"]["failed"]) == (1, 1, 1)
    assert within("verify", tmp_path / "out").returncode == 0


def test_page_anchors_that_verify_would_refuse_fail_the_document(tmp_path: Path, run: Callable[..., Ended]) -> None:
    assert run("twice.pdf").returncode == 3
    assert outcomes(tmp_path / "out") == {"twice.pdf": ("failed", "command_failed")}
    assert not (tmp_path / "out" / "twice.md").exists()


def test_a_file_that_lies_in_the_output_is_replaced_only_by_a_retry(tmp_path: Path, run: Callable[..., Ended]) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.copy").write_text("mine")
    assert run("a.png").returncode == 3
    assert outcomes(tmp_path / "out") == {"a.png": ("failed", "store_error")}
    assert (tmp_path / "out" / "a.copy").read_text() == "mine"
    assert within("retry-failures", tmp_path / "out", "--local").returncode == 0, "with the command of the run before"
    assert (tmp_path / "out" / "a.copy").read_text() == "a.png"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--engine", "command"], "--engine command needs a command"),
        (["--engine", "cpu", "--command", "x {in} {out}"], "contradict"),
        (["--command", "x {in}"], "--command lacks {out}"),
        (["--command", "x"], "--command lacks {in} and {out}"),
    ],
)
def test_a_command_that_cannot_work_is_refused(tmp_path: Path, pdfs: None, options: list[str], said: str) -> None:
    ended = within("local-run", tmp_path, tmp_path / "out", *options)
    assert ended.returncode == 2 and said in ended.stderr


@pytest.fixture
def pdfs(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF-")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_stopped_or_killed_in_a_batch_it_is_taken_up_and_nothing_is_done_twice(
    tmp_path: Path, number: signal.Signals
) -> None:
    source, out, log = tmp_path / "in", tmp_path / "out", tmp_path / "log"
    source.mkdir()
    for index in range(9):
        (source / f"{index}.txt").write_text(str(index))
    tool = tmp_path / "tool.py"
    tool.write_text(
        "import sys, time, pathlib\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):\n"
        "    time.sleep(0.1)\n"
        "    (pathlib.Path(sys.argv[2]) / path.with_suffix('.txt.md').name).write_text(path.read_text())\n"
        f"    open({str(log)!r}, 'a').write(path.name + ' ')\n"
    )
    command = [
        *(sys.executable, "-m", "pdfbatch", "local-run", source, out, "--include", "*", "--batch", "3", "-q"),
        *("--command", f"{sys.executable} -S {tool} {{in}} {{out}}"),
    ]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not (out / "2.txt.md").exists() and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(first.pid, number)
    first.wait(60)
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("*.md")}
    second = subprocess.run(command, capture_output=True, text=True)
    assert second.returncode == 0, second.stderr
    assert {path.name: path.read_text() for path in out.glob("*.md")} == {f"{n}.txt.md": str(n) for n in range(9)}
    assert before == {name: (out / name).stat().st_mtime_ns for name in before}
    done = log.read_text().split()
    assert all(done.count(name.removesuffix(".md")) == 1 for name in before)


def test_a_command_that_always_fails_stops_the_worker(tmp_path: Path, pdfs: None, pdfbatch: Program) -> None:
    for index in range(5):
        (tmp_path / f"{index}.pdf").write_bytes(b"%PDF-")
    ended = pdfbatch(
        *("local-run", tmp_path, tmp_path / "out", "--command", "no-such-tool {in} {out}"),
        *("--batch", 1, "--max-failures-in-a-row", 3),
    )
    assert "The first 3 documents failed, all with command_failed" in ended.stderr, ended.stderr


def test_its_markdown_is_exported_as_one_page(tmp_path: Path, run: Callable[..., Ended]) -> None:
    run("a.png")
    ended = within("export", tmp_path / "out", tmp_path / "data", "--format", "markdown")
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "data" / "a.md").read_text().strip() == "5"
