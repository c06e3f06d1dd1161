"""An order: a run but for its documents, which are listed and frozen each time that a job starts.

`schedule` writes it; each job that a schedule starts is an execution of it.
"""

from __future__ import annotations

from typing import Literal

from pdfbatch.records.base import Record
from pdfbatch.records.fleet import FleetRecord
from pdfbatch.records.keys import STATE_PREFIX
from pdfbatch.records.run import Manifest

ORDERS_PREFIX = f"{STATE_PREFIX}orders/"


def order_key(name: str) -> str:
    return f"{ORDERS_PREFIX}{name}.json"


def claim_key(name: str, job: str) -> str:
    """Returns the key of the claim of an execution: which run its first host freezes."""
    return f"{ORDERS_PREFIX}{name}/{job}/claim.json"


def start_key(name: str, job: str) -> str:
    """Returns the key of how an execution began, for its other hosts."""
    return f"{ORDERS_PREFIX}{name}/{job}/start.json"


class RunOrder(Record):
    """`orders/NAME.json`."""

    version: Literal[1] = 1
    manifest: Manifest
    """Its run, date and numbers of documents are those of the day when it was ordered, and mean nothing."""
    fleet: FleetRecord
    """Its times are those of a run that starts at `launched`."""
    redo_changed: bool = True
    """Also convert inputs that have changed since their Markdown was written."""
    all_failures: bool = False
    """Also documents that failed for a reason that a retry cannot fix."""
    limit: int | None = None
    """At most this many documents in each execution; None: all."""


class OrderClaim(Record):
    """`orders/NAME/JOB/claim.json`, written once."""

    run: str


class OrderStart(Record):
    """`orders/NAME/JOB/start.json`, written once: how an execution of an order began."""

    run: str = ""
    """"": none: there was nothing to do, or it could not be frozen."""
    error: str = ""
    """Why it could not be frozen; "": nothing went wrong."""
    hint: str = ""
