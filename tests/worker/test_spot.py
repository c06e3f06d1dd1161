"""Notices of the metadata service, seen by the watch and obeyed by a worker process."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pdfbatch.worker.spot import TOKEN_SECONDS, Metadata, Notice, SpotWatch
from samples.many import long_pdf
from tests.imds import FAULTS, META_DATA, Imds
from tests.worker.page_tasks import pages_read
from tests.worker.waiting import wait_until

ACTION, REBALANCE = "spot/instance-action", "events/recommendations/rebalance"
TAKEN = '{"action": "terminate", "time": "2026-11-25T19:45:00Z"}'
RECOMMENDED = '{"noticeTime": "2026-11-25T19:40:00Z"}'
NOTICE = Notice("terminate", datetime(2026, 11, 25, 19, 45, tzinfo=UTC))
PAGES = 150


@pytest.fixture
def imds() -> Iterator[Imds]:
    with Imds() as service:
        yield service


class Heard:
    """What a watch told."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.rebalances = 0

    def rebalance(self) -> None:
        self.rebalances += 1

    def watch(self, endpoint: str) -> SpotWatch:
        return SpotWatch(endpoint, self.notices.append, self.rebalance, 0.01)


def watches_left() -> bool:
    return any(thread.name == "spot" for thread in threading.enumerate())


def test_no_notice_is_the_normal_answer_and_a_notice_is_reported_once(imds: Imds) -> None:
    heard = Heard()
    with heard.watch(imds.url):
        wait_until(lambda: imds.asked.count(f"GET {META_DATA}{ACTION}") > 3)
        assert heard.notices == []
        imds.values[ACTION] = TAKEN
        wait_until(lambda: not watches_left())
    assert heard.notices == [NOTICE]
    assert imds.asked.count("PUT /latest/api/token") == 1


def test_a_recommendation_is_reported_once_and_so_is_a_notice_after_it(imds: Imds) -> None:
    heard = Heard()
    imds.values[REBALANCE] = RECOMMENDED
    with heard.watch(imds.url):
        wait_until(lambda: heard.rebalances and imds.asked.count(f"GET {META_DATA}{ACTION}") > 5)
        imds.values[ACTION] = TAKEN.replace("terminate", "hibernate")
        wait_until(lambda: heard.notices)
    assert heard.rebalances == 1
    assert heard.notices == [NOTICE._replace(action="hibernate")]


def test_a_token_is_renewed_before_it_is_too_old(imds: Imds) -> None:
    now = [0.0]
    metadata = Metadata(imds.url, lambda: now[0])
    for now[0] in (0.0, 10.0, TOKEN_SECONDS - 1.0):
        assert metadata.get("instance-type") == b"g4dn.xlarge"
    assert [asked.split()[0] for asked in imds.asked] == ["PUT", "GET", "GET", "PUT", "GET"]


def test_a_token_that_the_service_has_forgotten_is_renewed(imds: Imds) -> None:
    metadata = Metadata(imds.url)
    metadata.get("instance-id")
    imds.good_until.clear()
    assert metadata.get("instance-id") == b"i-0123456789abcdef0"
    assert [asked.split()[0] for asked in imds.asked] == ["PUT", "GET", "GET", "PUT", "GET"]


def test_the_service_is_asked_directly_where_a_proxy_is_set(imds: Imds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert Metadata(imds.url).get("placement/region") == b"us-east-1"


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_is_wrong_with_the_service_it_is_asked_again(imds: Imds, fault: str) -> None:
    heard = Heard()
    imds.fault = fault
    imds.values[ACTION] = TAKEN
    with heard.watch(imds.url):
        wait_until(lambda: len(imds.asked) > (0 if fault == "hang" else 2))
        assert heard.notices == []
        imds.fault = ""
        wait_until(lambda: heard.notices)
    assert heard.notices == [NOTICE]
    assert heard.rebalances == 0


@pytest.mark.parametrize("told", ["", "{}", "[]", '{"action": "terminate", "time": "soon"}'])
def test_an_invalid_response_is_not_a_notice(imds: Imds, told: str) -> None:
    heard = Heard()
    imds.values[ACTION] = imds.values[REBALANCE] = told
    with heard.watch(imds.url):
        wait_until(lambda: imds.asked.count(f"GET {META_DATA}{REBALANCE}") > 2)
    assert (heard.notices, heard.rebalances) == ([], 0)


def test_a_missing_service_does_no_harm() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        heard = Heard()
        with heard.watch(f"http://127.0.0.1:{taken.getsockname()[1]}/"):
            assert watches_left()
    wait_until(lambda: not watches_left())
    assert heard.notices == []


def test_an_error_in_a_callback_does_not_end_the_watch(imds: Imds) -> None:
    heard = Heard()

    def fail() -> None:
        heard.rebalances += 1
        raise RuntimeError("says the test")

    imds.values[REBALANCE] = RECOMMENDED
    with SpotWatch(imds.url, heard.notices.append, fail, 0.01):
        wait_until(lambda: heard.rebalances)
        imds.values[ACTION] = TAKEN
        wait_until(lambda: heard.notices)
    assert heard.rebalances == 1


# ── a worker process ─────────────────────────────────────────────────────────────────────────────────────────────


def start(pdfs: Path, out: Path, task: str, imds: Imds, instance: str) -> subprocess.Popen[bytes]:
    service = {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url.rstrip("/")}
    command = [sys.executable, "-m", "tests.worker.slice_process", str(pdfs), str(out), task]
    return subprocess.Popen(command, env=os.environ | service | {"PDFBATCH_INSTANCE": instance})


def the_one(out: Path, pattern: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(next(out.glob(f".pdfbatch/*/{pattern}")).read_text())
    return found


@pytest.mark.slow
def test_after_a_notice_the_worker_drains_and_its_replacement_reads_only_the_rest(
    pdfs: Path, out: Path, imds: Imds
) -> None:
    pdf = long_pdf(pdfs / "long.pdf", PAGES)
    process = start(pdfs, out, "note_slowly", imds, "i-first")
    wait_until(lambda: len(pages_read(pdf)) > 4)
    imds.values[ACTION] = TAKEN
    assert process.wait(60) == 130
    mark, beat = the_one(out, "done/worker-0.json"), the_one(out, "workers/worker-0.json")
    assert mark["why"] == beat["state"] == "interrupted"
    assert beat["notice"] is not None
    assert not (out / "long.md").exists()

    del imds.values[ACTION]
    assert start(pdfs, out, "note_slowly", imds, "i-second").wait(60) == 0
    assert sorted(pages_read(pdf)) == list(range(1, PAGES + 1))
    beat = the_one(out, "workers/worker-0.json")
    [life] = beat["past"]  # type: ignore[misc]
    assert (life["machine"]["instance"], life["notice"] is not None) == ("i-first", True)
    assert beat["machine"]["instance"] == "i-second"  # type: ignore[index]


def test_on_a_recommendation_finished_pages_are_saved_and_the_work_goes_on(pdfs: Path, out: Path, imds: Imds) -> None:
    pdf = long_pdf(pdfs / "long.pdf", 12)
    with start(pdfs, out, "hang", imds, "i-first") as process:
        wait_until(lambda: len(pages_read(pdf)) == 11)  # the twelfth hangs
        imds.values[REBALANCE] = RECOMMENDED
        wait_until(lambda: list(out.glob(".pdfbatch/*/checkpoints/*/*.json")))
        assert process.poll() is None
        process.kill()
    saved = the_one(out, "checkpoints/*/*.json")["pages"]
    assert {page["number"] for page in saved} <= set(pages_read(pdf))  # type: ignore[attr-defined]
