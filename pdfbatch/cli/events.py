"""`events`: delivers the events of a run from outside."""

from __future__ import annotations

import os
import time
from typing import Annotated

import typer

from pdfbatch import views
from pdfbatch.cli.console import now, say, show, waiting
from pdfbatch.cli.options import Json, Output, Run
from pdfbatch.errors import PdfbatchError


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

    Events are CloudEvents 1.0. Run the same command again to send what is new.
    """
    from pdfbatch.delivery.courier import Route
    from pdfbatch.delivery.sink_secrets import SinkSecrets
    from pdfbatch.delivery.sinks import open_sink
    from pdfbatch.delivery.whole_run import Delivered, RunDelivery
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
    frozen = manifest.load(store, wanted)
    sink = open_sink(address, SinkSecrets.of(os.environ), now)
    if doubt := sink.check():
        say(f"{doubt}; trying")
    delivery, is_down = RunDelivery(Route(store, frozen, address, sink, now)), False

    def tell(found: Delivered, error: PdfbatchError | None) -> None:
        nonlocal is_down
        if error is not None and not is_down:
            say(f"{error.message} {views.plural(found.waiting, 'event')} waiting; trying again")
        if error is None and is_down:
            say(f"{views.plural(found.delivered, 'event')} delivered")
        is_down = error is not None

    try:
        with waiting("Sending events"):
            found = delivery.deliver(tell, time.sleep, follow=follow)
    except PdfbatchError as error:
        left = delivery.found()
        if not left.waiting:
            raise
        raise PdfbatchError(
            f"{views.plural(left.delivered, 'event')} sent, {left.waiting:,} not: {error.message}", error.hint
        ) from error
    finally:
        sink.close()
    show(views.as_json(found) if json else views.delivered_screen(found))
