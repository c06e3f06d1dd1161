"""Sends a slice's events while it is converted; `local-run`, `retry-failures --local` and `worker` share it."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from pdfbatch import views
from pdfbatch.cli.console import now, say, waiting
from pdfbatch.errors import NotReady, PdfbatchError

if TYPE_CHECKING:
    from pdfbatch.delivery.background import Deliveries
    from pdfbatch.delivery.courier import Route
    from pdfbatch.delivery.sink_secrets import SinkSecrets
    from pdfbatch.records import Ending, Manifest, SinkAddress
    from pdfbatch.store import Store


class WantedSinks(NamedTuple):
    """The sinks that this command names, and the secrets that its environment has for any sink."""

    secrets: SinkSecrets
    addresses: Sequence[SinkAddress] = ()


def sinks_here() -> WantedSinks:
    """Returns only the secrets; they are taken out of the environment, which child processes inherit."""
    from pdfbatch.delivery.sink_secrets import SinkSecrets

    return WantedSinks(SinkSecrets.taken_from(os.environ))


def checked_sinks(texts: Sequence[str] | None) -> WantedSinks:
    """Parses addresses, and checks each sink before anything else is done.

    Raises:
        UsageError: an address is not valid.
        NotReady: a sink certainly cannot be used, or its secret is missing.
    """
    from pdfbatch.delivery.sinks import open_sink
    from pdfbatch.records import SinkAddress

    wanted = sinks_here()._replace(addresses=SinkAddress.read_all(texts or ()))
    for address in wanted.addresses:
        sink = open_sink(address, wanted.secrets, now)
        if doubt := sink.check():
            say(f"{address.text}: {doubt}; its events wait until it answers")
        sink.close()
    return wanted


def deliveries(frozen: Manifest, output: str, worker: int, wanted: WantedSinks) -> Deliveries:
    """Returns what delivers the events of a slice to the run's sinks and to `wanted` ones, with a store client of its
    own. A sink that cannot be used is reported; the work goes on without it."""
    from pdfbatch.delivery.background import Deliveries

    return Deliveries(_routes(frozen, output, wanted), worker)


def deliver_left(output: Store, wanted: WantedSinks) -> None:
    """Delivers what the latest run of an output has not delivered; an error is only reported."""
    from pdfbatch.delivery.whole_run import RunDelivery
    from pdfbatch.runs import manifest

    run = manifest.current(output)
    if run is None:
        return
    for route in _routes(manifest.load(output, run), output.url, wanted):
        try:
            found = RunDelivery(route).deliver(lambda *_: None, time.sleep, follow=False)
            if found.delivered:
                say(f"{views.plural(found.delivered, 'event')} of run {run} delivered to {route.address.text}")
        except PdfbatchError as error:
            say(f"events of run {run} are not sent now: {error.message} {error.hint}")


def _routes(frozen: Manifest, output: str, wanted: WantedSinks) -> list[Route]:
    """Returns the ways to the sinks that can be used; of the others it says why not."""
    from pdfbatch.delivery.courier import Route
    from pdfbatch.delivery.sinks import open_sink
    from pdfbatch.records import SinkAddress
    from pdfbatch.store import open_store

    routes, secrets = list[Route](), wanted.secrets
    try:
        addresses = dict.fromkeys([*SinkAddress.read_all(frozen.events), *wanted.addresses])
        if frozen.events_secret and addresses:
            secrets = _of_fleet(frozen.events_secret)
    except PdfbatchError as error:
        say(f"events are not sent now: {error.message} {error.hint}")
        return routes
    for address in addresses:
        try:
            routes.append(Route(open_store(output), frozen, address, open_sink(address, secrets, now), now))
        except PdfbatchError as error:
            say(f"events to {address.text} are not sent now: {error.message} {error.hint}")
    return routes


def _of_fleet(arn: str) -> SinkSecrets:
    """Reads the secrets of the run's sinks with the instance's role.

    Raises:
        NotReady: they cannot be read.
    """
    from pdfbatch.delivery.sink_secrets import SinkSecrets
    from pdfbatch.records import Secret
    from pdfbatch.secret_text import secret_text

    try:
        text = secret_text(Secret.read(arn))
    except PdfbatchError as error:
        raise NotReady(
            f"The secret {arn} cannot be read: {error.message.rstrip('.')}.",
            f"Allow the role to read it: pdfbatch setup --events-secret {arn}",
        ) from None  # the rest of AWS's response must not be shown
    return SinkSecrets.read(text)


def finish(sending: Deliveries, why: Ending, output: str) -> None:
    """Sends the last events of a slice for a short while, and says what was not delivered."""
    from pdfbatch.delivery.background import END_SECONDS, NOTICE_SECONDS

    if not sending:
        return
    with waiting("Sending the last events"):
        left = sending.finish(END_SECONDS if why == "done" else NOTICE_SECONDS)
    for line in views.left_lines(left, output):
        say(line)
