"""The commands as typed: what they print, where, and their exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
import typer.main

from pdfbatch.cli.app import COMMANDS, program
from pdfbatch.cli.start import reads_pages
from pdfbatch.engines import has_gpu
from pdfbatch.records import CURRENT_RUN_KEY, DoneMark, Heartbeat, ReadOptions, RunKeys
from pdfbatch.runs import ledger, manifest
from pdfbatch.runs.slices import keys_of
from pdfbatch.store import open_store
from samples import odd
from samples.many import many_pdfs
from tests.conftest import Mount
from tests.program import Program, of_worker, own_process
from tests.runs.fleets import fleet
from tests.worker.begun import begin_at

RUN_FIELDS = {"run", "input", "output", "state", "documents", "pages", "reasons", "workers", "seconds", "dollars"}


@pytest.fixture
def pdfs(tmp_path: Path) -> Path:
    many_pdfs(tmp_path / "in", 3, pages=2)
    return tmp_path / "in"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.mark.slow
def test_a_dry_run_writes_the_anchors_and_ends_well(pdfs: Path, out: Path) -> None:
    ended = own_process("local-run", pdfs, out, "--engine", "null")
    assert ended.returncode == 0
    assert ended.stdout.startswith("DONE  3 ok\n") and f"next:    less {out}" in ended.stdout
    assert (out / "000" / "doc-00001.md").read_text() == "<!-- page 1 -->\n\n<!-- page 2 -->\n"


def test_a_command_imports_only_what_it_needs() -> None:
    script = """
