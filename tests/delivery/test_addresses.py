"""Addresses of sinks: what is understood, and what is refused without repeating a secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdfbatch.errors import UsageError
from pdfbatch.records import SinkAddress

TOPIC = "arn:aws:sns:eu-west-1:123456789012:outcomes"
BUS = "arn:aws:events:eu-west-1:123456789012:event-bus/papers"


@pytest.mark.parametrize(
    ("text", "kind", "target", "more"),
    [
        ("https://example.org/a?source=x", "webhook", "https://example.org/a?source=x", {"is_batch": False}),
        ("batch+https://example.org/a", "webhook", "https://example.org/a", {"is_batch": True}),
        ("http://localhost:8000/", "webhook", "http://localhost:8000/", {}),
        ("http://127.0.0.1:8000/", "webhook", "http://127.0.0.1:8000/", {}),
        (f"sns:{TOPIC}", "sns", TOPIC, {"region": "eu-west-1"}),
        (f"sns:{TOPIC}.fifo", "sns", f"{TOPIC}.fifo", {"region": "eu-west-1"}),
        ("events:default", "eventbridge", "default", {"region": ""}),
        (f"events:{BUS}", "eventbridge", BUS, {"region": "eu-west-1"}),
        ("kafka://b-1:9092,b-2:9092/papers", "kafka", "papers", {"brokers": "b-1:9092,b-2:9092", "security": None}),
        ("kafka://[::1]:9092/papers", "kafka", "papers", {"brokers": "[::1]:9092"}),
        ("kafka://b:9096/p?security=ssl", "kafka", "p", {"security": "ssl"}),
        ("kafka://b:9096/p?security=sasl_ssl&mechanism=PLAIN", "kafka", "p", {"mechanism": "PLAIN"}),
    ],
)
def test_an_address_is_understood(text: str, kind: str, target: str, more: dict[str, object]) -> None:
    found = SinkAddress.read(text)
    assert (found.kind, found.target, found.text) == (kind, target, text)
    assert {name: getattr(found, name) for name in more} == more


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "unknown form"),
        ("example.org", "https://HOST/PATH"),
        ("htps://example.org", "Did you mean 'https'"),
        ("https://", "no host"),
        ("http://example.org/", "not encrypted"),
        ("https://example.org/#a", "fragment"),
        ("https://example.org:port/", "not valid"),
        ("sns:outcomes", "not the ARN of an SNS topic"),
        (f"sns:{BUS}", "not the ARN of an SNS topic"),
        ("events:", "not an event bus"),
        ("events:a b", "not an event bus"),
        ("kafka://broker/papers", "'broker' is not a broker"),
        ("kafka://broker:9092/", "not a topic"),
        ("kafka://broker:9092/a/b", "not a topic"),
        ("kafka://broker:9092/a?acks=1", "no part acks"),
        ("kafka://broker:9092/a?security=tls", "security=tls is unknown"),
        ("kafka://broker:9092/a?mechanism=GSSAPI", "mechanism=GSSAPI is unknown"),
    ],
)
def test_a_wrong_address_is_refused_with_what_to_write(text: str, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        SinkAddress.read(text)
    assert words in refused.value.message + refused.value.hint
    assert refused.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "https://user:Sesame-4711@example.org/",
        "https://Sesame-4711@example.org/",
        "https://example.org/?token=Sesame-4711",
        "https://example.org/?a=b&api_key=Sesame-4711",
        "kafka://user:Sesame-4711@broker:9092/papers",
    ],
)
def test_a_secret_in_an_address_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        SinkAddress.read(text)
    assert "4711" not in refused.value.message + refused.value.hint


@given(st.text(max_size=60), st.sampled_from(["", "https://", "sns:", "events:", "kafka://", "batch+https://"]))
def test_any_text_is_an_address_or_refused(text: str, start: str) -> None:
    try:
        found = SinkAddress.read(start + text)
    except UsageError:
        return
    assert SinkAddress.read(found.text) == found
    assert "@" not in found.brokers


def test_the_name_in_keys_tells_addresses_apart() -> None:
    names = {SinkAddress.read(f"https://example.org/{path}").name for path in "abc"}
    assert len(names) == 3 and all(name.startswith("webhook-") and len(name) == 20 for name in names)


def test_several_addresses_may_come_from_a_setting_that_was_cut_at_commas() -> None:
    kafka, hook = "kafka://b-1:9092,b-2:9092,b-3:9092/papers", "https://example.org/a"
    found = SinkAddress.read_all(f"{hook},{kafka},{hook}".split(","))
    assert [each.text for each in found] == [hook, kafka]
