"""The command `export`: what it shows, and what it refuses."""

from __future__ import annotations

import json

import pytest

from pdfbatch.errors import ExitCode, NotReady
from pdfbatch.export import extra
from pdfbatch.export.export import Exported
from pdfbatch.records import ExportOptions, ExportRecord, Shard
from pdfbatch.store import Store
from pdfbatch.views.export import loading_command, size
from tests.export.outputs import RUN, finish, some_documents
from tests.program import Program


def test_it_shows_counts_sizes_and_how_to_load_the_dataset(output: Store, dest: Store, pdfbatch: Program) -> None:
    finish(output, some_documents(3))
    shown = pdfbatch("export", output.url, dest.url, "--format", "docling")
    assert shown.returncode == ExitCode.DONE
    lines = [" ".join(line.split()) for line in shown.stdout.splitlines()]
    assert lines[:2] == ["EXPORTED docling", "documents 3"]
    assert lines[-2] == "now 1 shard written"
    assert lines[-1] == f"load it: duckdb -c \"SELECT * FROM '{dest.url}part-*.jsonl.zst' LIMIT 5\""
    again = pdfbatch("export", output.url, dest.url, "--format", "docling")
    assert "nothing to do: everything was there" in again.stdout


def test_json_is_the_record_at_the_destination(output: Store, dest: Store, pdfbatch: Program) -> None:
    finish(output, some_documents(1))
    shown = pdfbatch("export", output.url, dest.url, "--format", "markdown", "--json")
    assert json.loads(shown.stdout) == json.loads(dest.get(".pdfbatch/export.json"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--run", "nosuch"], "Unknown run nosuch"),
        (["--format", "csv"], "csv"),
        (["--only", "failed"], "failed"),
        (["--shard-mb", "501"], "500"),
    ],
)
def test_a_wrong_wish_is_refused(words: list[str], said: str, output: Store, dest: Store, pdfbatch: Program) -> None:
    finish(output, some_documents(1))
    refused = pdfbatch("export", output.url, dest.url, *words)
    assert refused.returncode in (ExitCode.USAGE, ExitCode.FAILED)
    assert said in refused.stderr
    assert list(dest.list()) == []


def test_an_output_without_a_run_is_refused(output: Store, dest: Store, pdfbatch: Program) -> None:
    refused = pdfbatch("export", output.url, dest.url, "--format", "docling")
    assert "No runs in" in refused.stderr


def test_one_run_can_be_exported(output: Store, dest: Store, pdfbatch: Program) -> None:
    finish(output, some_documents(2))
    shown = pdfbatch("export", output.url, dest.url, "--format", "markdown", "--run", RUN)
    assert "2, figures included" in shown.stdout


def test_a_missing_package_is_named_with_the_command_that_installs_it() -> None:
    def find(name: str) -> object:
        return None if name == "pyarrow" else object()

    with pytest.raises(NotReady, match="pyarrow") as refused:
        extra.check_installed(ExportOptions(format="parquet"), find)
    assert "pip install '.[export]'" in refused.value.hint
    extra.check_installed(ExportOptions(format="dolma"), find)


def test_markdown_and_docling_without_compression_need_no_package() -> None:
    for options in (ExportOptions(format="markdown"), ExportOptions(format="docling", compression="none")):
        extra.check_installed(options, lambda _: None)


def test_a_path_that_a_shell_would_change_is_quoted() -> None:
    shard = Shard(digest="d", documents=1, rows=1, is_full=False, files={"part-00000-d.parquet": 1})
    record = ExportRecord(output="o", options=ExportOptions(format="parquet"), shards=[shard])
    assert loading_command(Exported(record, 1, 0), "/a $b/") == (
        "duckdb -c 'SELECT * FROM '\"'\"'/a $b/part-*.parquet'\"'\"' LIMIT 5'"
    )


def test_sizes_are_in_units_that_people_read() -> None:
    assert [size(number) for number in (0, 999, 1500, 2_500_000, 3_000_000_000)] == [
        "0 bytes",
        "999 bytes",
        "1.5 kB",
        "2.5 MB",
        "3.0 GB",
    ]
