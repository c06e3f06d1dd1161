"""A fleet from `launch` to its own end: 40 PDFs, 3 workers, two machines taken by AWS at moments left to chance.

Real: the commands, the user data they write, run by bash; the `aws` it calls; the workers, their children and what they
write; metadata services with their notices. Simulated: AWS (aws_server.py), containers and shutdown
(machine/processes.py). `make check-fleet` tells the same story with Docker, in machine/test_on_docker.py.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.fleet.conftest import Account
from tests.fleet.machine.processes import ProcessMachine
from tests.fleet.machine.region import Region
from tests.fleet.machine.story import Story

pytestmark = pytest.mark.slow
PAGES = 4
SECONDS = 180


def test_forty_documents_survive_two_interruptions_and_the_fleet_ends_itself(account: Account, tmp_path: Path) -> None:
    account.ready()
    with Region(account, lambda row: ProcessMachine(row, tmp_path / row["instance"])) as region:
        story = Story(region, tmp_path, SECONDS)
        story.upload(tmp_path / "pdfs", PAGES)
        story.launch()
        story.wait_for("the first machine", lambda: story.boots() != [])
        losses = story.lose_machines(random.randrange(1000))
        story.wait_for("the end of the fleets", lambda: account.instances() == [])
    story.check_documents(PAGES)
    story.check_machines(losses)
    story.check_end()
