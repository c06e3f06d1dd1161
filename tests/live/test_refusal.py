"""A live run does not start by accident: it refuses before any call to AWS."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.permission import NotPermittedError, Permission, permission

ROOT = Path(__file__).parents[2]
YES = {"PDFBATCH_LIVE": "yes", "PDFBATCH_LIVE_MAX_DOLLARS": "2", "PDFBATCH_LIVE_PLACE": "s3://papers/live"}


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Where AWS would be."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        yield server


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"PDFBATCH_LIVE": ""}, "set PDFBATCH_LIVE=yes"),
        ({"PDFBATCH_LIVE": "1"}, "set PDFBATCH_LIVE=yes"),
        ({"PDFBATCH_LIVE_MAX_DOLLARS": ""}, "cost cap is missing"),
    ],
)
def test_the_script_refuses_before_any_call_to_aws(listener: socket.socket, change: dict[str, str], words: str) -> None:
    endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
    environment = {**os.environ, **YES, "AWS_ENDPOINT_URL": endpoint, **change}
    done = subprocess.run(
        [sys.executable, "-m", "tests.live", "1"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert "PDFBATCH_LIVE_MAX_DOLLARS" in done.stderr, "it says what to set"
    with pytest.raises(TimeoutError):
        listener.accept()


@pytest.mark.parametrize("dollars", ["", "0", "-5", "0.1", "nan", "inf", "two"])
def test_a_cost_cap_must_be_an_amount_of_money(dollars: str) -> None:
    with pytest.raises(NotPermittedError, match="cost cap"):
        permission(["1"], YES | {"PDFBATCH_LIVE_MAX_DOLLARS": dollars})


@pytest.mark.parametrize("arguments", [[], ["0"], ["six"], ["6"], ["-1"], ["1", "2"]])
def test_the_number_of_workers_must_be_small(arguments: list[str]) -> None:
    with pytest.raises(NotPermittedError, match="number of workers"):
        permission(arguments, YES)


@pytest.mark.parametrize("place", ["", "papers/live", "s3://papers", "s3://papers/", "s3:///live"])
def test_the_url_must_be_a_prefix_and_not_a_whole_bucket(place: str) -> None:
    with pytest.raises(NotPermittedError, match="PDFBATCH_LIVE_PLACE"):
        permission(["1"], YES | {"PDFBATCH_LIVE_PLACE": place})


def test_with_consent_the_fleet_stays_below_the_cap() -> None:
    allowed = permission(["2"], YES)
    assert allowed == Permission(2, 2.0, "s3://papers/live/", "pdfbatch")
    assert allowed.fleet_dollars == 1.95
