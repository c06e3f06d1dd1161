"""Whether a live run may begin, and within what limits. Pure: arguments and environment are handed in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

IDLE_DOLLARS = 0.05
"""Reserved for the idle t3.micro, its disk and its address: minutes at about $0.02 an hour."""
MOST_WORKERS = 5
USAGE = """Set PDFBATCH_LIVE=yes to allow real instances, and
  PDFBATCH_LIVE_MAX_DOLLARS=2               what they may cost at most
  PDFBATCH_LIVE_PLACE=s3://bucket/prefix/   where it may write; `pdfbatch setup` must allow it as input and output
  PDFBATCH_LIVE_STACK=name                  another stack than pdfbatch
and call: make live N=1"""


class Permission(NamedTuple):
    workers: int
    dollars: float
    place: str
    """An S3 URL ending with "/"."""
    stack: str

    @property
    def fleet_dollars(self) -> float:
        return round(self.dollars - IDLE_DOLLARS, 2)


class NotPermittedError(Exception):
    """Raised before any call to AWS."""


def permission(arguments: Sequence[str], environment: Mapping[str, str]) -> Permission:
    """Reads the permission from arguments and environment.

    Raises:
        NotPermittedError: no consent, no cost cap, or no URL to write to.
    """
    if environment.get("PDFBATCH_LIVE") != "yes":
        raise NotPermittedError("A live run costs money; set PDFBATCH_LIVE=yes to allow it.")
    return Permission(
        workers=_workers(arguments),
        dollars=_dollars(environment.get("PDFBATCH_LIVE_MAX_DOLLARS", "")),
        place=_place(environment.get("PDFBATCH_LIVE_PLACE", "")),
        stack=environment.get("PDFBATCH_LIVE_STACK", "") or "pdfbatch",
    )


def _workers(arguments: Sequence[str]) -> int:
    if len(arguments) != 1 or not arguments[0].isdecimal() or not 1 <= int(arguments[0]) <= MOST_WORKERS:
        raise NotPermittedError(f"The number of workers is missing or is not one of 1 to {MOST_WORKERS}.")
    return int(arguments[0])


def _dollars(given: str) -> float:
    try:
        dollars = float(given)
    except ValueError:
        dollars = math.nan
    if not (math.isfinite(dollars) and dollars > 2 * IDLE_DOLLARS):
        raise NotPermittedError("The cost cap is missing, not a number, or too small for a run.")
    return dollars


def _place(given: str) -> str:
    bucket, _, prefix = given.removeprefix("s3://").partition("/")
    if not given.startswith("s3://") or not bucket or not prefix:
        raise NotPermittedError("PDFBATCH_LIVE_PLACE is missing or is not a prefix in a bucket.")
    return given.rstrip("/") + "/"
