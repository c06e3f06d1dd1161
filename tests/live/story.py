"""One small run in a real account, and what to observe on the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pdfbatch.fleet.names import TAG_RUN, TAG_STACK, TAG_WORKER, Names
from pdfbatch.records import Boot, RunKeys
from pdfbatch.runs import progress
from pdfbatch.runs.sessions import sessions_of
from pdfbatch.store import Store, open_store
from pdfbatch.worker.metrics import NAMESPACE
from samples.many import many_pdfs
from tests.live import looks
from tests.live.account import Account, IdleFleet
from tests.live.looks import Look
from tests.live.permission import Permission

T = TypeVar("T")
DOCUMENTS, PAGES = 60, 6
"""Per worker: enough for some minutes of work on a T4, in which one interruption fits."""
HOURS = "2"
MINUTE = 60.0
POLL_SECONDS = 10.0
RIGHTS_SECONDS = 15.0
"""A new role's permissions take effect a little after its creation."""
FLEET_TAG = "aws:ec2:fleet-id"


class BrokenOffError(Exception):
    """The run cannot continue; earlier observations are kept."""


class Story:
    """Collects `looks` during the run; `ends` removes what was created."""

    def __init__(self, permission: Permission, ends: ExitStack, tell: Callable[[str], None]) -> None:
        self.permission, self.ends, self.tell = permission, ends, tell
        self.began = datetime.now(UTC)
        stamp = self.began.strftime("%Y%m%dt%H%M%S")
        self.account = Account(Names.checked(permission.stack), stamp)
        self.source, self.output = (f"{permission.place}live-{stamp}/{part}/" for part in ("in", "out"))
        self.store: Store = open_store(self.output)
        self.looks: list[Look] = []
        self.refusals: list[str] = []
        self.commands = 0
        self._launcher = ""

    def go(self) -> None:
        """Runs the fleet and observes it until its end.

        Raises:
            BrokenOffError: the fleet cannot be launched, or does not end in time.
        """
        self.tell(f"account {self.account.number}, {self.account.region}; at most ${self.permission.dollars:.2f}")
        idle = self.account.idle_fleet(self.ends)
        with ThreadPoolExecutor(1) as watch:
            expired = watch.submit(self._watch_expiry, idle)
            try:
                self._with_a_fleet()
            finally:
                self.looks.append(looks.policy(self.refusals, self.commands))
                self.looks.append(expired.result())

    def _with_a_fleet(self) -> None:
        self._upload()
        places = ("--input", self.source, "--output", self.output, "--stack", self.permission.stack)
        self._launcher = self.account.launcher(self._pdfbatch("doctor", "--policy", *places), self.ends)
        time.sleep(RIGHTS_SECONDS)
        launched = self._launch()
        self.keys, fleet = RunKeys(launched["run"]), launched["fleets"]["0"]
        early = self._refusal_of("logs", self.output)
        first = self._wait_for("the first instance", 20, self._first_instance)
        self._see_instance(first)
        self._wait_for("the first document", 40, lambda: self._documents("done"))
        console = self.account.console(first["InstanceId"])
        self.tell(f"{first['InstanceId']} gets its notice")
        taken = self.account.give_notice(first["InstanceId"], self.ends)
        self._see_logs(early)
        self._wait_for("the end of the run", 90, lambda: self._status()["state"] in ("done", "failed"))
        self._wait_if_it_comes("the end of the fleet", 10, lambda: self.account.fleet_state(fleet) != "active")
        self.looks.append(looks.history(self.account.history(fleet, self.began)))
        self._see_reading(first["InstanceId"], taken, console)
        self._see_own_end(fleet)

    # ── do ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _upload(self) -> None:
        source = open_store(self.source)
        with tempfile.TemporaryDirectory() as folder:
            for path in many_pdfs(Path(folder), self._number_of_documents(), pages=PAGES, lines=20):
                source.put(path.name, path.read_bytes())

    def _number_of_documents(self) -> int:
        return DOCUMENTS * self.permission.workers

    def _launch(self) -> Any:
        """Launches with the printed policy alone; `down` always has the user's own permissions."""
        self.ends.callback(self._run, ("down", self.output, "--yes"), {})
        limits = ("--max-cost", f"{self.permission.fleet_dollars:.2f}", "--max-hours", HOURS)
        crowd = ("--workers", str(self.permission.workers), "--stack", self.permission.stack)
        return json.loads(self._pdfbatch("launch", self.source, self.output, *crowd, *limits, "--yes", "--json"))

    def _pdfbatch(self, *words: str) -> str:
        """What the command prints, as the launcher once there is one."""
        done = self._run(words, self.account.acting_as(self._launcher) if self._launcher else {})
        if done.returncode != 0:
            self.refusals.append(f"{words[0]}: {' '.join(done.stderr.split()[-60:])}")
            raise BrokenOffError(f"pdfbatch {words[0]} ended with {done.returncode}:\n{done.stderr}")
        self.commands += bool(self._launcher)
        return done.stdout

    def _refusal_of(self, *words: str) -> str:
        try:
            self._pdfbatch(*words)
        except BrokenOffError:
            return self.refusals.pop()
        return ""

    def _run(self, words: tuple[str, ...], credentials: dict[str, str]) -> subprocess.CompletedProcess[str]:
        if words[0] != "status":
            self.tell(f"$ pdfbatch {' '.join(words)}")
        own = {name: value for name, value in os.environ.items() if not (credentials and name == "AWS_PROFILE")}
        command = [sys.executable, "-m", "pdfbatch.cli", *words]
        return subprocess.run(command, env=own | credentials, capture_output=True, text=True, check=False)

    def _wait_for(self, what: str, minutes: float, look: Callable[[], T | None]) -> T:
        self.tell(f"waiting for {what}, at most {minutes:.0f} minutes")
        until = time.monotonic() + minutes * MINUTE
        while not (found := look()):
            if time.monotonic() > until:
                raise BrokenOffError(f"{what} did not come within {minutes:.0f} minutes")
            time.sleep(POLL_SECONDS)
        return found

    def _wait_if_it_comes(self, what: str, minutes: float, look: Callable[[], T | None]) -> T | None:
        try:
            return self._wait_for(what, minutes, look)
        except BrokenOffError as error:
            self.tell(str(error))
            return None

    # ── look ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _status(self) -> Any:
        return json.loads(self._run(("status", self.output, "--json"), {}).stdout)

    def _documents(self, outcome: str) -> int:
        return int(self._status()["documents"][outcome])

    def _first_instance(self) -> Any:
        of_worker = ((f"tag:{TAG_RUN}", self.keys.run), (f"tag:{TAG_WORKER}", "0"), ("instance-state-name", "running"))
        return next(iter(self.account.instances(*of_worker)), None)

    def _see_instance(self, described: Any) -> None:
        ec2, name = self.account.client("ec2"), described["InstanceId"]
        asked = ec2.describe_instance_attribute(InstanceId=name, Attribute="instanceInitiatedShutdownBehavior")
        on_shutdown = asked["InstanceInitiatedShutdownBehavior"]["Value"]
        self.looks.append(looks.instance(described, on_shutdown, {TAG_STACK, TAG_RUN, TAG_WORKER, FLEET_TAG}))
        default = self.account.default_disk_key()
        self.looks.append(looks.disk_key(*default, self.account.disk_of(name), self.account.own_disk_key()))

    def _see_logs(self, early: str) -> None:
        time.sleep(3 * MINUTE)  # metrics come with the next minute's line, and CloudWatch takes its time
        lines = self._pdfbatch("logs", self.output).splitlines()
        metrics = self.account.client("cloudwatch").list_metrics(Namespace=NAMESPACE, RecentlyActive="PT3H")["Metrics"]
        self.looks.append(looks.logs_and_metrics(early, len(lines), [each["MetricName"] for each in metrics]))

    def _boots(self) -> list[Boot]:
        return [boot for boot in progress.boots(self.store, self.keys) if boot.worker == 0]

    def _boot_log(self, instance: str) -> str:
        entries = self.store.list(self.keys.boot_logs_of(0))
        found = [self.store.get(entry.key).decode("utf-8", "replace") for entry in entries if instance in entry.key]
        return "\n".join(found)

    def _see_reading(self, first: str, taken: datetime, console: str) -> None:
        booted = sorted((boot.machine.booted, boot.machine.instance) for boot in self._boots())
        logs = [self._boot_log(instance) for _, instance in booted]
        self.looks.append(looks.missing_key([log for log in logs if log], self._documents("ok")))
        beats = progress.heartbeats(self.store, self.keys)
        read = sum(life.pages for beat in beats for life in sessions_of(beat))
        sound = self._run(("verify", self.output), {}).returncode == 0
        pages = self._number_of_documents() * PAGES
        self.looks.append(looks.notice(self._boot_log(first), len(booted), pages, read, sound))
        self.looks.append(looks.replacement(taken, [moment for moment, _ in booted], console))

    def _see_own_end(self, fleet: str) -> None:
        state = self.account.fleet_state(fleet)
        find = partial(self.account.deletions_by_worker, fleet, self.began)
        events = self._wait_if_it_comes("CloudTrail", 20, find) or []
        self.looks.append(looks.own_end(state, events))

    def _watch_expiry(self, idle: IdleFleet) -> Look:
        """Beside everything else, because the fleet of the run lives longer."""
        of_fleet, lived, ended = (f"tag:{FLEET_TAG}", idle.id), False, None
        limit = idle.valid_until + looks.EXPIRES_WITHIN
        while ended is None and datetime.now(UTC) < limit:
            states = {each["State"]["Name"] for each in self.account.instances(of_fleet)}
            lived = lived or "running" in states
            if lived and not states & {"pending", "running"}:
                ended = datetime.now(UTC)
            else:
                time.sleep(POLL_SECONDS)
        return looks.expiry(idle.valid_until, lived, ended, self.account.fleet_state(idle.id))
