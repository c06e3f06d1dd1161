"""The secrets of sinks: the key that signs webhooks, Kafka's user name and password. Kept in memory only."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field

from pdfbatch.errors import NotReady

WEBHOOK_KEY = "PDFBATCH_EVENTS_KEY"
KAFKA_USERNAME = "PDFBATCH_KAFKA_USERNAME"
KAFKA_PASSWORD = "PDFBATCH_KAFKA_PASSWORD"
_NAMES = (WEBHOOK_KEY, KAFKA_USERNAME, KAFKA_PASSWORD)
_PREFIX = "whsec_"
_FEWEST_BYTES = 16


@dataclass(frozen=True)
class SinkSecrets:
    """What `repr` never shows."""

    webhook_key: str = field(default="", repr=False)
    """As in Standard Webhooks, `whsec_` and Base64; or any other text of at least 16 bytes."""
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> SinkSecrets:
        """Reads them from a process's environment."""
        return cls(*(environment.get(name, "").strip() for name in _NAMES))

    @classmethod
    def taken_from(cls, environment: MutableMapping[str, str]) -> SinkSecrets:
        """As `of`, and removes them, so that no child process inherits them."""
        found = cls.of(environment)
        for name in _NAMES:
            environment.pop(name, None)
        return found

    @classmethod
    def read(cls, text: str) -> SinkSecrets:
        """Parses the content of a secret: the key of webhooks alone, or a JSON object with `webhook_key`, `username`
        and `password`; the last two are what MSK asks for in a secret.

        Raises:
            NotReady: it is neither.
        """
        text = text.strip()
        if not text.startswith("{"):
            return cls(webhook_key=text)
        try:
            found = json.loads(text)
        except ValueError:
            raise _not_readable() from None
        values = [found.get(name, "") for name in ("webhook_key", "username", "password")]
        if not all(isinstance(value, str) for value in values) or not any(values):
            raise _not_readable()
        return cls(*values)

    def signing_key(self) -> bytes:
        """Returns the bytes that sign.

        Raises:
            NotReady: there is no key, or it is not one.
        """
        if not self.webhook_key:
            raise NotReady(
                "Webhooks are signed, and there is no key.",
                f"export {WEBHOOK_KEY}=whsec_$(openssl rand -base64 32); the receiver needs it too. "
                "On a fleet: --events-secret ARN.",
            )
        key = self.webhook_key.encode()
        if self.webhook_key.startswith(_PREFIX):
            try:
                key = base64.b64decode(self.webhook_key.removeprefix(_PREFIX), validate=True)
            except (binascii.Error, ValueError):
                key = b""
        if len(key) < _FEWEST_BYTES:
            raise NotReady(
                "The key of webhooks is not valid.",
                f"Make one: {WEBHOOK_KEY}=whsec_$(openssl rand -base64 32)",
            )
        return key


def _not_readable() -> NotReady:
    return NotReady(
        "The secret of the sinks cannot be read.",
        'Store the key of webhooks as text, or {"webhook_key": "whsec_…", "username": "…", "password": "…"} as JSON.',
    )
