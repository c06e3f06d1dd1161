"""The boots of a fleet's instances, as their keys tell."""

from __future__ import annotations

import re
from typing import NamedTuple

from pdfbatch.records.run import Machine


class Boot(NamedTuple):
    """An instance of the fleet started to boot for a slice. Everything is in the key, so that one LIST finds all boots:
    `boots/worker-I/STAMP_INSTANCE_TYPE_ZONE`, with a stamp like `20261125T194500Z`."""

    worker: int
    machine: Machine


_BOOT_KEY = re.compile(r"boots/worker-(\d+)/(\d{8}T\d{6}Z)_([^_/]+)_([^_/]*)_([^_/]*)$")


def boot_of(key: str) -> Boot | None:
    """Parses the key of a boot; None if it is another key."""
    if not (found := _BOOT_KEY.search(key)):
        return None
    worker, stamp, instance, kind, zone = found.groups()
    return Boot(int(worker), Machine(instance=instance, type=kind, zone=zone, booted=stamp))
