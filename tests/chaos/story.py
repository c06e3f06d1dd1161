"""One story: a run by several workers, everything that can happen to it on a throw of dice, and its end."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import boto3

from pdfbatch.records import CURRENT_RUN_KEY, CurrentRun, DoneMark, Heartbeat, ReadOptions, RunKeys
from pdfbatch.runs.liveness import has_ended
from pdfbatch.runs.partition import Slice
from pdfbatch.store import S3Store, open_store
from tests.chaos.model import faults_of
from tests.chaos.nursery import Born, Nursery
from tests.chaos.pool import FEW, Pool
from tests.chaos.server import Bucket, ChaosServer, Rates
from tests.chaos.sink import FAILURES, lost_events
from tests.chaos.workers import Circumstances, Kind, Worker, environment_of, words_of
from tests.delivery.receiver import KEY, Receiver, receiving
from tests.imds import Imds
from tests.worker.begun import begin_at

URL = "s3://chaos/"
TROUBLE_SECONDS = (0.5, 3.5)
"""How long the trouble lasts at least; the workers need about 2 s without."""
TROUBLE_REQUESTS = (20, 120)
MOST_SECONDS = 10.0
"""It also lasts for some requests, so that there is enough of it on a busy computer, but no longer than this."""
END_SECONDS = 90.0
"""After the trouble, a run that is not done by then has failed."""
TICK_SECONDS = 0.02


class Wish(NamedTuple):
    """What the stories are to be. `only`: the one event that happens, "rival"; "" for all. `short`: the trouble lasts
    only its seconds, however few requests there are."""

    only: str = ""
    short: bool = False


class Ended(NamedTuple):
    """What a story comes to: what is wrong, and what happened in it."""

    wrong: list[str]
    events: Counter[str]
    documents: int
    lives: int
    seconds: float


class Story:
    """A story with its own dice: the same seed throws the same events, though not at the same instant."""

    def __init__(
        self,
        seed: int,
        server: ChaosServer,
        nursery: Nursery,
        pool: Pool,
        folder: Path,
        can_fill_a_disk: bool,
        wish: Wish,
    ) -> None:
        self.dice = random.Random(seed)
        self.server = server
        self.nursery = nursery
        self.pool = pool
        self.folder = folder
        self.can_fill_a_disk = can_fill_a_disk
        self.wish = wish
        self.events = Counter[str]()
        self.read_once = True
        self.keys = self._documents()
        self.kind = Kind(self.dice.random() < 0.5 and not wish.only, self.dice.choice([1, 2, 2, 3]))
        self.receiver: Receiver | None = None
        """Of its events; half of the stories have one. Its dice are its own: the others are thrown as without."""
        self.has_sink = random.Random(f"sink {seed}").random() < 0.5 and not wish.only
        self.workers: list[Worker] = []
        self.others: list[Born] = []

    def run(self) -> Ended:
        began = time.monotonic()
        server = self.server
        server.dice.seed(self.dice.random())
        server.bucket, server.rates = Bucket(), Rates(latency=0.002)
        for key in self.keys:
            server.bucket.put(f"in/{key}", self.pool.pdfs[key])
        with ExitStack() as stack:
            stack.callback(self._end)
            self._start(stack)
            self._trouble()
            wrong = self._calm_down()
            output = S3Store("chaos", "out/", boto3.client("s3", endpoint_url=server.url))
            if self.receiver is not None:
                self.events["event delivered in time"] += len(set(self.receiver.ids))
                wrong += lost_events(output, self.receiver)
        wrong += faults_of(output, server.bucket, self.pool, self.keys, read_once=self.read_once)
        lives = sum(worker.lives for worker in self.workers)
        self.events += server.bucket.faults
        return Ended(wrong, self.events, len(self.keys), lives, time.monotonic() - began)

    def _documents(self) -> list[str]:
        keys = list(self.pool.pdfs)
        few, many = keys[:FEW], keys[FEW:]
        return [key for key in few if self.dice.random() < 0.5] + self.dice.sample(many, self.dice.randint(3, 10))

    def _start(self, stack: ExitStack) -> None:
        run, sinks, key = "", list[str](), dict[str, str]()
        if self.has_sink:
            self.receiver = stack.enter_context(receiving())
            sinks, key = [self.receiver.url], {"PDFBATCH_EVENTS_KEY": KEY}
        if self.kind.is_fleet:
            source, output = open_store(f"{URL}in/"), open_store(f"{URL}out/")
            part = Slice(0, self.kind.workers)
            run = begin_at(source, output, "null", ReadOptions(), part, sinks).manifest.run
        for number in range(self.kind.workers):
            imds = stack.enter_context(Imds()) if self.kind.is_fleet else None
            environment = environment_of(self.kind, number, run, imds) | key
            words = words_of(self.kind, number, URL, sinks)
            self.workers.append(Worker(number, words, environment, imds, self.nursery))

    # ── trouble ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _trouble(self) -> None:
        self.server.rates = self._rates()
        if self.receiver is not None:
            self.receiver.failing = FAILURES
        began = time.monotonic()
        seconds = self.dice.uniform(*TROUBLE_SECONDS)
        requests = 0 if self.wish.short else self.dice.randint(*TROUBLE_REQUESTS)
        following = began + self.dice.uniform(0.2, 1.5)
        while (passed := time.monotonic() - began) < seconds or (
            passed < MOST_SECONDS and self.server.bucket.requests.total() < requests
        ):
            for worker in self.workers:
                worker.look(self.dice, self.folder / "log", self._finished_in, self._circumstances)
            if time.monotonic() >= following:
                self.dice.choice(self._possible())(self.dice.choice(self.workers))
                following = time.monotonic() + self.dice.uniform(0.05, 0.8)
            time.sleep(TICK_SECONDS)

    def _rates(self) -> Rates:
        if self.dice.random() < 0.3:
            return Rates(latency=self.dice.choice([0.0, 0.02]))
        most = self.dice.choice([0.02, 0.08])
        kinds = {name: self.dice.uniform(0, most) for name in ("refused", "reset", "lost", "cut")}
        return Rates(**kinds, hang=self.dice.choice([0.0, 0.01]), latency=self.dice.choice([0.0, 0.01, 0.03]))

    def _possible(self) -> list[Callable[[Worker], None]]:
        if self.wish.only == "rival":
            return [self._rival]
        always = [self._kill, self._kill, self._kill, self._terminate, self._freeze, self._second_launch]
        return [*always, self._notice] if self.kind.is_fleet else [*always, self._rival]

    def _count(self, event: str, happened: bool = True) -> None:
        self.events[event] += happened

    def _kill(self, worker: Worker) -> None:
        self._count("kill -9", worker.signal(signal.SIGKILL))

    def _terminate(self, worker: Worker) -> None:
        self._count("SIGTERM", worker.signal(signal.SIGTERM))

    def _notice(self, worker: Worker) -> None:
        self._count("Spot notice", worker.notice())

    def _freeze(self, worker: Worker) -> None:
        if worker.signal(signal.SIGSTOP):
            self._count("SIGSTOP")
            time.sleep(self.dice.uniform(0.1, 0.6))
            worker.signal(signal.SIGCONT)

    def _second_launch(self, worker: Worker) -> None:
        """Starts the same worker again while it runs; it must refuse."""
        if worker.is_running:
            self._count("second launch")
            self.others.append(self.nursery.start(worker.words, worker.environment, self.folder / "log"))

    def _rival(self, _: Worker) -> None:
        """A worker started by hand, without the run, converts everything at the same time."""
        if any(other.poll() is None for other in self.others):
            return
        self._count("rival")
        self.read_once = False
        with Imds() as imds:
            environment = environment_of(Kind(True, 1), 0, "", imds) | {"AWS_EC2_METADATA_DISABLED": "true"}
        environment |= {"PDFBATCH_ENGINE": "null", "PDFBATCH_INSTANCE": ""}
        self.others.append(self.nursery.start(["worker"], environment, self.folder / "log"))

    def _circumstances(self) -> Circumstances:
        thrown = self.dice.random()
        if self.wish.only:
            return Circumstances()
        if thrown < 0.15:
            self._count("clock jump")
            return Circumstances(jump=self.dice.choice([-2, 2, -24]))
        if self.can_fill_a_disk and thrown > 0.9:
            self._count("full disk")
            return Circumstances(small_disk=self.folder / "small")
        return Circumstances()

    def _finished_in(self, worker: int) -> tuple[str, bool]:
        """The current run, "" if there is none, and whether the worker's last process in it wrote its done mark."""
        objects = self.server.bucket.objects
        current = objects.get(f"out/{CURRENT_RUN_KEY}")
        if current is None:
            return "", False
        run = CurrentRun.model_validate_json(current.data).run
        beat, mark = (
            objects.get(f"out/{key}") for key in (RunKeys(run).heartbeat(worker), RunKeys(run).done_mark(worker))
        )
        if beat is None or mark is None:
            return run, False
        ended = DoneMark.model_validate_json(mark.data)
        return run, ended.why == "done" and has_ended(Heartbeat.model_validate_json(beat.data), ended)

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _calm_down(self) -> list[str]:
        """Ends the trouble and lets every worker finish; returns what is wrong with that."""
        self.server.rates = Rates()
        if self.receiver is not None:
            self.receiver.failing = 0.0
        for other in self.others:
            try:
                other.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                return ["a second process does not end"]
        if self.dice.random() < 0.2:
            self._down()
        deadline = time.monotonic() + END_SECONDS
        while time.monotonic() < deadline:
            were_done = all(worker.is_done for worker in self.workers)
            for worker in self.workers:
                worker.look(self.dice, self.folder / "log", self._finished_in)
            if were_done and all(worker.is_done for worker in self.workers):
                return []
            time.sleep(TICK_SECONDS)
        return [f"not done after {END_SECONDS:.0f} s: exit codes {[worker.exits[-5:] for worker in self.workers]}"]

    def _down(self) -> None:
        """Stops all workers at once, as `down` does; they are started again."""
        self._count("all stopped")
        for worker in self.workers:
            worker.signal(signal.SIGTERM)

    def _end(self) -> None:
        for worker in self.workers:
            worker.end()
        for other in self.others:
            if other.poll() is None:
                os.kill(other.pid, signal.SIGKILL)
                other.wait()
