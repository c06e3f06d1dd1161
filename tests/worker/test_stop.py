"""A stop in the middle of a long document: real signals to a real process."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pdfbatch.runs.verify import verify
from pdfbatch.store import open_store
from samples.many import long_pdf, many_pdfs
from tests.worker.conftest import Start
from tests.worker.page_tasks import pages_read

pytestmark = [pytest.mark.slow, pytest.mark.waits]

PAGES = 76
LONGER = 300
"""Pages enough for another process to start meanwhile, on a busy machine."""
OWN_PIDS = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


def wait_for_pages(pdf: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(pages_read(pdf)) < count:
        assert time.monotonic() < deadline, f"only {len(pages_read(pdf))} pages were read"
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_after_a_signal_the_rerun_starts_after_the_last_finished_page(
    pdfs: Path, out: Path, number: int, start: Start
) -> None:
    pdf = long_pdf(pdfs / "long.pdf", PAGES)
    process = start(pdfs, out, "note_slowly")
    wait_for_pages(pdf, 40)
    os.kill(process.pid, number)
    assert process.wait(30) == 130
    assert not (out / "long.md").exists()
    assert start(pdfs, out, "note_slowly").wait(60) == 0
    assert sorted(pages_read(pdf)) == list(range(1, PAGES + 1))
    assert "long.pdf page 76" in (out / "long.md").read_text()


def test_a_signal_to_the_whole_group_costs_at_most_the_pages_being_read(pdfs: Path, out: Path, start: Start) -> None:
    pdf = long_pdf(pdfs / "long.pdf", PAGES)
    process = start(pdfs, out, "note_slowly")
    wait_for_pages(pdf, 40)
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(30) == 130
    assert start(pdfs, out, "note_slowly").wait(60) == 0
    assert set(pages_read(pdf)) == set(range(1, PAGES + 1))
    assert len(pages_read(pdf)) <= PAGES + 4
    assert "<!-- page 41 -->" in (out / "long.md").read_text()


def test_a_long_document_is_checkpointed_in_case_there_is_no_notice(pdfs: Path, out: Path, start: Start) -> None:
    pdf = long_pdf(pdfs / "long.pdf", PAGES)
    process = start(pdfs, out, "note_slowly")
    wait_for_pages(pdf, 70)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert start(pdfs, out, "note_slowly").wait(60) == 0
    read = pages_read(pdf)
    assert set(read) == set(range(1, PAGES + 1))
    assert len(read) - PAGES <= 70 - 64 + 8, "pages of the two checkpoints were read again"
    assert not list(out.glob(".pdfbatch/*/checkpoints/**/*.json")), "checkpoints stay behind"


def test_a_stopped_worker_says_why_it_ended(pdfs: Path, out: Path, start: Start) -> None:
    pdf = long_pdf(pdfs / "long.pdf", PAGES)
    process = start(pdfs, out, "note_slowly")
    wait_for_pages(pdf, 5)
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    mark = json.loads(next(out.glob(".pdfbatch/*/done/worker-0.json")).read_text())
    beat = json.loads(next(out.glob(".pdfbatch/*/workers/worker-0.json")).read_text())
    assert mark["why"] == beat["state"] == "interrupted"


def test_a_second_signal_ends_at_once_even_if_a_page_hangs(pdfs: Path, out: Path, start: Start) -> None:
    pdf = long_pdf(pdfs / "long.pdf", 3)
    process = start(pdfs, out, "hang")
    wait_for_pages(pdf, 2)
    process.send_signal(signal.SIGINT)
    time.sleep(1.5)  # more than an echo, though the first is heard late
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130


def test_the_echo_of_a_signal_is_not_a_second_one(pdfs: Path, out: Path, start: Start) -> None:
    pdf = long_pdf(pdfs / "long.pdf", PAGES)
    process = start(pdfs, out, "note_slowly")
    wait_for_pages(pdf, 5)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 130
    assert list(out.glob(".pdfbatch/*/done/worker-0.json")) != [], "it drained"


def test_a_twin_of_a_living_worker_is_refused(pdfs: Path, out: Path, start: Start) -> None:
    pdf = long_pdf(pdfs / "long.pdf", LONGER)
    process = start(pdfs, out, "note_slowly")
    wait_for_pages(pdf, 3)
    assert start(pdfs, out, "note_slowly").wait(60) == 1
    assert "is already running here" in (out.parent / "log").read_text()
    assert process.wait(60) == 0
    assert len(pages_read(pdf)) == LONGER


def test_of_two_that_start_at_once_one_is_refused_and_nothing_is_done_twice(
    pdfs: Path, out: Path, start: Start
) -> None:
    files = many_pdfs(pdfs, 12)
    twins = [start(pdfs, out, "note_slowly") for _ in range(2)]
    assert sorted(process.wait(60) for process in twins) == [0, 1]
    assert all(pages_read(pdf) == [1] for pdf in files)


def test_a_twin_in_another_container_is_refused_though_both_have_the_same_pid(pdfs: Path, out: Path) -> None:
    if os.geteuid() != 0 or subprocess.run([*OWN_PIDS, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("needs the right to make a pid namespace")
    pdf = long_pdf(pdfs / "long.pdf", LONGER)
    command = [*OWN_PIDS, sys.executable, "-m", "tests.worker.slice_process", str(pdfs), str(out), "note_slowly"]
    with subprocess.Popen(command) as first:
        wait_for_pages(pdf, 1)
        twin = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert twin.returncode == 1
        assert "is already running here" in twin.stderr
        assert first.wait(60) == 0
    assert sorted(pages_read(pdf)) == list(range(1, LONGER + 1))


def test_a_frozen_twin_is_a_twin_however_long_it_was_silent(pdfs: Path, out: Path, start: Start) -> None:
    pdf = long_pdf(pdfs / "long.pdf", PAGES)
    process = start(pdfs, out, "note_slowly")
    wait_for_pages(pdf, 3)
    process.send_signal(signal.SIGSTOP)
    sign = next(out.glob(".pdfbatch/*/workers/worker-0.json"))
    beat = json.loads(sign.read_text())
    sign.write_text(json.dumps(beat | {"at": "2026-01-01T00:00:00Z"}))
    assert start(pdfs, out, "note_slowly").wait(60) == 1
    process.send_signal(signal.SIGCONT)
    assert process.wait(60) == 0
    assert len(pages_read(pdf)) == PAGES


@pytest.mark.parametrize("seconds", [0.6, 1.2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_whole_group_while_it_starts_is_a_clean_stop(
    pdfs: Path, out: Path, number: int, seconds: float
) -> None:
    long_pdf(pdfs / "long.pdf", PAGES)
    command = [sys.executable, "-m", "tests.worker.slice_process", str(pdfs), str(out), "note_slowly"]
    environment = os.environ | {"PDFBATCH_TEST_LOADS": "all"}
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True, env=environment)
    beats = out / ".pdfbatch"
    while not list(beats.glob("*/workers/worker-0.json")):
        time.sleep(0.01)
    time.sleep(seconds / 2)
    os.killpg(process.pid, number)
    assert "Traceback" not in process.communicate(timeout=30)[1]
    assert process.returncode == 130


def test_a_pdf_that_changed_since_its_checkpoint_is_read_anew(pdfs: Path, out: Path, start: Start) -> None:
    pdf = long_pdf(pdfs / "long.pdf", PAGES)
    process = start(pdfs, out, "note_slowly")
    wait_for_pages(pdf, 40)
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    long_pdf(pdf, PAGES - 1)
    assert start(pdfs, out, "note_slowly").wait(60) == 0
    assert len(pages_read(pdf)) >= 40 + PAGES - 1
    assert verify(open_store(str(out))).sound


def test_a_pdf_that_was_only_touched_since_its_checkpoint_is_resumed(pdfs: Path, out: Path, start: Start) -> None:
    pdf = long_pdf(pdfs / "long.pdf", PAGES)
    process = start(pdfs, out, "note_slowly")
    wait_for_pages(pdf, 40)
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    os.utime(pdf, ns=(1, 1))
    assert start(pdfs, out, "note_slowly").wait(60) == 0
    assert len(pages_read(pdf)) < 40 + PAGES


def test_pages_that_an_earlier_version_read_are_read_again(pdfs: Path, out: Path, start: Start) -> None:
    pdf = long_pdf(pdfs / "long.pdf", PAGES)
    process = start(pdfs, out, "note_slowly")
    wait_for_pages(pdf, 40)
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    for saved in out.glob(".pdfbatch/*/checkpoints/*/*.json"):
        told = json.loads(saved.read_text())
        pages = [{"number": page["number"], "markdown": "of old", "head": "", "tail": ""} for page in told["pages"]]
        saved.write_text(json.dumps({"key": told["key"], "etag": told["etag"], "pages": pages}))
    assert start(pdfs, out, "note_slowly").wait(60) == 0
    assert len(pages_read(pdf)) >= 40 + PAGES
    assert "of old" not in (out / "long.md").read_text()
    assert verify(open_store(str(out))).sound


def test_children_die_with_a_killed_parent(pdfs: Path, out: Path, start: Start) -> None:
    pdf = long_pdf(pdfs / "long.pdf", 3)
    process = start(pdfs, out, "hang")
    wait_for_pages(pdf, 2)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 10
    while group_members(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert group_members(process.pid) == []


def group_members(group: int) -> list[str]:
    """Living processes of a process group, zombies left out."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, of_group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(of_group) == group and state != "Z":
            found.append(stat.parent.name)
    return found


def test_nothing_is_published_twice_by_slices_that_run_at_once(pdfs: Path, out: Path) -> None:
    files = many_pdfs(pdfs, 30, pages=2)
    command = [sys.executable, "-m", "tests.worker.slice_process", str(pdfs), str(out), "note", "3"]
    slices = [subprocess.Popen([*command, str(worker)]) for worker in range(3)]
    assert [process.wait(60) for process in slices] == [0, 0, 0]
    assert all(sorted(pages_read(pdf)) == [1, 2] for pdf in files)
    runs = [entry.key for entry in open_store(str(out)).list() if entry.key.endswith("manifest.json.gz")]
    assert len(runs) == 1, "the slices did not agree on one run"
