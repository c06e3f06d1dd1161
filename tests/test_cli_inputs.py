"""Inputs as typed into a shell: what is converted, what is printed, and what a wrong input says."""

import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import psutil
import pymupdf
import pytest

from pdfbatch.records import Manifest, ReadOptions, RunKeys
from pdfbatch.runs import ledger, manifest
from pdfbatch.runs.slices import Frozen
from pdfbatch.store import open_store
from tests.program import Program, of_worker, own_process
from tests.worker.begun import begin_at

PASSWORD = "Sesame-öffne-dich-4711"
ONE = ["--processes", "1"]
NULL = ["--engine", "null", *ONE]


def pdf(path: Path, pages: int = 1, password: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with pymupdf.open() as document:
        for number in range(1, pages + 1):
            document.new_page().insert_text((72, 72), f"Chapter {number} is about tides and harbours.")
        locked = {"encryption": pymupdf.PDF_ENCRYPT_AES_256, "user_pw": password, "owner_pw": "owner"}
        document.save(path, **(locked if password else {}))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pdf(tmp_path / "in" / "a.pdf", 3)
    pdf(tmp_path / "in" / "B.PDF", 8)
    pdf(tmp_path / "in" / "sub" / "c.pdf")
    with pymupdf.open() as document:
        document.new_page(width=200, height=100).get_pixmap().save(tmp_path / "in" / "pic.png")
    return tmp_path


def test_the_markdown_of_one_document_goes_to_stdout_and_nothing_else_does(folder: Path, pdfbatch: Program) -> None:
    ended = pdfbatch("local-run", "in/a.pdf", "-", "--pages", "2-", *ONE, folder=folder, TMPDIR=str(folder / "in"))
    assert ended.returncode == 0, ended.stderr
    assert [line for line in ended.stdout.splitlines() if line.startswith("<!--")] == [
        "<!-- page 2 -->",
        "<!-- page 3 -->",
    ]
    assert "Chapter 3 is about tides" in ended.stdout and "Chapter 1" not in ended.stdout
    assert sorted(path.name for path in (folder / "in").iterdir()) == ["B.PDF", "a.pdf", "pic.png", "sub"]


@pytest.mark.slow
def test_inputs_are_files_folders_patterns_or_a_list_and_the_output_is_last_or_follows_o(
    folder: Path, pdfbatch: Program
) -> None:
    ended = pdfbatch("local-run", "in/a.pdf", "in/pic.png", "in/sub", "-o", "out", *NULL, folder=folder)
    assert ended.returncode == 0, ended.stderr
    assert sorted(str(path.relative_to(folder / "out")) for path in folder.glob("out/**/*.md")) == [
        "a.md",
        "pic.md",
        "sub/c.md",
    ]
    listed = f"# one more\n\n{folder}/in/B.PDF\n"
    more = own_process("local-run", "-", "out", *NULL, "--json", folder=folder, typed=listed)
    assert json.loads(more.stdout)["documents"]["ok"] == 1, more.stderr
    assert (folder / "out" / "B.md").exists()
    verdict = json.loads(pdfbatch("verify", "out", "--json", folder=folder).stdout)
    assert (verdict["sound"], verdict["inputs"], verdict["no_outcome"]) == (True, 4, [])


def test_some_pages_keep_their_numbers_and_are_not_mixed_with_others(folder: Path, pdfbatch: Program) -> None:
    asked = ["local-run", "in", "out", *NULL, "--pages"]
    ended = pdfbatch(*asked, "2-3,7", folder=folder)
    assert ended.returncode == 3, "sub/c.pdf has none of them"
    assert "not all present in 2 documents" in ended.stdout
    assert "no_such_page: its last page is 1, but --pages asks for 2-3,7" in ended.stdout
    assert (folder / "out" / "B.md").read_text() == "<!-- page 2 -->\n\n<!-- page 3 -->\n\n<!-- page 7 -->\n"
    assert (folder / "out" / "a.md").read_text() == "<!-- page 2 -->\n\n<!-- page 3 -->\n"
    store = open_store(str(folder / "out"))
    lines = {line.key: line for _, line in ledger.outcomes(store, ledger.segments(store))}
    assert (lines["a.pdf"].pages, lines["a.pdf"].asked_pages, lines["a.pdf"].absent_pages) == (2, "2-3,7", "7")
    assert pdfbatch("verify", "out", folder=folder).returncode == 0
    (folder / "out" / "a.md").write_text("<!-- page 1 -->\n\n<!-- page 2 -->\n")
    assert json.loads(pdfbatch("verify", "out", "--json", folder=folder).stdout)["wrong_pages"] == ["a.pdf"]
    again = pdfbatch(*asked, "1", folder=folder)
    assert "converted before with other --pages" in again.stderr and "B.PDF" in again.stderr
    assert (folder / "out" / "B.md").read_text().startswith("<!-- page 2 -->")
    assert (folder / "out" / "sub" / "c.md").read_text() == "<!-- page 1 -->\n"
    pdfbatch(*asked, "1", "--changed", folder=folder)
    assert (folder / "out" / "B.md").read_text() == "<!-- page 1 -->\n"


FAULTS: dict[str, tuple[str, int, str, str]] = {
    "no OUTPUT": ("local-run in/a.pdf", 2, "OUTPUT is missing", "Add a folder"),
    "an input where OUTPUT should be": ("local-run in/a.pdf in/B.PDF", 2, "is an input", "-o"),
    "two OUTPUTs": ("local-run in out -o other", 2, "given twice", "Leave out one"),
    "nothing matches": ("local-run in/x*.pdf out", 1, "Nothing matches", "Correct"),
    "a misspelt file": ("local-run in/aa.pdf out", 1, "no file or folder", "in/a.pdf"),
    "a list with a file that is gone": ("local-run @list.txt out", 1, "list.txt, line 2", "remove the line"),
    "a list that is gone": ("local-run @no-list out", 2, "cannot be read", "Check"),
    "an empty list": ("local-run - out", 2, "names no file", "one path per line"),
    "pictures alone": ("local-run pictures out", 1, "but 1 picture", "--include"),
    "everything excluded": ("local-run in out --exclude *", 1, "--include and --exclude leave no document", "B.PDF"),
    "stdout for several": ("local-run in -", 2, "there are 3", "name one document"),
    "stdout and JSON": ("local-run in/a.pdf - --json", 2, "both", "folder"),
    "stdout of a fleet": ("plan in -", 2, "cannot write to stdout", "s3://"),
    "pages backwards": ("local-run in out --pages 3-1", 2, "did you mean 1-3", "--help"),
    "page 0": ("local-run in out --pages 0", 2, "count from 1", "--help"),
    "no password file": ("local-run in out --password-file nope", 2, "cannot be read", "Check"),
    "an empty password file": ("local-run in out --password-file empty", 2, "is empty", "one password per line"),
    "a folder of passwords": ("local-run in out --password-file in", 2, "cannot be read", "Check"),
    "a secret that is no ARN": ("plan s3://bucket/in/ s3://bucket/out/ --password-secret x", 2, "not the ARN", "arn:"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_input_is_one_clear_line_and_the_next_step(
    folder: Path, fault: str, s3_endpoint: str, pdfbatch: Program
) -> None:
    typed, code, said, next_step = FAULTS[fault]
    (folder / "list.txt").write_text("in/a.pdf\nin/gone-for-good.pdf\n")
    (folder / "empty").touch()
    (folder / "pictures").mkdir()
    (folder / "in" / "pic.png").rename(folder / "pictures" / "pic.png")
    client = boto3.client("s3", endpoint_url=s3_endpoint)
    client.create_bucket(Bucket="bucket")
    ended = pdfbatch(*typed.split(), folder=folder)
    error = json.loads(ended.stdout)["error"] if "--json" in typed else {}
    message, _, hint = ended.stderr.partition("\n  try: ")
    assert ended.returncode == code, ended.stderr
    assert said in error.get("message", message)
    assert next_step in error.get("hint", hint)
    assert "Traceback" not in ended.stderr
    assert not (folder / "out").exists(), "something was half-written"


# ── passwords ────────────────────────────────────────────────────────────────────────────────────────────────────


def spied(command: list[str], folder: Path) -> tuple[int, str, bytes]:
    """Runs a command; returns its exit code, its output, and the command lines and environments of its processes."""
    seen = set[bytes]()
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        while process.poll() is None:
            seen |= set(_seen_by_the_kernel(process.pid))
            time.sleep(0.05)
        assert process.stdout is not None
        return process.returncode, process.stdout.read(), b"\n".join(seen)


def _seen_by_the_kernel(pid: int) -> Iterator[bytes]:
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for each in family:
        for name in ("cmdline", "environ"):
            try:
                yield Path(f"/proc/{each.pid}/{name}").read_bytes()
            except OSError:
                continue


@pytest.mark.slow
def test_a_password_opens_a_document_and_is_found_nowhere(folder: Path) -> None:
    pdf(folder / "in" / "locked.pdf", 2, PASSWORD)
    (folder / "passwords").write_text(f"another one\n{PASSWORD}\n")
    local_run = [sys.executable, "-m", "pdfbatch.cli", "local-run", "in/locked.pdf", "out", *ONE]
    without = subprocess.run(local_run, cwd=folder, capture_output=True, text=True)
    assert without.returncode == 3 and "encrypted" in without.stdout and "--password-file" in without.stdout
    code, printed, kernel = spied([*local_run, "--password-file", "passwords"], folder)
    assert code == 0, printed
    assert "Chapter 2 is about tides" in (folder / "out" / "locked.md").read_text()
    assert b"passwords" in kernel, "the file's name is on the command line"
    written = [path for path in (folder / "out").rglob("*") if path.is_file()]
    texts = [gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes() for path in written]
    assert any(b'"total_workers"' in text for text in texts), "a manifest was among them"
    for text in (*texts, printed.encode(), kernel):
        assert PASSWORD.encode() not in text and b"another one" not in text


def test_a_list_of_paths_without_its_sign_is_named(folder: Path, pdfbatch: Program) -> None:
    (folder / "list.txt").write_text("in/a.pdf\n")
    ended = pdfbatch("local-run", "list.txt", "out", "--engine", "null", folder=folder)
    assert ended.returncode == 3 and "write @list.txt" in ended.stderr


def test_a_wrong_password_says_how_many_were_tried(folder: Path, pdfbatch: Program) -> None:
    pdf(folder / "in" / "locked.pdf", 1, PASSWORD)
    (folder / "passwords").write_text("one\ntwo\n")
    ended = pdfbatch("local-run", "in/locked.pdf", "-", *ONE, "--password-file", "passwords", folder=folder)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "none of the 2 passwords opens it" in ended.stderr and "--password-file" in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("service", ["secretsmanager", "ssm"])
def test_a_fleet_worker_reads_passwords_with_its_role(
    tmp_path: Path, bucket: str, s3_endpoint: str, service: str
) -> None:
    pdf(tmp_path / "locked.pdf", 1, PASSWORD)
    client = boto3.client(service, endpoint_url=s3_endpoint)
    if service == "ssm":
        client.put_parameter(Name=f"/{bucket}/words", Value=f"x\n{PASSWORD}", Type="SecureString")
        arn = client.get_parameter(Name=f"/{bucket}/words")["Parameter"]["ARN"]
    else:
        arn = client.create_secret(Name=bucket, SecretString=f"x\n{PASSWORD}")["ARN"]
    source, output = open_store(f"s3://{bucket}/in/"), open_store(f"s3://{bucket}/out/")
    source.put("locked.pdf", (tmp_path / "locked.pdf").read_bytes())
    begun = begin_at(source, output, "cpu", ReadOptions())
    frozen = begun.manifest.model_copy(update={"password_secret": arn, "run": begun.manifest.run + "x"})
    manifest.save(output, Frozen(frozen, [begun.documents]))
    environment = os.environ | of_worker(bucket, frozen.run)
    command = [sys.executable, "-m", "pdfbatch.cli", "worker"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert b"Chapter 1 is about tides" in output.get("locked.md")
    written = [ended.stdout.encode(), ended.stderr.encode(), *(output.get(entry.key) for entry in output.list())]
    written.append(gzip.decompress(output.get(RunKeys(frozen.run).manifest)))
    assert Manifest.model_validate_json(written[-1]).password_secret == arn
    assert not any(PASSWORD.encode() in text for text in written)
    output.delete(["locked.md"])
    gone = frozen.model_copy(update={"password_secret": arn.replace(bucket, "gone"), "run": frozen.run + "x"})
    manifest.save(output, Frozen(gone, [begun.documents]))
    refused = subprocess.run(
        command, env=environment | {"PDFBATCH_RUN": gone.run}, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 4
    assert "cannot be read" in refused.stderr and f"--password-secret {gone.password_secret}" in refused.stderr
