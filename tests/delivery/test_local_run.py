"""`local-run --events`: the run goes on whatever its sink does, and nothing is lost."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from pdfbatch.delivery.background import LONGEST_PAUSE, Deliveries, pause
from pdfbatch.delivery.sink import NotDelivered
from pdfbatch.errors import ExitCode, PdfbatchError
from pdfbatch.records import Outcome, RunKeys, SinkAddress
from pdfbatch.runs import manifest
from pdfbatch.runs.ledger import LedgerWriter, outcomes, segments
from pdfbatch.store import open_store
from samples import odd
from samples.many import many_pdfs
from tests.delivery.receiver import KEY, Receiver
from tests.delivery.stores import NOW, RUN, MemoryStore, Taker, route
from tests.program import Program


@pytest.fixture
def pdfs(tmp_path: Path) -> Path:
    (tmp_path / "pdfs").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "pdfs" / f"{name}.pdf").write_bytes(odd.text_page() + f"%{name}".encode())
    (tmp_path / "pdfs" / "empty.pdf").write_bytes(b"")
    return tmp_path / "pdfs"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def run(pdfbatch: Program, pdfs: Path, out: Path, *more: str) -> tuple[int, str]:
    ended = pdfbatch("local-run", pdfs, out, "--engine", "null", *more, PDFBATCH_EVENTS_KEY=KEY)
    return ended.returncode, ended.stderr


def test_each_outcome_and_the_end_are_events(pdfs: Path, out: Path, receiver: Receiver, pdfbatch: Program) -> None:
    code, said = run(pdfbatch, pdfs, out, "--events", receiver.url)
    assert code == ExitCode.SOME_DOCUMENTS_FAILED
    assert "not delivered" not in said
    assert sorted(receiver.keys) == ["a.pdf", "b.pdf", "c.pdf", "empty.pdf"]
    (failed,) = [event for event in receiver.events if event["type"] == "pdfbatch.document.failed"]
    assert failed["data"]["reason"] == "empty_file" and failed["data"]["output"] is None
    assert receiver.events[-1]["type"] == "pdfbatch.run.finished"
    assert receiver.events[-1]["data"]["documents"]["ok"] == 3


def test_the_run_knows_its_sinks_and_no_record_or_output_has_the_secret(
    pdfs: Path, out: Path, receiver: Receiver, pdfbatch: Program
) -> None:
    receiver.answers = [503, 401]
    _, said = run(pdfbatch, pdfs, out, "--events", receiver.url, "-v")
    store = open_store(str(out))
    latest = manifest.current(store)
    assert latest is not None and manifest.load(store, latest).events == [receiver.url]
    secret = KEY.removeprefix("whsec_")
    for path in out.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            data = gzip.decompress(data) if path.suffix == ".gz" else data
            assert secret.encode() not in data, path
    assert secret not in said and said


def test_a_sink_that_is_down_changes_nothing_but_a_line_that_says_what_to_do(
    pdfs: Path, out: Path, receiver: Receiver, pdfbatch: Program
) -> None:
    receiver.always = 404
    code, said = run(pdfbatch, pdfs, out, "--events", receiver.url)
    assert code == ExitCode.SOME_DOCUMENTS_FAILED
    assert f"4 events not delivered to {receiver.url}" in said
    assert f"pdfbatch events {out}/ --to {receiver.url}" in said
    assert len(list(out.glob("*.md"))) == 3
    receiver.always = 200
    sent = pdfbatch("events", out, "--to", receiver.url, "--json", PDFBATCH_EVENTS_KEY=KEY)
    assert (json.loads(sent.stdout)["delivered"], json.loads(sent.stdout)["ended"]) == (5, True)
    assert len(receiver.keys) == 4


def test_the_same_command_again_delivers_what_was_left(
    pdfs: Path, out: Path, receiver: Receiver, pdfbatch: Program
) -> None:
    (pdfs / "empty.pdf").unlink()
    receiver.always = 404
    run(pdfbatch, pdfs, out, "--events", receiver.url)
    receiver.always = 200
    without_key = pdfbatch("local-run", pdfs, out, "--engine", "null")
    assert without_key.returncode == ExitCode.DONE
    assert f"events to {receiver.url} are not sent now: Webhooks are signed, and there is no key." in without_key.stderr
    _, said = run(pdfbatch, pdfs, out)
    assert f"4 events of run {manifest.current(open_store(str(out)))} delivered" in said
    assert len(receiver.keys) == 3
    assert "delivered" not in run(pdfbatch, pdfs, out)[1]


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (["--events", "https://user:Sesame@example.org"], ExitCode.USAGE, "user name or password"),
        (["--events", "nowhere"], ExitCode.USAGE, "unknown form"),
    ],
)
def test_a_wrong_sink_is_refused_before_anything_is_written(
    more: list[str], code: ExitCode, words: str, pdfs: Path, out: Path, pdfbatch: Program
) -> None:
    refused = run(pdfbatch, pdfs, out, *more)
    assert refused[0] == code and words in refused[1] and "Sesame" not in refused[1]
    assert not out.exists()


def test_without_a_key_a_webhook_is_refused_before_anything_is_written(
    pdfs: Path, out: Path, receiver: Receiver, pdfbatch: Program
) -> None:
    refused = pdfbatch("local-run", pdfs, out, "--engine", "null", "--events", receiver.url)
    assert refused.returncode == ExitCode.NOT_READY and "openssl rand" in refused.stderr
    assert not out.exists()


def test_sinks_may_be_in_the_settings(
    pdfs: Path, out: Path, receiver: Receiver, pdfbatch: Program, tmp_path: Path
) -> None:
    (tmp_path / "pdfbatch.toml").write_text(f'events = ["{receiver.url}"]\n')
    ended = pdfbatch("local-run", pdfs, out, "--engine", "null", folder=tmp_path, PDFBATCH_EVENTS_KEY=KEY)
    assert ended.returncode == ExitCode.SOME_DOCUMENTS_FAILED
    assert len(receiver.keys) == 4


@pytest.mark.slow
def test_a_worker_killed_while_it_delivers_loses_no_event_and_repeats_only_equal_ids(
    tmp_path: Path, receiver: Receiver
) -> None:
    many_pdfs(tmp_path / "pdfs", 400)
    command = [sys.executable, "-m", "tests.delivery.slice_process", tmp_path / "pdfs", tmp_path / "out", receiver.url]
    environment = os.environ | {"PDFBATCH_EVENTS_KEY": KEY}
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    while receiver.requests < 20 and process.poll() is None:
        time.sleep(0.01)
    assert process.poll() is None, "it ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    receiver.answers = [503, 503]
    assert subprocess.run(command, env=environment, check=False).returncode == 0
    store = open_store(str(tmp_path / "out"))
    lines = [line for _, line in outcomes(store, segments(store))]
    assert set(receiver.keys) == {line.key for line in lines} and len(receiver.keys) == 400
    ids = {(event["data"].get("key"), event["id"]) for event in receiver.events}
    assert len(ids) == 401, "two ids for one outcome"
    assert max(Counter(receiver.ids).values()) > 1, "nothing was repeated: this proves nothing about repeats"


def add(store: MemoryStore, *names: str) -> None:
    parts = segments(store, RunKeys(RUN).ledger)  # type: ignore[arg-type]  # it has what a ledger needs
    writer = LedgerWriter(store, RunKeys(RUN), 0, len(parts) + 1)  # type: ignore[arg-type]
    for name in names:
        writer.add(Outcome(key=name, outcome="ok", etag="e", at=NOW))
    writer.flush()


class Hung(Taker):
    """A sink that never answers."""

    def send(self, events: object) -> None:
        time.sleep(3600)


class Broken(Taker):
    """A sink with a mistake of ours in it."""

    def send(self, events: object) -> None:
        raise ZeroDivisionError("a mistake")


def test_one_sink_that_hangs_or_breaks_does_not_hold_up_another() -> None:
    store, sinks = MemoryStore(), [Hung(), Broken(), Taker()]
    add(store, "a.pdf", "b.pdf")
    addresses = [SinkAddress.read(f"https://example.org/{number}") for number in range(3)]
    routes = [route(store, sink, address) for sink, address in zip(sinks, addresses, strict=True)]
    with Deliveries(routes, 0, seconds=0.01) as sending:
        while len(sinks[2].taken) < 2:
            time.sleep(0.001)
        left = sending.finish(0.2)
    assert [(each.events, each.address) for each in left[:2]] == [(2, each.text) for each in addresses[:2]]


@pytest.mark.parametrize(
    ("failures", "error", "least", "most"),
    [
        (1, NotDelivered("", ""), 1, 2),
        (3, NotDelivered("", ""), 4, 8),
        (50, NotDelivered("", ""), LONGEST_PAUSE / 2, LONGEST_PAUSE),
        (1, NotDelivered("", "", retry_after=100), 100, 100),
        (1, NotDelivered("", "", is_refusal=True), LONGEST_PAUSE, LONGEST_PAUSE),
        (1, PdfbatchError("", ""), 1, 2),
    ],
)
def test_pauses_double_with_jitter_up_to_a_minute(
    failures: int, error: PdfbatchError, least: float, most: float
) -> None:
    assert pause(failures, error, lambda: 0.0) == least
    assert pause(failures, error, lambda: 1.0) == most
