"""`events`: delivers the events of a run from outside."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Annotated

import typer

from pdfbatch import views
from pdfbatch.cli.console import now, say, show, waiting
from pdfbatch.cli.options import Json, Output, Run
from pdfbatch.errors import PdfbatchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pdfbatch.delivery.whole_run import Delivered, RunDelivery


def events(
    output: Output,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="ADDRESS",
            help="Where they go: https://HOST/PATH, batch+https://HOST/PATH, sns:ARN, events:BUS (EventBridge) or "
            "kafka://HOST:PORT,HOST:PORT/TOPIC.",
            show_default=False,
        ),
    ],
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on until the run has ended and everything is delivered.")
    ] = False,
    run: Run = None,
    json: Json = False,
) -> None:
    """Send an event for each outcome of a run to a webhook, SNS, EventBridge or Kafka. Remembers where it was.

    Events are CloudEvents 1.0. Run the same command again to send what is new. Without --run it is the latest run, and
    what earlier runs still owe this address.
    """
    from pdfbatch.delivery.courier import Route
    from pdfbatch.delivery.sink_secrets import SinkSecrets
    from pdfbatch.delivery.sinks import open_sink
    from pdfbatch.delivery.whole_run import RunDelivery, owed_runs
    from pdfbatch.records import SinkAddress
    from pdfbatch.runs import manifest
    from pdfbatch.runs.verify import no_run
    from pdfbatch.store import open_store

    address = SinkAddress.read(to)
    store = open_store(output)
    store.check_readable()
    wanted = run or manifest.current(store)
    if wanted is None:
        raise no_run(store)
    runs = [*([] if run else owed_runs(store, address, wanted)), manifest.load(store, wanted)]
    sink = open_sink(address, SinkSecrets.of(os.environ), now)
    if doubt := sink.check():
        say(f"{doubt}; trying")
    try:
        found = _delivered([RunDelivery(Route(store, frozen, address, sink, now)) for frozen in runs], follow)
    finally:
        sink.close()
    show(views.as_json(found) if json else views.delivered_screen(found))


def _delivered(deliveries: Sequence[RunDelivery], follow: bool) -> Delivered:
    """Delivers several runs, and follows the last one.

    Raises:
        PdfbatchError: something was not delivered.
    """
    from pdfbatch.delivery.whole_run import total

    is_down = False

    def tell(found: Delivered, error: PdfbatchError | None) -> None:
        nonlocal is_down
        if error is not None and not is_down:
            say(f"{error.message} {views.plural(found.waiting, 'event')} waiting; trying again")
        if error is None and is_down:
            say(f"{views.plural(found.delivered, 'event')} delivered")
        is_down = error is not None

    try:
        with waiting("Sending events"):
            for delivery in deliveries:
                delivery.deliver(tell, time.sleep, follow=follow and delivery is deliveries[-1])
    except PdfbatchError as error:
        left = total(deliveries)
        if not left.waiting:
            raise
        raise PdfbatchError(
            f"{views.plural(left.delivered, 'event')} sent, {left.waiting:,} not: {error.message}", error.hint
        ) from error
    return total(deliveries)
