"""Watches the first minutes after a launch: whether every fleet gets its instance, and if not, why.

For a `maintain` fleet, CreateFleet does not report quota or capacity; only the fleet's history does, up to 30 s late.
Source: EC2 guide, "Monitor your EC2 Fleet".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from pdfbatch import aws
from pdfbatch.fleet import ec2
from pdfbatch.fleet.clients import Clients

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, *[15.0] * 7)
"""Seconds between polls, two minutes in all; most fleets have their instance after the first few."""


def troubles(
    clients: Clients, fleets: Mapping[int, str], since: datetime, sleep: Callable[[float], None]
) -> Iterator[tuple[int, str]]:
    """Yields each worker whose fleet reports an error, with AWS's message, once per message. Stops when every fleet has
    its instance.

    Raises:
        PdfbatchError: access is denied, or AWS does not answer.
    """
    seen: set[tuple[int, str]] = set()
    for pause in PAUSES:
        if not (waiting := _without_instance(clients, fleets)):
            return
        for worker, fleet in waiting.items():
            trouble = ec2.trouble_of(clients, fleet, since)
            if trouble and (worker, trouble) not in seen:
                seen.add((worker, trouble))
                yield worker, trouble
        sleep(pause)


def _without_instance(clients: Clients, fleets: Mapping[int, str]) -> dict[int, str]:
    pages = clients.ec2.get_paginator("describe_fleets").paginate(FleetIds=list(fleets.values()))
    found = aws.call("look up the fleets", lambda: [each for page in pages for each in page["Fleets"]])
    fulfilled = {each["FleetId"] for each in found if each.get("FulfilledCapacity", 0.0) >= 1}
    return {worker: fleet for worker, fleet in fleets.items() if fleet not in fulfilled}
