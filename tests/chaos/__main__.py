"""`make chaos`: many stories, each a run under random faults, checked against what must hold.

    python -m tests.chaos --stories 1000 [--first 0] [--jobs 2] [--plant REGEX] [--only rival]

`--plant`: the S3 server ignores the conditions of writes to keys that match: a bug that the check must find.
A failing story is printed with its seed; `--first SEED --stories 1` runs it alone.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from tests.chaos.nursery import Nursery
from tests.chaos.pool import make_pool
from tests.chaos.server import ChaosServer
from tests.chaos.story import Abilities, Ended, Story
from tests.chaos.workers import can_fill_a_disk, can_jump
from tests.program import NO_ACCOUNT


class Result(NamedTuple):
    seed: int
    ended: Ended
    log: str


def stories(seeds: range, plant: str = "", only: str = "") -> Iterator[Result]:
    """Tells stories one after the other."""
    can = Abilities(can_jump(), can_fill_a_disk())
    with (
        tempfile.TemporaryDirectory(prefix="pdfbatch-chaos-") as name,
        ChaosServer(0, ignores_conditions=plant) as server,
    ):
        folder = Path(name)
        with _environment(server.url, folder):
            pool = make_pool(folder / "pool", os.environ)
            with Nursery() as nursery:
                for seed in seeds:
                    place = folder / str(seed)
                    place.mkdir()
                    ended = Story(seed, server, nursery, pool, place, can, only).run()
                    log = place / "log"
                    yield Result(seed, ended, log.read_text(errors="replace") if ended.wrong and log.exists() else "")


@contextmanager
def _environment(url: str, folder: Path) -> Iterator[None]:
    (folder / "pool").mkdir()
    (folder / "tmp").mkdir()
    known = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PDFBATCH_"))}
    wanted = known | NO_ACCOUNT | {"AWS_ENDPOINT_URL": url, "TMPDIR": str(folder / "tmp")}
    with mock.patch.dict(os.environ, wanted, clear=True):
        yield


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--stories", type=int, default=60)
    asked.add_argument("--first", type=int, default=0)
    asked.add_argument("--jobs", type=int, default=1)
    asked.add_argument("--plant", default="", metavar="REGEX")
    asked.add_argument("--only", default="", choices=["rival"])
    wish = asked.parse_args()
    if wish.jobs > 1:
        return _in_processes(wish)
    began, wrong, documents, lives = time.monotonic(), 0, 0, 0
    events = Counter[str]()
    for result in stories(range(wish.first, wish.first + wish.stories), wish.plant, wish.only):
        events += result.ended.events
        documents, lives = documents + result.ended.documents, lives + result.ended.lives
        if result.ended.wrong:
            wrong += 1
            print(f"story {result.seed} ({dict(result.ended.events)}):", *result.ended.wrong, sep="\n  ", flush=True)
            print(*result.log.splitlines()[-12:], sep="\n    ", flush=True)
    print(f"{wish.stories} stories, {documents} documents, {lives} processes, {time.monotonic() - began:.0f} s")
    print("faults: " + ", ".join(f"{count} {name}" for name, count in events.most_common()))
    print(f"wrong: {wrong}")
    return 1 if wrong else 0


def _in_processes(wish: argparse.Namespace) -> int:
    """Shares the stories among processes, each with a server of its own."""
    each = -(-wish.stories // wish.jobs)

    def share(job: int) -> int:
        first = wish.first + job * each
        count = max(0, min(each, wish.first + wish.stories - first))
        command = [sys.executable, "-m", "tests.chaos", "--first", str(first), "--stories", str(count)]
        only = ["--only", wish.only] if wish.only else []
        return subprocess.run([*command, "--plant", wish.plant, *only], check=False).returncode

    with ThreadPoolExecutor(wish.jobs) as threads:
        return max(threads.map(share, range(wish.jobs)))


if __name__ == "__main__":
    sys.exit(main())
