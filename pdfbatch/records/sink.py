"""The addresses of sinks, which receive a run's events, and what the store remembers of each delivery. No secrets."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple, get_args
from urllib.parse import SplitResult, parse_qsl, urlsplit

from pdfbatch.errors import UsageError, did_you_mean
from pdfbatch.records.base import Record
from pdfbatch.records.stamp import Stamp

SinkKind = Literal["webhook", "sns", "eventbridge", "kafka"]
KafkaSecurity = Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]

_FORMS = "https://HOST/PATH, batch+https://HOST/PATH, sns:ARN, events:BUS or kafka://HOST:PORT,HOST:PORT/TOPIC"
_TOPIC_ARN = re.compile(r"arn:aws[a-z-]*:sns:(?P<region>[a-z0-9-]+):\d{12}:[\w-]{1,256}(?:\.fifo)?", re.ASCII)
_BUS = re.compile(r"(?:arn:aws[a-z-]*:events:(?P<region>[a-z0-9-]+):\d{12}:event-bus/)?[\w.-]{1,256}", re.ASCII)
_BROKER = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):\d{1,5}")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_SECURITIES: Mapping[str, KafkaSecurity] = {name: name for name in get_args(KafkaSecurity)}
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})
_LOOKS_SECRET = re.compile(r"token|secret|key|password|passwd|pwd|sig(nature)?|auth|credential", re.IGNORECASE)


class SinkAddress(NamedTuple):
    """Where events go. It holds no secret: it is stored, logged and shown."""

    kind: SinkKind
    text: str
    """As it was given, which is also how it is stored."""
    target: str
    """The URL of a webhook, the ARN of an SNS topic, the name or ARN of an event bus, or a topic of Kafka's."""
    region: str = ""
    """Of an ARN; "" if there is none."""
    is_batch: bool = False
    """Whether a webhook gets many events in one request."""
    brokers: str = ""
    """Of Kafka: `host:port`, separated by commas."""
    security: KafkaSecurity | None = None
    """None: `sasl_ssl` if there is a user name, else `plaintext`."""
    mechanism: str = "SCRAM-SHA-512"

    @classmethod
    def read(cls, text: str) -> SinkAddress:
        """Parses an address.

        Raises:
            UsageError: it is none, it is incomplete, or it holds a secret; the error does not repeat secrets.
        """
        scheme, colon, rest = text.strip().partition(":")
        if colon and scheme in ("http", "https", "batch+http", "batch+https"):
            return _webhook(text.strip(), scheme)
        if colon and scheme == "sns":
            return _sns(text.strip(), rest)
        if colon and scheme == "events":
            return _bus(text.strip(), rest)
        if colon and scheme == "kafka":
            return _kafka(text.strip())
        hint = did_you_mean(scheme, ["https", "batch+https", "sns", "events", "kafka"]) if colon else ""
        raise UsageError("An address of --events has an unknown form.", f"{hint} Give {_FORMS}.".lstrip())

    @classmethod
    def read_all(cls, texts: Iterable[str]) -> list[SinkAddress]:
        """Parses several addresses, each once. A setting separates them by commas, as Kafka does its brokers: an
        address of Kafka without a topic goes on in the next text.

        Raises:
            UsageError: as `read`.
        """
        whole: list[str] = []
        for text in texts:
            if whole and whole[-1].startswith("kafka://") and "/" not in whole[-1].removeprefix("kafka://"):
                whole[-1] += f",{text.strip()}"
            else:
                whole.append(text)
        return list(dict.fromkeys(map(cls.read, whole)))

    @property
    def needs_secret(self) -> bool:
        """Whether it certainly cannot be used without a secret."""
        return self.kind == "webhook" or (self.security or "").startswith("sasl")

    @property
    def name(self) -> str:
        """Stands for it in keys, such as `webhook-1f0c9a4e52d7`."""
        return f"{self.kind}-{hashlib.sha256(self.text.encode()).hexdigest()[:12]}"


def _webhook(text: str, scheme: str) -> SinkAddress:
    url = _split(text)
    is_batch, plain = scheme.startswith("batch+"), scheme.removeprefix("batch+")
    if not url.hostname:
        raise UsageError("A webhook's address has no host.", "Give https://HOST/PATH.")
    if plain == "http" and url.hostname not in _HERE:
        raise UsageError(f"http://{url.hostname} is not encrypted.", f"Give https://{url.hostname}/…")
    if url.fragment:
        raise UsageError("A webhook's address has a fragment (#…).", "Leave it out: it is never sent.")
    if secret := next((name for name, _ in parse_qsl(url.query) if _LOOKS_SECRET.search(name)), ""):
        raise UsageError(
            f"A webhook's address has what looks like a secret ({secret}=…); addresses are stored and shown.",
            "Leave it out, and check the signature that every request has.",
        )
    return SinkAddress("webhook", text, text.removeprefix("batch+"), is_batch=is_batch)


