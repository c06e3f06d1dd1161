"""Boots and stops machines for the instances that the simulated AWS launches and terminates.

The kind of machine is a parameter: processes.py has process groups, virtual.py namespaces with a Docker daemon.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from tests.fleet.conftest import Account

Row = dict[str, Any]
"""An instance as in `Account.instances`."""
POLL_SECONDS = 0.2
NOTICE = timedelta(minutes=2)


class Machine(Protocol):
    """A machine, booting from the moment it is made."""

    def tell(self, path: str, text: str) -> None:
        """Puts something into its metadata service."""

    def power_off(self) -> None:
        """At once, whatever it does."""


def metadata(row: Row) -> dict[str, str]:
    """What the metadata service of an instance says."""
    return {
        "instance-id": row["instance"],
        "instance-type": row["type"],
        "placement/availability-zone": row["zone"],
        "placement/region": row["region"],
        "tags/instance/aws:ec2:fleet-id": row["fleet"],
    }


class Region:
    """Use as a context manager: nothing runs afterwards. What went wrong with a machine is raised at its end."""

    def __init__(self, account: Account, boot: Callable[[Row], Machine]) -> None:
        self.account = account
        self.machines: dict[str, Machine] = {}
        """Every one that ever booted, in order, by instance."""
        self.workers: dict[str, int] = {}
        self._boot = boot
        self._running: set[str] = set()
        self._closing = threading.Event()
        self._trouble: Exception | None = None
        self._thread = threading.Thread(target=self._follow)

    def __enter__(self) -> Region:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()
        for instance in self._running:
            self.machines[instance].power_off()
        if self._trouble is not None:
            raise self._trouble

    def _follow(self) -> None:
        while not self._closing.wait(POLL_SECONDS) and self._trouble is None:
            try:
                self._step()
            except Exception as error:
                self._trouble = error

    def _step(self) -> None:
        living = {row["instance"]: row for row in self.account.instances()}
        for instance in self._running - living.keys():
            self.machines[instance].power_off()
        for instance in living.keys() - self.machines.keys():
            self.workers[instance] = int(living[instance]["tags"]["pdfbatch:worker"])
            self.machines[instance] = self._boot(living[instance])
        self._running = set(living)

    def machine_of(self, worker: int) -> str:
        """The newest instance of a worker; "" if it never had one."""
        return next((i for i in reversed(list(self.machines)) if self.workers[i] == worker), "")

    def give_notice(self, instance: str) -> None:
        """Gives the machine an interruption notice; `take` interrupts it."""
        at = (datetime.now(UTC) + NOTICE).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.machines[instance].tell("spot/instance-action", json.dumps({"action": "terminate", "time": at}))

    def take(self, instance: str) -> None:
        self.account.order("interrupt", {"instance": instance})
