"""The command `events`: from a finished output to a webhook, and on from where it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from pdfbatch.errors import ExitCode
from pdfbatch.records import Counts, DoneMark, Outcome, Position, RunKeys, SinkAddress
from pdfbatch.runs.ledger import LedgerWriter
from pdfbatch.store import LocalStore, Store
from tests.delivery.receiver import KEY, Receiver
from tests.delivery.stores import NOW
from tests.export.outputs import RUN, finish, some_documents
from tests.program import Program

KEYS = RunKeys(RUN)


@pytest.fixture
def output(tmp_path: Path) -> Store:
    (tmp_path / "output").mkdir()
    return LocalStore(tmp_path / "output")


def add(output: Store, *keys: str) -> None:
    writer = LedgerWriter(output, KEYS, 0, 2)
    for key in keys:
        writer.add(Outcome(key=key, outcome="ok", etag="e", at=NOW))
    writer.flush()


def end(output: Store) -> None:
    mark = DoneMark(worker=0, why="done", at=NOW, counts=Counts(ok=3))
    output.put(KEYS.done_mark(0), mark.model_dump_json().encode())


def test_it_sends_what_is_there_and_then_what_is_new(output: Store, receiver: Receiver, pdfbatch: Program) -> None:
    finish(output, some_documents(3))
    words = ("events", output.url, "--to", receiver.url)
    first = pdfbatch(*words, PDFBATCH_EVENTS_KEY=KEY)
    assert first.returncode == ExitCode.DONE, first.stderr
    assert f"SENT  3 events to {receiver.url}" in first.stdout
    assert f"go on:   pdfbatch events {output.url} --to {receiver.url} --follow" in first.stdout
    add(output, "new.pdf")
    end(output)
    second = pdfbatch(*words, "--json", PDFBATCH_EVENTS_KEY=KEY)
    shown = json.loads(second.stdout)
    assert (shown["delivered"], shown["before"], shown["waiting"], shown["ended"]) == (2, 3, 0, True)
    third = pdfbatch(*words, PDFBATCH_EVENTS_KEY=KEY)
    assert "SENT  0 events" in third.stdout and "go on" not in third.stdout
    assert [event["type"].rpartition(".")[2] for event in receiver.events] == [*["converted"] * 4, "finished"]
    assert len(set(receiver.ids)) == 5


def test_it_follows_to_the_end_of_the_run_over_a_receiver_that_comes_back(
    output: Store, receiver: Receiver, pdfbatch: Program
) -> None:
    finish(output, some_documents(3))
    end(output)
    receiver.answers = [200, 503]
    ended = pdfbatch("events", output.url, "--to", receiver.url, "--follow", PDFBATCH_EVENTS_KEY=KEY)
    assert ended.returncode == ExitCode.DONE
    assert "503 Service Unavailable" in ended.stderr and "2 events waiting; trying again" in ended.stderr
    assert [event["data"].get("key") for event in receiver.events] == [*receiver.keys, None]
    assert len(receiver.events) == 4


def test_a_refusal_ends_it_and_says_what_waits(output: Store, receiver: Receiver, pdfbatch: Program) -> None:
    finish(output, some_documents(3))
    receiver.answers = [200, 404]
    refused = pdfbatch("events", output.url, "--to", receiver.url, PDFBATCH_EVENTS_KEY=KEY)
    assert refused.returncode == ExitCode.FAILED
    assert "1 event sent, 2 not" in refused.stderr and "404 Not Found" in refused.stderr
    position = Position.model_validate_json(output.get(KEYS.position(SinkAddress.read(receiver.url).name, 0)))
    assert (position.delivered, position.waiting, position.sent) == (1, 2, 0)
    assert "404" in position.trouble


@pytest.mark.parametrize(
    ("to", "code", "words"),
    [
        ("https://user:pass@example.org", ExitCode.USAGE, "user name or password"),
        ("http://127.0.0.1:1/", ExitCode.NOT_READY, "openssl rand -base64 32"),
        ("kafka://nowhere", ExitCode.USAGE, "not a broker"),
    ],
)
def test_what_cannot_work_is_refused_before(
    to: str, code: ExitCode, words: str, output: Store, pdfbatch: Program
) -> None:
    finish(output, some_documents(1))
    refused = pdfbatch("events", output.url, "--to", to)
    assert refused.returncode == code and words in refused.stderr


def test_an_output_without_a_run_is_refused(output: Store, pdfbatch: Program) -> None:
    refused = pdfbatch("events", output.url, "--to", "https://example.org/")
    assert "No runs in" in refused.stderr


def test_what_an_earlier_run_owes_comes_first(output: Store, receiver: Receiver, pdfbatch: Program) -> None:
    finish(output, some_documents(2))
    later = "20260102T000000.000Z-0002"
    words = ("events", output.url, "--to", receiver.url)
    receiver.answers = [200, 404]
    pdfbatch(*words, PDFBATCH_EVENTS_KEY=KEY)
    finish(output, some_documents(3)[2:], run=later)
    assert pdfbatch(*words, "--run", later, PDFBATCH_EVENTS_KEY=KEY).returncode == ExitCode.DONE
    assert [event["data"]["run"] for event in receiver.events] == [RUN, later]
    shown = pdfbatch(*words, "--json", PDFBATCH_EVENTS_KEY=KEY)
    assert [event["data"]["run"] for event in receiver.events[2:]] == [RUN, RUN], "its segment again, from the start"
    assert len(set(receiver.ids)) == 3
    found = json.loads(shown.stdout)
    assert (found["run"], found["delivered"], found["before"]) == (later, 2, 2)


def test_an_earlier_run_that_had_another_sink_is_not_sent(output: Store, receiver: Receiver, pdfbatch: Program) -> None:
    finish(output, some_documents(2), events=["events:papers"])
    finish(output, some_documents(3)[2:], run="20260102T000000.000Z-0002")
    pdfbatch("events", output.url, "--to", receiver.url, PDFBATCH_EVENTS_KEY=KEY)
    assert len(receiver.events) == 1


def test_ctrl_c_while_it_follows_keeps_the_place(output: Store, receiver: Receiver, pdfbatch: Program) -> None:
    finish(output, some_documents(3))  # and no done mark: the run goes on
    words = ["events", output.url, "--to", receiver.url]
    command = [sys.executable, "-m", "pdfbatch.cli", *words, "--follow"]
    process = subprocess.Popen(command, env=os.environ | {"PDFBATCH_EVENTS_KEY": KEY})
    while len(receiver.events) < 3 or not list(output.list(KEYS.events)):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.wait() == ExitCode.INTERRUPTED
    assert "SENT  0 events" in pdfbatch(*words, PDFBATCH_EVENTS_KEY=KEY).stdout


def test_killed_while_it_delivers_it_loses_nothing_and_repeats_only_equal_ids(
    output: Store, receiver: Receiver, tmp_path: Path
) -> None:
    finish(output, some_documents(60))
    end(output)
    command = [sys.executable, "-m", "pdfbatch.cli", "events", output.url, "--to", receiver.url]
    environment = os.environ | {"PDFBATCH_EVENTS_KEY": KEY}
    for wanted in (5, 25):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        while len(receiver.events) < wanted and process.poll() is None:
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode == 0
    assert len(receiver.keys) == 60
    of_key = {event["data"].get("key"): event["id"] for event in receiver.events}
    assert all(of_key[event["data"].get("key")] == event["id"] for event in receiver.events)
    assert max(Counter(receiver.ids).values()) > 1, "it was killed too late to repeat anything"
