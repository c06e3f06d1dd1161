"""Runs a fleet from launch to end with Spot interruptions, and checks the result."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pdfbatch.records import DoneMark, RunKeys
from pdfbatch.runs import ledger
from pdfbatch.runs.progress import RunStatus
from pdfbatch.runs.record_reader import heartbeats
from pdfbatch.runs.sessions import sessions_of
from pdfbatch.store import S3Store
from samples.many import many_pdfs
from tests.fleet.machine.region import Region
from tests.program import Program

DOCUMENTS = 40
WORKERS = 3
LOST = 2
POLL_SECONDS = 0.3


@dataclass
class Loss:
    """A machine that AWS will take: notice is given when its worker has published `after` documents."""

    worker: int
    after: int
    instance: str = ""
    """Of the machine that was given notice."""


class Story:
    """`program` runs the commands. `seconds`: how long all of it may take. `columns`: of the screens of `status` that
    are kept in `folder`."""

    def __init__(
        self, region: Region, program: Program, folder: Path, seconds: float, columns: Sequence[int] = ()
    ) -> None:
        self.region = region
        self.account = region.account
        self.bucket = self.account.bucket()
        self.source, self.output = f"s3://{self.bucket}/in/", f"s3://{self.bucket}/out/"
        self.store = S3Store(self.bucket, "out/")
        self.seen: list[tuple[str, RunStatus]] = []
        self._program = program
        self._folder = folder
        self._columns = columns
        self._began = time.monotonic()
        self._until = self._began + seconds

    def pdfbatch(self, *words: str, columns: int = 100) -> str:
        done = self._program(*words, COLUMNS=str(columns), AWS_ENDPOINT_URL=self.account.endpoint)
        assert done.returncode == 0, f"pdfbatch {' '.join(words)} ended with {done.returncode}:\n{done.stderr}"
        return done.stdout

    def upload(self, folder: Path, pages: int, documents: int = DOCUMENTS) -> None:
        for path in many_pdfs(folder, documents, pages=pages, lines=20):
            self.account.client("s3").upload_file(str(path), self.bucket, f"in/{path.name}")

    def launch(self, *options: str, workers: int = WORKERS) -> str:
        """The run."""
        command = ("launch", self.source, self.output, "--workers", str(workers), "--engine", "cpu")
        run: str = json.loads(self.pdfbatch(*command, *options, "--yes", "--json"))["run"]
        self.keys = RunKeys(run)
        return run

    def look(self, stage: str) -> RunStatus:
        """What `status` says now, which must never be ahead of the facts."""
        status = RunStatus.model_validate_json(self.pdfbatch("status", self.output, "--json"))
        print(f"{time.monotonic() - self._began:5.1f} s {stage}: " + ", ".join(w.state for w in status.workers))
        assert status.documents.done <= len(self.published())
        for columns in self._columns:
            screen = self.pdfbatch("status", self.output, columns=columns)
            (self._folder / f"{len(self.seen):02d} {stage} ({columns} columns).txt").write_text(screen)
        self.seen.append((stage, status))
        return status

    def lose_machines(self, seed: int) -> list[Loss]:
        """Interrupts the instances of two workers at moments given by `seed`."""
        chance = random.Random(seed)
        losses = [Loss(worker, chance.randint(1, 3)) for worker in chance.sample(range(WORKERS), LOST)]
        print(f"seed {seed}: {losses}")
        left = list(losses)
        while left:
            for loss in list(left):
                if not loss.instance:
                    self._maybe_notice(loss)
                elif self._has_drained(loss):
                    self.look(f"worker {loss.worker} drained")
                    self.region.take(loss.instance)
                    self.look(f"worker {loss.worker} taken")
                    left.remove(loss)
            self._pause("the machines that are to be taken", lambda: str(left))
        return losses

    def _maybe_notice(self, loss: Loss) -> None:
        mine = [number for number in self.published() if number % WORKERS == loss.worker]
        if len(mine) >= loss.after:
            loss.instance = self.region.machine_of(loss.worker)
            self.region.give_notice(loss.instance)
            self.look(f"worker {loss.worker} has notice")

    def _has_drained(self, loss: Loss) -> bool:
        """Its worker has ended, and its boot script has nothing left to do but to wait."""
        if not list(self.store.list(self._boot_log(loss.worker, loss.instance))):
            return False
        mark = DoneMark.model_validate_json(self.store.get(self.keys.done_mark(loss.worker)))
        assert mark.why == "interrupted", f"worker {loss.worker} was too quick to be interrupted: {mark}"
        return True

    def _boot_log(self, worker: int, instance: str) -> str:
        return f"{self.keys.boot_logs_of(worker)}{instance}.log"

    def wait_for(self, what: str, is_so: Callable[[], bool]) -> None:
        while not is_so():
            self._pause(what, lambda: "")

    def _pause(self, what: str, detail: Callable[[], str]) -> None:
        assert time.monotonic() < self._until, f"waited too long for {what} {detail()}"
        time.sleep(POLL_SECONDS)

    def published(self) -> list[int]:
        """Numbers of the documents whose Markdown is there; number N is in slice N modulo WORKERS."""
        keys = [entry.key for entry in self.store.list("doc-")]
        return [int(key.removeprefix("doc-").removesuffix(".md")) for key in keys if key.endswith(".md")]

    def boots(self) -> list[str]:
        return [entry.key for entry in self.store.list(self.keys.boots)]

    def fleet_states(self) -> list[str]:
        fleets = self.account.client("ec2").describe_fleets()["Fleets"]
        return [fleet["FleetState"] for fleet in fleets]

    # ── what must hold at the end ────────────────────────────────────────────────────────────────────────────────

    def check_documents(self, pages: int) -> None:
        """Each document has its Markdown and one outcome, and each page was read once."""
        assert sorted(self.published()) == list(range(DOCUMENTS))
        outcomes = [outcome for _, outcome in ledger.outcomes(self.store, ledger.segments(self.store))]
        assert Counter(outcome.key for outcome in outcomes) == {f"doc-{n:05d}.pdf": 1 for n in range(DOCUMENTS)}
        assert {outcome.outcome for outcome in outcomes} == {"ok"}
        assert sum(outcome.pages for outcome in outcomes) == DOCUMENTS * pages
        machines = [life for beat in heartbeats(self.store, self.keys) for life in sessions_of(beat)]
        assert sum(life.pages for life in machines) == DOCUMENTS * pages, "no page was read twice"
        self.pdfbatch("verify", self.output)

    def check_machines(self, losses: Sequence[Loss]) -> None:
        """Checks that lost instances were replaced, left boot records and logs, and deleted their fleets."""
        assert len(self.region.machines) == len(self.boots()) == WORKERS + LOST
        for instance, worker in self.region.workers.items():
            assert [key for key in self.boots() if f"worker-{worker}/" in key and instance in key] != []
            log = self.store.get(self._boot_log(worker, instance)).decode()
            was_lost = instance in {loss.instance for loss in losses}
            assert ("interrupted: waiting for AWS" if was_lost else "this slice is finished") in log
        for worker in range(WORKERS):
            assert list(self.store.list(self.keys.strikes_of(worker))) == []
        deleted = [fleet for call in self.account.calls("DeleteFleets") for fleet in call["parameters"]["FleetIds"]]
        assert len(set(deleted)) == len(deleted) == WORKERS
        assert {state.split("_")[0] for state in self.fleet_states()} == {"deleted"}

    def check_end(self) -> None:
        """Checks that one message reported the end, and that `status` shows it."""
        [message] = self.account.messages()
        assert f"{DOCUMENTS} of {DOCUMENTS} documents done" in message["Subject"]
        status = self.look("the end")
        assert status.state == "done"
        assert (status.documents.ok, status.documents.total) == (DOCUMENTS, DOCUMENTS)
        assert sum(worker.respawns for worker in status.workers) == LOST
        assert {worker.state for worker in status.workers} == {"done"}
        assert status.dollars is not None and status.dollars > 0