def _sns(text: str, arn: str) -> SinkAddress:
    found = _TOPIC_ARN.fullmatch(arn)
    if found is None:
        raise UsageError(
            f"{arn!r} is not the ARN of an SNS topic.",
            "Give sns:arn:aws:sns:REGION:ACCOUNT:TOPIC; `aws sns list-topics` prints them.",
        )
    return SinkAddress("sns", text, arn, found["region"])


def _bus(text: str, bus: str) -> SinkAddress:
    found = _BUS.fullmatch(bus)
    if found is None:
        raise UsageError(
            f"{bus!r} is not an event bus.",
            "Give events:NAME, events:default or events:arn:aws:events:REGION:ACCOUNT:event-bus/NAME.",
        )
    return SinkAddress("eventbridge", text, bus, found["region"] or "")


def _kafka(text: str) -> SinkAddress:
    url = _split(text)
    brokers, topic = url.netloc.split(","), url.path.strip("/")
    if bad := next((broker for broker in brokers if not _BROKER.fullmatch(broker)), None):
        raise UsageError(f"{bad!r} is not a broker.", "Give kafka://HOST:PORT,HOST:PORT/TOPIC.")
    if url.netloc == "" or not _TOPIC.fullmatch(topic):
        raise UsageError(f"{topic!r} is not a topic of Kafka's.", "Give kafka://HOST:PORT,HOST:PORT/TOPIC.")
    wishes = dict(parse_qsl(url.query, keep_blank_values=True))
    if unknown := next(iter(wishes.keys() - {"security", "mechanism"}), ""):
        raise UsageError(f"A Kafka address has no part {unknown}=….", "It may have ?security=ssl and mechanism=PLAIN.")
    security, mechanism = wishes.get("security"), wishes.get("mechanism", "SCRAM-SHA-512")
    if security is not None and security not in _SECURITIES:
        raise UsageError(f"security={security} is unknown.", f"Give one of {', '.join(_SECURITIES)}.")
    if mechanism not in _MECHANISMS:
        raise UsageError(f"mechanism={mechanism} is unknown.", f"Give one of {', '.join(_MECHANISMS)}.")
    return SinkAddress(
        "kafka",
        text,
        topic,
        brokers=url.netloc,
        security=_SECURITIES[security] if security else None,
        mechanism=mechanism,
    )


def _split(text: str) -> SplitResult:
    """Splits a URL.

    Raises:
        UsageError: it is none, or it has a user name or a password.
    """
    try:
        url = urlsplit(text)
        if "@" in url.netloc:
            raise UsageError(
                "An address of --events has a user name or password in it; addresses are stored and shown.",
                "Leave it out. PDFBATCH_KAFKA_USERNAME and PDFBATCH_KAFKA_PASSWORD are for Kafka; webhooks are signed.",
            )
        if url.scheme != "kafka":
            url.port  # noqa: B018  # raises if it is no number
    except ValueError as error:
        raise UsageError(f"An address of --events is not valid: {error}.", f"Give {_FORMS}.") from None
    return url


class Position(Record):
    """`events/SINK/worker-I.json`: how far the ledger of a worker was delivered to a sink."""

    address: str
    """Of the sink, as in `SinkAddress.text`."""
    worker: int
    sent: int = 0
    """All lines in segments up to this number were delivered, except those in `late` ones that are not listed there."""
    late: list[str] = []
    """Segments, as `Segment.identity`, that were written under a number that had been joined before, and that were
    delivered."""
    delivered: int = 0
    """The number of events that the sink has accepted, repeated ones included."""
    waiting: int = 0
    """The number of events that were in the ledger and not delivered, at `at`."""
    trouble: str = ""
    """Why the last try failed, in one sentence; "" if it did not."""
    at: Stamp


class EndPosition(Record):
    """`events/SINK/run.json`: which event about the run's end was delivered to a sink."""

    address: str
    id: str
    """The event's; a run that was resumed after its end ends again, with another id."""
    at: Stamp
