"""`make chaos`: many stories, each a run under random faults, checked against what must hold.

    python -m tests.chaos --stories 1000 [--first 0] [--jobs 2] [--plant REGEX] [--only rival] [--short]

`--plant`: the S3 server ignores the conditions of writes to keys that match: a bug that the check must find.
`--short`: less trouble in each story, in a third of the time.
A failing story is printed with its seed; `--first SEED --stories 1` runs it alone.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from tests.chaos.nursery import Loaded, Nursery
from tests.chaos.pool import Pool, make_pool
from tests.chaos.server import ChaosServer
from tests.chaos.story import Ended, Story, Wish
from tests.chaos.workers import can_fill_a_disk
from tests.program import NO_ACCOUNT

TOLD_EVERY = 50


class Result(NamedTuple):
    seed: int
    ended: Ended
    log: str


class Stage(NamedTuple):
    """What one process needs to play stories, one after the other."""

    server: ChaosServer
    nursery: Nursery
    pool: Pool
    folder: Path
    fills: bool
    """Whether it can fill a disk."""
    wish: Wish

    def play(self, seed: int) -> Result:
        place = self.folder / str(seed)
        place.mkdir()
        ended = Story(seed, self.server, self.nursery, self.pool, place, self.fills, self.wish).run()
        log = place / "log"
        return Result(seed, ended, log.read_text(errors="replace") if ended.wrong and log.exists() else "")


_stage: list[Stage] = []
"""The stage of this process."""


def stories(seeds: range, jobs: int, plant: str, wish: Wish) -> Iterator[Result]:
    """Plays stories in some processes, each with a server of its own."""
    fills = can_fill_a_disk()
    with tempfile.TemporaryDirectory(prefix="pdfbatch-chaos-") as name:
        folder = Path(name)
        for part in ("pool", "tmp"):
            (folder / part).mkdir()
        os.environ.update(NO_ACCOUNT)
        pool = make_pool(folder / "pool", os.environ)
        jobs = min(jobs, len(seeds))
        with ExitStack() as stack:
            for_each = (folder, stack.enter_context(Loaded()).address, pool, fills, plant, wish)
            with ProcessPoolExecutor(jobs, get_context("fork"), initializer=_set, initargs=for_each) as processes:
                yield from processes.map(_play, seeds)


def _set(folder: Path, address: str, pool: Pool, fills: bool, plant: str, wish: Wish) -> None:
    server = ChaosServer(0, ignores_conditions=plant).__enter__()
    os.environ.update({"AWS_ENDPOINT_URL": server.url, "TMPDIR": str(folder / "tmp")})
    _stage.append(Stage(server, Nursery(address).__enter__(), pool, folder, fills, wish))


def _play(seed: int) -> Result:
    return _stage[0].play(seed)


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--stories", type=int, default=60)
    asked.add_argument("--first", type=int, default=0)
    asked.add_argument("--jobs", type=int, default=1)
    asked.add_argument("--plant", default="", metavar="REGEX")
    asked.add_argument("--only", default="", choices=["rival"])
    asked.add_argument("--short", action="store_true")
    given = asked.parse_args()
    for name in [name for name in os.environ if name.startswith(("AWS_", "PDFBATCH_"))]:
        del os.environ[name]
    wish = Wish(given.only, given.short)
    seeds = range(given.first, given.first + given.stories)
    began, wrong, documents, lives = time.monotonic(), 0, 0, 0
    events = Counter[str]()
    for told, result in enumerate(stories(seeds, given.jobs, given.plant, wish), 1):
        events += result.ended.events
        documents, lives = documents + result.ended.documents, lives + result.ended.lives
        if result.ended.wrong:
            wrong += 1
            print(f"story {result.seed} ({dict(result.ended.events)}):", *result.ended.wrong, sep="\n  ", flush=True)
            print(*result.log.splitlines()[-12:], sep="\n    ", flush=True)
        if told % TOLD_EVERY == 0 or told == given.stories:
            print(f"{told} stories, {documents} documents, {lives} processes, {time.monotonic() - began:.0f} s")
            print("faults: " + ", ".join(f"{count} {name}" for name, count in events.most_common()))
            print(f"wrong: {wrong}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
