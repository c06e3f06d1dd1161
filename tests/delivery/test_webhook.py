"""Webhooks over HTTP: signed, refused clearly, and told when to try again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pdfbatch.delivery.cloud_event import CloudEvent, of_outcome
from pdfbatch.delivery.sink import NotDelivered
from pdfbatch.delivery.sink_secrets import SinkSecrets
from pdfbatch.delivery.webhook import Webhook, retry_after, signature
from pdfbatch.errors import NotReady
from pdfbatch.records import Outcome, SinkAddress
from tests.delivery.receiver import KEY, Receiver
from tests.delivery.stores import MANIFEST, NOW

SECRETS = SinkSecrets(webhook_key=KEY)


def webhook(receiver: Receiver, secrets: SinkSecrets = SECRETS, batch: str = "", seconds: float = 30) -> Webhook:
    return Webhook(SinkAddress.read(f"{batch}{receiver.url}"), secrets, lambda: NOW, seconds)


def event(key: str = "a.pdf") -> CloudEvent:
    return of_outcome(Outcome(key=key, outcome="ok", etag="e", at=NOW), MANIFEST)


def test_an_event_is_posted_in_structured_mode_and_signed(receiver: Receiver) -> None:
    sink = webhook(receiver)
    assert sink.check() == ""
    sink.send([event()])
    assert receiver.keys == ["a.pdf"]
    assert receiver.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert receiver.headers["webhook-id"] == event().id
    assert receiver.headers["user-agent"].startswith("pdfbatch/")


def test_a_batch_is_one_request(receiver: Receiver) -> None:
    webhook(receiver, batch="batch+").send([event("a.pdf"), event("b.pdf")])
    assert receiver.requests == 1 and receiver.keys == ["a.pdf", "b.pdf"]
    assert receiver.headers["content-type"].startswith("application/cloudevents-batch+json")


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of the Standard Webhooks libraries."""
    key = SinkSecrets(webhook_key="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").signing_key()
    body = b'{"test": 2432232314}'
    assert signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


@pytest.mark.parametrize(
    ("status", "is_refusal", "words"),
    [
        (301, True, "redirects to"),
        (400, True, "400 Bad Request"),
        (401, True, "has the same key"),
        (404, True, "Check the address"),
        (410, True, "410 Gone"),
        (408, False, "408"),
        (429, False, "429 Too Many Requests"),
        (500, False, "500 Internal Server Error"),
        (503, False, "503"),
        (599, False, "599"),
    ],
)
def test_an_answer_that_is_no_success_says_whether_to_try_again(
    status: int, is_refusal: bool, words: str, receiver: Receiver
) -> None:
    receiver.always, receiver.retry_after = status, "7"
    with pytest.raises(NotDelivered) as refused:
        webhook(receiver).send([event()])
    assert refused.value.is_refusal is is_refusal
    assert words in refused.value.message + refused.value.hint
    assert refused.value.retry_after == (0 if is_refusal else 7)
    assert receiver.requests == 1, "redirects are not followed, and the courier tries again"


def test_a_receiver_that_hangs_or_is_gone_is_told(receiver: Receiver) -> None:
    receiver.answers = ["hang"]
    with pytest.raises(NotDelivered, match="no answer in time"):
        webhook(receiver, seconds=0.1).send([event()])
    receiver.end()
    with pytest.raises(NotDelivered, match="Connection refused"):
        webhook(receiver).send([event()])


def test_a_wrong_key_is_refused_by_the_receiver(receiver: Receiver) -> None:
    with pytest.raises(NotDelivered, match="401"):
        webhook(receiver, SinkSecrets(webhook_key="another key of some length")).send([event()])


@pytest.mark.parametrize("key", ["", "short", "whsec_short", "whsec_not-base64!"])
def test_without_a_key_it_does_not_start_and_the_key_is_not_repeated(key: str, receiver: Receiver) -> None:
    with pytest.raises(NotReady) as refused:
        webhook(receiver, SinkSecrets(webhook_key=key))
    assert "openssl rand" in refused.value.hint
    assert not key or key not in refused.value.message + refused.value.hint


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("", 0), ("7", 7), ("86400", 3600), ("soon", 0), ("Thu, 01 Jan 2026 12:00:09 GMT", 9), ("-5", 0)],
)
def test_retry_after_is_a_number_or_a_date(text: str, seconds: float) -> None:
    assert retry_after(text, datetime(2026, 1, 1, 12, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ("a key of some length", SinkSecrets(webhook_key="a key of some length")),
        ('{"username": "u", "password": "p"}', SinkSecrets(username="u", password="p")),
        ('{"webhook_key": "k", "more": 1}', SinkSecrets(webhook_key="k")),
    ],
)
def test_a_secret_is_a_key_or_json(text: str, secrets: SinkSecrets) -> None:
    assert SinkSecrets.read(text) == secrets


@pytest.mark.parametrize("text", ["{", "{}", '{"username": 4711}', '{"key": "Sesame"}'])
def test_a_secret_that_cannot_be_read_is_not_repeated(text: str) -> None:
    with pytest.raises(NotReady) as refused:
        SinkSecrets.read(text)
    assert "Sesame" not in str(refused.value) and "4711" not in str(refused.value)


def test_secrets_are_not_shown() -> None:
    assert "Sesame" not in repr(SinkSecrets("Sesame", "Sesame", "Sesame"))


def test_secrets_are_taken_out_of_the_environment_that_children_inherit() -> None:
    environment = {"PDFBATCH_EVENTS_KEY": KEY, "PDFBATCH_KAFKA_PASSWORD": "Sesame", "HOME": "/"}
    assert SinkSecrets.taken_from(environment) == SinkSecrets(webhook_key=KEY, password="Sesame")
    assert environment == {"HOME": "/"}
