"""test_end_to_end.py's run on machines with Docker: the worker image, pulled and run as the fleet runs it.

virtual.py says what is real. `make check-fleet` runs it: bench.sh makes the network and the image that it needs.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.conftest import ROOT, Account
from tests.fleet.machine.region import Region
from tests.fleet.machine.story import Story
from tests.fleet.machine.virtual import VirtualMachine
from tests.program import own_process

IMAGE = os.environ.get("PDFBATCH_FLEET_IMAGE", "")
FOLDER = Path(os.environ.get("PDFBATCH_FLEET_FOLDER", ""))
ADDRESS = os.environ.get("PDFBATCH_FLEET_ADDRESS", "")
PAGES = 6
SECONDS = 1200

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not IMAGE, reason="needs the bench, see `make check-fleet`")]


@pytest.fixture(scope="module")
def aws_server(no_account: None) -> Iterator[str]:
    """Instead of the one on loopback: one that the machines reach."""
    command = [sys.executable, "-m", "tests.fleet.aws_server", ADDRESS, "0"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield f"http://{ADDRESS}:{int(server.stdout.readline())}"
        server.kill()


def test_forty_documents_survive_two_interruptions_in_containers(account: Account, tmp_path: Path) -> None:
    account.ready()
    registry = IMAGE.split("/")[0]
    screens = FOLDER / "screens"
    screens.mkdir()
    with Region(account, lambda row: VirtualMachine(row, FOLDER / row["instance"], registry)) as region:
        story = Story(region, own_process, screens, SECONDS, columns=(80, 120))
        story.upload(tmp_path / "pdfs", PAGES)
        run = story.launch("--instance-type", "c6i.xlarge", "--image", IMAGE)
        story.look("launched")
        story.wait_for("the first machine", lambda: story.boots() != [])
        story.look("booting")
        story.wait_for("the first document", lambda: story.published() != [])
        story.look("running")
        losses = story.lose_machines(random.randrange(1000))
        story.wait_for("the replacements", lambda: len(story.boots()) == 5)
        story.look("replaced")
        story.wait_for("the end of the fleets", lambda: account.instances() == [])
    story.check_documents(PAGES)
    story.check_machines(losses)
    story.check_end()
    check_logs(account, run, region)


def check_logs(account: Account, run: str, region: Region) -> None:
    """Every machine's worker spoke to its own log stream, through Docker's driver."""
    logs = account.client("logs")
    for instance, worker in region.workers.items():
        found = logs.get_log_events(
            logGroupName=account.names.log_group, logStreamName=f"{run}/worker-{worker}/{instance}", startFromHead=True
        )
        assert found["events"] != [], f"worker {worker} on {instance}"
