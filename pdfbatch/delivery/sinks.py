"""Opens the sink that an address names."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from pdfbatch.delivery.sink import Sink
from pdfbatch.delivery.sink_secrets import SinkSecrets
from pdfbatch.records import SinkAddress


def open_sink(address: SinkAddress, secrets: SinkSecrets, clock: Callable[[], datetime]) -> Sink:
    """Returns the sink; nothing is sent or looked up yet.

    Raises:
        NotReady: a secret or a package that it needs is missing.
    """
    if address.kind == "webhook":
        from pdfbatch.delivery.webhook import Webhook

        return Webhook(address, secrets, clock)
    if address.kind == "sns":
        from pdfbatch.delivery.sns import Topic

        return Topic(address)
    if address.kind == "eventbridge":
        from pdfbatch.delivery.eventbridge import Bus

        return Bus(address)
    from pdfbatch.delivery.kafka import KafkaTopic

    return KafkaTopic(address, secrets)
