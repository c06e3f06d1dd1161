"""Looks up the sinks of a run's events, as far as a laptop can: those in AWS. It sends nothing to them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pdfbatch import aws
from pdfbatch.errors import NotFound, NotReady
from pdfbatch.fleet.clients import Clients
from pdfbatch.records import SinkAddress


def found_sinks(clients: Clients, sinks: Sequence[SinkAddress]) -> list[str]:
    """Returns the sinks that exist.

    Raises:
        NotReady: one does not.
    """
    for sink in sinks:
        if sink.kind == "sns":
            _find_topic(clients, sink)
        elif sink.kind == "eventbridge":
            _find_bus(clients, sink)
    return [sink.text for sink in sinks if sink.kind in ("sns", "eventbridge")]


def _find_topic(clients: Clients, sink: SinkAddress) -> None:
    try:
        with aws.translating(f"look up the SNS topic {sink.target}"):
            clients.topics(sink.region).get_topic_attributes(TopicArn=sink.target)
    except NotFound:
        name = sink.target.rpartition(":")[2]
        raise NotReady(f"no SNS topic {sink.target}", f"aws sns create-topic --name {name}") from None


def _find_bus(clients: Clients, sink: SinkAddress) -> None:
    events = clients.buses(sink.region)
    look = partial(events.describe_event_bus, Name=sink.target)
    if aws.call(f"look up the event bus {sink.target}", look, absent={"ResourceNotFoundException"}) is None:
        name = sink.target.rpartition("/")[2]
        raise NotReady(f"no event bus {sink.target}", f"aws events create-event-bus --name {name}")
