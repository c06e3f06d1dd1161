"""The sink of a story: a webhook that fails while the trouble lasts, and what must hold of its events at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator

from pdfbatch.delivery.cloud_event import of_outcome
from pdfbatch.delivery.courier import Route
from pdfbatch.delivery.sink_secrets import SinkSecrets
from pdfbatch.delivery.sinks import open_sink
from pdfbatch.delivery.whole_run import RunDelivery
from pdfbatch.records import Manifest, RunKeys, SinkAddress
from pdfbatch.runs import manifest
from pdfbatch.runs.ledger import outcomes, segments
from pdfbatch.runs.past import run_ids
from pdfbatch.store import S3Store
from tests.delivery.receiver import KEY, Receiver
from tests.worker.begun import now

FAILURES = 0.2
"""Share of requests that fail while the trouble lasts."""
SECRETS = SinkSecrets(webhook_key=KEY)


def lost_events(output: S3Store, receiver: Receiver) -> Iterator[str]:
    """Delivers what is left, as a person would; yields what is wrong then."""
    address = SinkAddress.read(receiver.url)
    runs = [frozen for run in run_ids(output) if receiver.url in (frozen := manifest.load(output, run)).events]
    for frozen in runs:
        route = Route(output, frozen, address, open_sink(address, SECRETS, now), now)
        RunDelivery(route).deliver(lambda *_: None, time.sleep, follow=False)
    wanted = {id for frozen in runs for id in _ids(output, frozen)}
    found = {event["id"] for event in receiver.events if event["type"] != "pdfbatch.run.finished"}
    if lost := wanted - found:
        yield f"{len(lost)} of {len(wanted)} events were not delivered"
    if odd := found - wanted:
        yield f"{len(odd)} events are of no line in a ledger"


def _ids(output: S3Store, frozen: Manifest) -> Iterator[str]:
    for _, outcome in outcomes(output, segments(output, RunKeys(frozen.run).ledger)):
        yield of_outcome(outcome, frozen).id
