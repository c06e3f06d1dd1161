"""The receiver in the manual accepts what a webhook sends, and nothing else."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pdfbatch.delivery.cloud_event import of_outcome
from pdfbatch.delivery.sink_secrets import SinkSecrets
from pdfbatch.delivery.webhook import Webhook
from pdfbatch.records import Outcome, SinkAddress
from tests.delivery.receiver import KEY, Receiver
from tests.delivery.stores import MANIFEST, NOW

PAGE = Path(__file__).parents[2] / "docs" / "events.md"


def test_the_example_verifies_a_request(receiver: Receiver) -> None:
    known: dict[str, Any] = {}
    exec("\n".join(re.findall(r"^```python\n(.+?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)), known)
    event = of_outcome(Outcome(key="a.pdf", outcome="ok", at=NOW), MANIFEST)
    sink = Webhook(SinkAddress.read(receiver.url), SinkSecrets(webhook_key=KEY), lambda: datetime.now(UTC))
    sink.send([event])
    assert known["is_genuine"](KEY, receiver.headers, event.json().encode())
    assert not known["is_genuine"](KEY, receiver.headers, event.json().encode() + b" ")
    assert not known["is_genuine"]("whsec_AAAA", receiver.headers, event.json().encode())
    old = receiver.headers | {"webhook-timestamp": "1614265330"}
    assert not known["is_genuine"](KEY, old, event.json().encode())


def test_every_field_of_an_event_is_listed() -> None:
    event = of_outcome(Outcome(key="a.pdf", outcome="ok"), MANIFEST)
    assert [name for name in event.data if f"`{name}`" not in PAGE.read_text()] == []
