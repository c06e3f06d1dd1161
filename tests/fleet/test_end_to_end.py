"""A fleet from `launch` to its own deletion: 40 PDFs, 3 workers, two Spot interruptions at random moments.

Real: the commands, the user data they write, run by bash; the `aws` it calls; the workers, their children and what they
write; metadata services with their notices. Simulated: AWS (aws_server.py), containers and shutdown
(machine/processes.py). `make check-fleet` runs the same with Docker, in machine/test_on_docker.py.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pdfbatch.runs.pool import load_pool
from pdfbatch.runs.verify import verify
from tests.fleet.conftest import Account
from tests.fleet.machine.processes import ProcessMachine
from tests.fleet.machine.region import Region
from tests.fleet.machine.story import Story
from tests.fleet.machine.warm_aws import warm_aws
from tests.program import Program

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="machines of the fleet run Linux"),
]
PAGES = 3
POOLED = 10
"""Documents of the pool."""
STRIKES = 5
SECONDS = 180


@pytest.fixture(scope="module")
def aws() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="aws") as path, warm_aws(Path(path)) as address:
        yield address


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: sockets of the workers' children lie below it, and their addresses are limited."""
    with tempfile.TemporaryDirectory(prefix="fleet") as path:
        yield Path(path)


@pytest.fixture
def story(account: Account, pdfbatch: Program, aws: Path, folder: Path, tmp_path: Path) -> Story:
    """In a region of machines that are processes."""
    region = Region(account.ready(), lambda row: ProcessMachine(row, folder / row["instance"], aws))
    return Story(region, pdfbatch, tmp_path, SECONDS)


def test_forty_documents_survive_two_interruptions_and_the_fleet_deletes_itself(story: Story, tmp_path: Path) -> None:
    with story.region as region:
        story.upload(tmp_path / "pdfs", PAGES)
        story.launch()
        story.wait_for("the first machine", lambda: story.boots() != [])
        losses = story.lose_machines(random.randrange(1000))
        story.wait_for("the end of the fleets", lambda: region.account.instances() == [])
    story.check_documents(PAGES)
    story.check_machines(losses)
    story.check_end()


def give_up(story: Story, folder: Path) -> None:
    """Boots the sixth instance of a fleet of one, after five that made no progress."""
    story.upload(folder / "pdfs", 1, documents=1)
    story.launch(workers=1)
    for number in range(STRIKES):
        story.store.put(f"{story.keys.strikes_of(0)}20261125T19450{number}Z_i-{number}", b"")
    with story.region as region:
        story.wait_for("the end of the machine", lambda: region.machines != {} and region.account.instances() == [])


def test_a_fleet_whose_instances_make_no_progress_gives_up(story: Story, account: Account, tmp_path: Path) -> None:
    give_up(story, tmp_path)
    assert set(story.fleet_states()) <= {"deleted_terminating", "deleted"}
    first, last = account.messages()
    assert first["Subject"].endswith("worker-0 gave up")
    assert last["Subject"].endswith("all workers have ended")
    status = story.look("the end")
    assert (status.state, status.workers[0].state) == ("failed", "failed")
    assert "5 instances in a row made no progress" in status.workers[0].detail


def test_a_fleet_that_its_instance_may_not_delete_gets_a_target_capacity_of_0(
    story: Story, account: Account, tmp_path: Path
) -> None:
    account.order("faults", [{"action": "DeleteFleets", "code": "UnauthorizedOperation", "status": 403, "times": 99}])
    give_up(story, tmp_path)
    assert len(story.region.machines) == 1
    [fleet] = account.client("ec2").describe_fleets()["Fleets"]
    assert fleet["TargetCapacitySpecification"]["TotalTargetCapacity"] == 0


def test_a_pool_is_scaled_while_it_runs_and_deletes_its_fleets_and_queues(
    story: Story, account: Account, tmp_path: Path
) -> None:
    with story.region:
        story.upload(tmp_path / "pdfs", 1, documents=POOLED)
        run = story.launch("--pool", "--engine", "null", workers=1)
        pool = load_pool(story.store, run)
        assert pool is not None and account.client("sqs").list_queues(QueueNamePrefix="pdfbatch_")["QueueUrls"]
        story.wait_for("the first machine", lambda: story.boots() != [])
        assert "added: 1" in story.pdfbatch("scale", story.output, "--workers", "2", "--yes")
        story.wait_for("the end of the fleets", lambda: account.instances() == [])
    status = story.look("the end")
    assert (status.state, status.documents.done, len(status.workers)) == ("done", POOLED, 2)
    assert (
        status.pool is not None and status.pool.finished == status.pool.blocks and status.pool.registry == {"ended": 2}
    )
    assert sorted(story.published()) == list(range(POOLED))
    assert "pdfbatch_" not in str(account.client("sqs").list_queues().get("QueueUrls")), "the last worker deleted them"
    assert verify(story.store).sound
