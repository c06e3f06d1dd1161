"""Keys that are no file names: named before the run, with a reason of their own, and the rest is converted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest

from pdfbatch.records import Reason
from pdfbatch.store import open_store
from samples.many import many_pdfs
from tests.program import Program

BAD = {
    "a//b.pdf": "a part of it is empty",
    "../up.pdf": "a part of it is '..'",
    "x/./y.pdf": "a part of it is '.'",
    f"{'n' * 300}.pdf": "a part of it has 303 bytes",
    f"{'é' * 126}.pdf": "a part of it has 257 bytes",
}
GOOD = ["$(touch owned).pdf", "a\u202eb.pdf", "/".join(["d" * 200] * 4) + "/deep.pdf"]


@pytest.fixture
def filled(bucket: str, tmp_path: Path) -> str:
    """A bucket with bad and good keys; returns its location."""
    client = boto3.client("s3")
    page = many_pdfs(tmp_path / "made", 1)[0].read_bytes()
    for key in (*BAD, *GOOD):
        client.put_object(Bucket=bucket, Key=f"in/{key}", Body=page)
    return f"s3://{bucket}/in/"


def test_keys_that_are_no_file_names_are_named_and_the_rest_is_converted(
    filled: str, tmp_path: Path, pdfbatch: Program
) -> None:
    out = tmp_path / "out"
    ended = pdfbatch("local-run", filled, out, "--engine", "null", COLUMNS="5000")
    assert ended.returncode == 3, ended.stderr
    assert "not converted, because the output cannot hold files of their names: " in ended.stderr
    told = {line["key"]: line for line in map(json.loads, pdfbatch("status", out, "--jsonl").stdout.splitlines())}
    assert set(told) == {*BAD, *GOOD}
    for key, fault in BAD.items():
        assert told[key]["reason"] == Reason.BAD_NAME and fault in told[key]["detail"]
    assert [told[key]["outcome"] for key in GOOD] == ["ok"] * len(GOOD)
    assert not (tmp_path / "up.md").exists() and not list(tmp_path.rglob("owned"))
    assert "would fail again" in pdfbatch("retry-failures", out, "--local", "--engine", "null").stderr
    assert pdfbatch("verify", out).returncode == 0


def test_a_key_too_long_for_s3_with_the_prefix_of_the_output_is_named(
    bucket: str, tmp_path: Path, pdfbatch: Program
) -> None:
    page = many_pdfs(tmp_path / "made", 1)[0].read_bytes()
    client = boto3.client("s3")
    longest = "k" * 1017 + ".pdf"  # 1,024 bytes with its prefix
    for key in (longest, "short.pdf"):
        client.put_object(Bucket=bucket, Key=f"in/{key}", Body=page)
    out = f"s3://{bucket}/a-longer-prefix/"
    assert pdfbatch("local-run", f"s3://{bucket}/in/", out, "--engine", "null").returncode == 3
    told = {line["key"]: line for line in map(json.loads, pdfbatch("status", out, "--jsonl").stdout.splitlines())}
    assert (told[longest]["reason"], told["short.pdf"]["outcome"]) == (Reason.BAD_NAME, "ok")
    assert "S3 allows 1024" in told[longest]["detail"]


def test_a_link_to_nothing_in_the_output_is_not_a_finished_document(tmp_path: Path, pdfbatch: Program) -> None:
    many_pdfs(tmp_path / "in", 1)
    made = tmp_path / "out" / "000" / "doc-00000.md"
    made.parent.mkdir(parents=True)
    made.symlink_to(tmp_path / "gone.md")
    assert pdfbatch("local-run", tmp_path / "in", tmp_path / "out", "--engine", "null").returncode == 0
    assert made.read_text() and not made.is_symlink() and not (tmp_path / "gone.md").exists()
    assert pdfbatch("verify", tmp_path / "out").returncode == 0


Open = Callable[[str], object]


@pytest.mark.parametrize("key", BAD)
def test_a_folder_never_writes_outside_itself(tmp_path: Path, key: str) -> None:
    store = open_store(str(tmp_path / "out"))
    assert store.cannot_hold(key)
    with pytest.raises(Exception, match="cannot be a file"):
        store.put_new(key, b"x")
    assert not list(tmp_path.rglob("*.pdf"))