import atexit, sys
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
from pdfbatch.cli import main
main()
"""
    command = [sys.executable, "-c", script, "status", "--help"]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stderr.split()
    foreign = ("pdfbatch.fleet.launch", "pdfbatch.delivery", "pdfbatch.documents", "boto3", "pymupdf")
    assert "pdfbatch.cli.inspect" in loaded
    assert [name for name in loaded if name.startswith(foreign)] == []


def test_each_command_is_the_same_alone_as_among_all() -> None:
    whole: Any = typer.main.get_command(program())
    assert set(COMMANDS) < whole.commands.keys()
    for name in COMMANDS:
        alone: Any = typer.main.get_command(program([name]))
        assert alone.commands.keys() == {name, "help"}
        assert _shown(alone, name) == _shown(whole, name)


def _shown(tree: Any, name: str) -> str:
    command = tree.commands[name]
    options = [(each.name, each.opts, each.default, getattr(each, "help", "")) for each in command.params]
    return f"{command.rich_help_panel} {command.hidden} {command.epilog} {options}"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("local-run pdfs out", True),
        ("local-run pdfs out --processes 2", True),
        ("local-run pdfs out --engine null", False),
        ("local-run pdfs out --engine=null", False),
        ("local-run pictures out --command=sort", False),
        ("local-run --help", False),
        ("status out", False),
        ("", False),
    ],
)
def test_libraries_and_models_load_beside_the_program_where_pages_are_surely_read(words: str, expected: bool) -> None:
    assert reads_pages(words.split()) is expected


@pytest.mark.slow
def test_the_reading_processes_do_not_run_the_script_of_their_parent_again(pdfs: Path, out: Path) -> None:
    script, log = out.with_name("script.py"), out.with_name("log")
    script.write_text(f"open({str(log)!r}, 'a').write(__name__ + ' ')\nfrom pdfbatch.cli import main\nmain()\n")
    command = [sys.executable, script, "local-run", pdfs, out, "--processes", "2"]
    subprocess.run(command, check=True, capture_output=True)
    assert log.read_text() == "__main__ "


@pytest.mark.slow
def test_no_process_loads_modules_from_the_folder_where_it_is_started(tmp_path: Path, pdfs: Path, out: Path) -> None:
    here, log = tmp_path / "here", tmp_path / "log"
    here.mkdir()
    for name in ("pdfbatch", "multiprocessing", "numpy", "pymupdf"):
        (here / f"{name}.py").write_text(f"open({str(log)!r}, 'a').write(__name__)\nraise ImportError\n")
    script = tmp_path / "bin" / "pdfbatch"
    script.parent.mkdir()
    script.write_text(
        f"import sys\nsys.path.append({str(Path(__file__).parents[1])!r})\nfrom pdfbatch.cli import main\nmain()\n"
    )
    command = [sys.executable, script, "local-run", pdfs, out, "--processes", "1"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ended = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert not log.exists()


def test_json_is_one_document_with_the_names_of_the_contract(pdfs: Path, out: Path, pdfbatch: Program) -> None:
    (pdfs / "zero.pdf").write_bytes(b"")
    ended = pdfbatch("local-run", pdfs, out, "--engine", "null", "--json")
    document = json.loads(ended.stdout)
    assert ended.returncode == 3
    assert document.keys() >= RUN_FIELDS
    assert document["documents"] == {"total": 4, "done": 4, "ok": 3, "partial": 0, "failed": 1, "skipped": 0}
    assert document["reasons"] == {"empty_file": 1}
    assert document["workers"][0].keys() >= {"id", "state", "done", "total", "pages_per_second", "eta_seconds"}
    status = json.loads(pdfbatch("status", out, "--json").stdout)
    assert status.keys() == document.keys() | {"runs", "all_documents"}


def test_when_all_is_done_a_rerun_has_nothing_to_do(pdfs: Path, out: Path, pdfbatch: Program) -> None:
    pdfbatch("local-run", pdfs, out, "--engine", "null")
    again = pdfbatch("local-run", pdfs, out, "--engine", "null", "--json")
    assert again.returncode == 0
    assert json.loads(again.stdout)["documents"]["skipped"] == 3


@pytest.mark.skipif(has_gpu(), reason="there is a GPU here")
def test_auto_without_a_gpu_says_so_once_and_reads_by_the_cpu(tmp_path: Path, out: Path, pdfbatch: Program) -> None:
    (tmp_path / "pdfs").mkdir()
    (tmp_path / "pdfs" / "page.pdf").write_bytes(odd.text_page())
    for again in (False, True):
        ended = pdfbatch("local-run", tmp_path / "pdfs", out, "--engine", "auto", "--json")
        assert ended.returncode == 0, ended.stderr
        assert ended.stderr.count("no GPU here") == 1
        assert again or json.loads(ended.stdout)["engine"] == "cpu"


def test_the_cpu_engine_reads_text_and_reports_no_progress_on_stdout(
    tmp_path: Path, out: Path, pdfbatch: Program
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "page.pdf").write_bytes(odd.text_page())
    ended = pdfbatch("local-run", tmp_path / "in", out, "--json", "--processes", 1)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["pages"]["read"] == 1
    for line in odd.LINES:
        assert line.split()[0] in (out / "page.md").read_text()


def test_a_retry_is_a_new_run_over_what_failed_and_keeps_the_history(pdfs: Path, out: Path, pdfbatch: Program) -> None:
    (pdfs / "zero.pdf").write_bytes(b"")
    pdfbatch("local-run", pdfs, out, "--engine", "null")
    (pdfs / "zero.pdf").write_bytes(odd.text_page())
    again = pdfbatch("retry-failures", out, "--local", "--engine", "null", "--json")
    assert again.returncode == 0
    assert json.loads(again.stdout)["documents"]["ok"] == 1
    assert pdfbatch("verify", out).returncode == 0
    assert len(list(out.glob(".pdfbatch/*/manifest.json.gz"))) == 2


def test_a_fleet_retry_of_a_local_folder_suggests_local(pdfs: Path, out: Path, pdfbatch: Program) -> None:
    pdfbatch("local-run", pdfs, out, "--engine", "null")
    refused = pdfbatch("retry-failures", out)
    assert refused.returncode == 2 and "--local" in refused.stderr


def test_a_retry_by_reason_leaves_other_failures_alone(pdfs: Path, out: Path, pdfbatch: Program) -> None:
    (pdfs / "zero.pdf").write_bytes(b"")
    pdfbatch("local-run", pdfs, out, "--engine", "null")
    again = pdfbatch("retry-failures", out, "--local", "--reason", "crashed", "--json")
    assert again.returncode == 0
    assert json.loads(again.stdout)["documents"]["total"] == 0
    assert "nothing to retry" in again.stderr


def test_verify_names_what_changed_and_what_is_lost(pdfs: Path, out: Path, pdfbatch: Program) -> None:
    pdfbatch("local-run", pdfs, out, "--engine", "null")
    (pdfs / "000" / "doc-00000.pdf").write_bytes(odd.text_page())
    (out / "000" / "doc-00001.md").unlink()
    (out / "000" / "doc-00002.md").write_text("<!-- page 1 -->\n")
    many_pdfs(pdfs / "later", 1)
    found = pdfbatch("verify", out, "--json")
    verdict = json.loads(found.stdout)
    assert found.returncode == 1
    assert verdict["changed"] == ["000/doc-00000.pdf"]
    assert verdict["lost"] == ["000/doc-00001.pdf"]
    assert verdict["wrong_pages"] == ["000/doc-00002.pdf"]
    assert verdict["no_outcome"] == ["later/000/doc-00000.pdf"]


def test_a_changed_input_is_converted_again_only_when_asked_for(pdfs: Path, out: Path, pdfbatch: Program) -> None:
    pdfbatch("local-run", pdfs, out, "--engine", "null")
    (pdfs / "000" / "doc-00000.pdf").write_bytes(odd.text_page())
    left_alone = pdfbatch("local-run", pdfs, out, "--engine", "null")
    assert "000/doc-00000.pdf" in left_alone.stderr
    pdfbatch("local-run", pdfs, out, "--engine", "null", "--changed")
    assert (out / "000" / "doc-00000.md").read_text() == "<!-- page 1 -->\n"
    assert pdfbatch("verify", out).returncode == 0


def test_a_changed_input_is_named_beside_a_new_one_that_is_converted(pdfs: Path, out: Path, pdfbatch: Program) -> None:
    pdfbatch("local-run", pdfs, out, "--engine", "null")
    (pdfs / "000" / "doc-00000.pdf").write_bytes(odd.text_page())
    (pdfs / "new.pdf").write_bytes(odd.text_page())
    again = pdfbatch("local-run", pdfs, out, "--engine", "null")
    assert "changed since they were converted" in again.stderr and "000/doc-00000.pdf" in again.stderr
    assert (out / "new.md").exists()


def test_a_touched_input_has_not_changed(pdfs: Path, out: Path, pdfbatch: Program) -> None:
    pdfbatch("local-run", pdfs, out, "--engine", "null")
    touched = pdfs / "000" / "doc-00000.pdf"
    os.utime(touched, ns=(1, 1))
    again = pdfbatch("local-run", pdfs, out, "--engine", "null", "--changed")
    assert again.stdout.startswith("Nothing to do") and "changed" not in again.stderr
    assert pdfbatch("verify", out).returncode == 0
    ledger = "".join(path.read_text() for path in out.glob(".pdfbatch/*/ledger/worker-0/*.jsonl"))
    digests = [json.loads(line)["digest"] for line in ledger.splitlines()]
    assert len(set(digests)) == len(digests) and all(digests)


# ── bad input ────────────────────────────────────────────────────────────────────────────────────────────────────


FAULTS: dict[str, tuple[str, int]] = {
    "missing folder": ("local-run nowhere out", 1),
    "no PDFs": ("local-run empty out", 1),
    "a typo": ("local-run s3:/typo out", 2),
    "another scheme": ("local-run https://example.com/pdfs out", 2),
    "input inside output": ("local-run in .", 2),
    "input is output": ("local-run in in", 2),
    "worker out of range": ("local-run in out --total-workers 3 --worker-id 3", 2),
    "unknown engine": ("local-run in out --engine magic", 2),
    "unknown option": ("local-run in out --fast", 2),
    "unknown reason": ("retry-failures out --local --reason bad_luck", 2),
    "status of nothing": ("status empty", 1),
    "verify of nothing": ("verify empty", 1),
    "retry of nothing": ("retry-failures empty --local", 1),
    "a file as output": ("local-run in in/000/doc-00000.pdf", 2),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_input_is_one_clear_line_and_the_next_step(pdfs: Path, out: Path, fault: str, pdfbatch: Program) -> None:
    (out.parent / "empty").mkdir()
    typed, code = FAULTS[fault]
    arguments = typed.split()
    ended = pdfbatch(*arguments, folder=out.parent)
    assert ended.returncode == code, ended.stderr
    assert ended.stdout == ""
    assert ended.stderr.startswith("error: ") and "\n  try: " in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not out.exists(), "something was half-written"
    as_json = json.loads(pdfbatch(*arguments, "--json", folder=out.parent).stdout)
    assert as_json["error"]["exit_code"] == code and as_json["error"]["message"] and as_json["error"]["hint"]


def test_a_missing_bucket_is_named(s3_endpoint: str, out: Path, pdfbatch: Program) -> None:
    ended = pdfbatch("local-run", "s3://no-such-bucket/x/", out)
    assert ended.returncode == 1
    assert "no-such-bucket" in ended.stderr


def test_a_damaged_manifest_is_named_and_nothing_is_changed(pdfs: Path, out: Path, pdfbatch: Program) -> None:
    pdfbatch("local-run", pdfs, out, "--engine", "null")
    key = RunKeys(manifest.current(open_store(str(out))) or "").manifest
    (out / key).write_bytes(b"not gzip")
    for command in (["status", out], ["local-run", pdfs, out, "--engine", "null"]):
        ended = pdfbatch(*command)
        assert ended.returncode == 1
        assert "damaged" in ended.stderr and key in ended.stderr and CURRENT_RUN_KEY in ended.stderr
    (out / CURRENT_RUN_KEY).unlink()
    assert pdfbatch("local-run", pdfs, out, "--engine", "null").returncode == 0


def test_a_damaged_ledger_is_named_and_can_be_deleted(pdfs: Path, out: Path, pdfbatch: Program) -> None:
    pdfbatch("local-run", pdfs, out, "--engine", "null")
    segment = next(out.glob(".pdfbatch/*/ledger/worker-0/*.jsonl"))
    segment.write_text("garbage\n")
    ended = pdfbatch("verify", out)
    assert ended.returncode == 1
    assert str(segment) in ended.stderr and "Traceback" not in ended.stderr
    segment.unlink()
    assert pdfbatch("local-run", pdfs, out, "--engine", "null").returncode == 0


def test_the_markdown_of_two_inputs_is_not_mixed(pdfs: Path, out: Path, tmp_path: Path, pdfbatch: Program) -> None:
    pdfbatch("local-run", pdfs, out, "--engine", "null")
    many_pdfs(tmp_path / "other", 1)
    ended = pdfbatch("local-run", tmp_path / "other", out, "--engine", "null")
    assert ended.returncode == 2
    assert "another input" in ended.stderr and str(pdfs) in ended.stderr


def test_a_changed_input_that_failed_is_tried_again_and_its_old_markdown_called_stale(
    pdfs: Path, out: Path, pdfbatch: Program
) -> None:
    pdfbatch("local-run", pdfs, out, "--engine", "null")
    broken = pdfs / "000" / "doc-00000.pdf"
    broken.write_bytes(b"broken")
    assert pdfbatch("local-run", pdfs, out, "--engine", "null", "--changed").returncode == 3
    assert json.loads(pdfbatch("verify", out, "--json").stdout)["stale"] == ["000/doc-00000.pdf"]
    broken.write_bytes(odd.text_page())
    assert pdfbatch("local-run", pdfs, out, "--engine", "null").returncode == 0
    assert (out / "000" / "doc-00000.md").read_text() == "<!-- page 1 -->\n"
    assert pdfbatch("verify", out).returncode == 0


def test_a_file_name_that_is_not_utf_8_is_converted(tmp_path: Path, out: Path) -> None:
    (tmp_path / "in").mkdir()
    Path(os.fsdecode(bytes(tmp_path / "in") + b"/bad\xff\xfe.pdf")).write_bytes(odd.text_page())
    assert own_process("local-run", tmp_path / "in", out, "--engine", "null").returncode == 0
    assert [os.fsencode(path.name) for path in out.glob("*.md")] == [b"bad\xff\xfe.md"]


@pytest.mark.parametrize("place", ["~nobody-of-this-name/x", "x" * 300, "ring"])
def test_an_impossible_place_is_refused_without_a_traceback(pdfs: Path, place: str, tmp_path: Path) -> None:
    (tmp_path / "ring").symlink_to("ring")
    ended = own_process("local-run", pdfs, place, "--json", folder=tmp_path)
    assert ended.returncode == 2, ended.stderr
    assert json.loads(ended.stdout)["error"]["hint"]


@pytest.mark.slow
def test_a_reader_that_leaves_early_changes_no_exit_code(pdfs: Path, out: Path) -> None:
    command = [sys.executable, "-m", "pdfbatch.cli", "local-run", str(pdfs), str(out), "--engine", "null"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()
    assert process.returncode == 0


def test_a_full_disk_ends_the_run_with_one_line_and_with_room_the_run_resumes(
    tmp_path: Path, mount: Mount, pdfbatch: Program
) -> None:
    many_pdfs(tmp_path / "in", 150)
    folder = mount("size=200k")
    ended = pdfbatch("local-run", tmp_path / "in", folder / "out", "--engine", "null")
    assert ended.returncode == 1
    assert "No space left" in ended.stderr and "\n  try: " in ended.stderr
    assert all(path.read_text() == "<!-- page 1 -->\n" for path in folder.rglob("*.md"))
    subprocess.run(["mount", "-o", "remount,size=20m", folder], check=True)
    again = pdfbatch("local-run", tmp_path / "in", folder / "out", "--engine", "null", "--json")
    assert again.returncode == 0
    assert json.loads(again.stdout)["documents"]["ok"] == 150
    assert pdfbatch("verify", folder / "out").returncode == 0


def test_a_read_only_output_is_named(pdfs: Path, mount: Mount, pdfbatch: Program) -> None:
    ended = pdfbatch("local-run", pdfs, mount("ro") / "out", "--engine", "null")
    assert ended.returncode == 1
    assert "Read-only file system" in ended.stderr


# ── slices over S3 ───────────────────────────────────────────────────────────────────────────────────────────────


def upload(bucket: str, endpoint: str, folder: Path) -> Any:
    client = boto3.client("s3", endpoint_url=endpoint)
    for path in sorted(folder.rglob("*.pdf")):
        client.put_object(Bucket=bucket, Key=f"in/{path.relative_to(folder)}", Body=path.read_bytes())
    return client


@pytest.mark.slow
def test_three_slices_at_once_over_s3_do_every_document_once(tmp_path: Path, bucket: str, s3_endpoint: str) -> None:
    many_pdfs(tmp_path / "in", 20)
    client = upload(bucket, s3_endpoint, tmp_path / "in")
    places = [f"s3://{bucket}/in/", f"s3://{bucket}/out/"]
    command = [sys.executable, "-m", "pdfbatch.cli", "local-run", *places, "--engine", "null", "--total-workers", "3"]
    slices = [
        subprocess.Popen([*command, "--worker-id", str(worker)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for worker in range(3)
    ]
    client.put_object(Bucket=bucket, Key="in/000/doc-00000a.pdf", Body=odd.text_page())  # shifts every later key
    assert [process.wait(120) for process in slices] == [0, 0, 0]

    store = open_store(places[1])
    run = manifest.current(store) or ""
    frozen = manifest.load(store, run)
    found = [line.key for _, line in ledger.outcomes(store, ledger.segments(store))]
    assert sorted(found) == list(keys_of(store, frozen))
    assert len(list(store.list(RunKeys(run).done))) == 3


@pytest.mark.slow
def test_a_worker_started_by_hand_slices_the_plain_listing(tmp_path: Path, bucket: str, s3_endpoint: str) -> None:
    many_pdfs(tmp_path / "in", 4)
    client = upload(bucket, s3_endpoint, tmp_path / "in")
    client.put_object(Bucket=bucket, Key="out/000/doc-00002.md", Body=b"made by hand\n")
    environment = {
        "WORKER_ID": "0",
        "TOTAL_WORKERS": "2",
        "S3_INPUT_BUCKET": bucket,
        "S3_INPUT_PREFIX": "in/",
        "S3_OUTPUT_BUCKET": bucket,
        "S3_OUTPUT_PREFIX": "out/",
        "PDFBATCH_ENGINE": "null",
    }
    assert own_process("worker", **environment).returncode == 0
    store = open_store(f"s3://{bucket}/out/")
    assert [entry.key for entry in store.list() if entry.key.endswith(".md")] == [
        "000/doc-00000.md",
        "000/doc-00002.md",
    ]
    assert store.get("000/doc-00002.md") == b"made by hand\n"


@pytest.mark.slow
@pytest.mark.parametrize(("max_cost", "why"), [(5.0, "over_budget"), (5e9, "done"), (None, "done")])
def test_a_fleet_worker_keeps_to_the_cost_cap_of_its_run(
    tmp_path: Path, bucket: str, s3_endpoint: str, max_cost: float | None, why: str, pdfbatch: Program
) -> None:
    many_pdfs(tmp_path / "in", 100)
    upload(bucket, s3_endpoint, tmp_path / "in")
    source, store = open_store(f"s3://{bucket}/in/"), open_store(f"s3://{bucket}/out/")
    begun = begin_at(source, store, "null", ReadOptions())
    record = fleet(hours=1_000_000).model_copy(update={"run": begun.manifest.run, "max_cost": max_cost})
    manifest.save_fleet(store, record.model_copy(update={"market": "on-demand"}))
    environment = {
        **of_worker(bucket, begun.manifest.run),
        "PDFBATCH_INSTANCE": "i-1",
        "PDFBATCH_INSTANCE_TYPE": "g4dn.xlarge",
        "PDFBATCH_ZONE": "us-east-1a",
        "PDFBATCH_BOOTED": "2026-01-01T12:00:00Z",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    ended = pdfbatch("worker", **environment)
    mark = DoneMark.model_validate_json(store.get(RunKeys(begun.manifest.run).done_mark(0)))
    assert (mark.why, ended.returncode) == (why, 130 if why == "over_budget" else 0)
    assert ("of $5.00 is spent" in mark.detail) == (why == "over_budget")
    last = Heartbeat.model_validate_json(store.get(RunKeys(begun.manifest.run).heartbeat(0)))
    assert (last.dollars > 0) == (last.price > 0) == (max_cost is not None)
