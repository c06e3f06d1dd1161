"""Webhooks: events as HTTP requests, signed as Standard Webhooks asks.

Sources: the Standard Webhooks specification 1.0 (signature over `id.timestamp.body`, in headers `webhook-…`), and the
HTTP protocol binding of CloudEvents 1.0.2 (structured and batched content).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import re
import socket
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from pdfbatch import __version__
from pdfbatch.delivery.cloud_event import BATCH_MEDIA_TYPE, MEDIA_TYPE, CloudEvent, batch_json
from pdfbatch.delivery.sink import NotDelivered
from pdfbatch.delivery.sink_secrets import SinkSecrets
from pdfbatch.http_pools import http_pool, proxy_for
from pdfbatch.records import SinkAddress

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 15.0
MOST_IN_A_BATCH = 100
_LONGEST_WAIT = 3600.0
_BUSY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_REACH = "Check the address, and that the receiver runs; `pdfbatch events` delivers what is left."
_RECEIVER = "Look into the log of the receiver; `pdfbatch events` delivers what is left."


def signature(key: bytes, id: str, timestamp: int, body: bytes) -> str:
    """Returns the header `webhook-signature` for a request."""
    signed = hmac.new(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


class Webhook:
    """Sends each event in a request of its own, or many in one for `batch+https://…`."""

    def __init__(
        self,
        address: SinkAddress,
        secrets: SinkSecrets,
        clock: Callable[[], datetime],
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self.most = MOST_IN_A_BATCH if address.is_batch else 1
        self._address = address
        self._key = secrets.signing_key()
        self._clock = clock
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=answer_seconds)
        self._http = http_pool(address.target, timeout)

    def check(self) -> str:
        """Looks the host up. A receiver may accept only signed events, so nothing is requested."""
        host = urlsplit(self._address.target).hostname or ""
        if proxy_for(self._address.target):
            return ""
        try:
            socket.getaddrinfo(host, None)
        except OSError as error:
            return f"the host {host} is not found from here ({error.strerror})"
        return ""

    def send(self, events: Sequence[CloudEvent]) -> None:
        for id, body in self._bodies(events):
            self._post(id, body)

    def _bodies(self, events: Sequence[CloudEvent]) -> list[tuple[str, bytes]]:
        if not self._address.is_batch:
            return [(event.id, event.json().encode()) for event in events]
        id = hashlib.sha256("".join(event.id for event in events).encode()).hexdigest()[:32]
        return [(id, batch_json(events).encode())]

    def _post(self, id: str, body: bytes) -> None:
        timestamp = math.floor(self._clock().timestamp())
        headers = {
            "Content-Type": f"{BATCH_MEDIA_TYPE if self._address.is_batch else MEDIA_TYPE}; charset=utf-8",
            "User-Agent": f"pdfbatch/{__version__}",
            "webhook-id": id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self._key, id, timestamp, body),
        }
        try:
            answer = self._http.request(
                "POST", self._address.target, body=body, headers=headers, retries=False, redirect=False
            )
        except (HTTPError, OSError) as error:
            raise NotDelivered(f"{self._host} cannot be reached: {_why(error)}.", _REACH) from None
        if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            raise _refusal(self._host, answer.status, answer.headers, self._clock())

    @property
    def _host(self) -> str:
        return urlsplit(self._address.target).netloc

    def close(self) -> None:
        self._http.clear()


def _refusal(host: str, status: int, headers: urllib3.HTTPHeaderDict, now: datetime) -> NotDelivered:
    """Returns the error for an answer that is not a success: 5xx and a few others may be different next time."""
    named = f"{status} {HTTPStatus(status).phrase}" if status in set(HTTPStatus) else str(status)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _BUSY:
        wait = retry_after(headers.get("Retry-After", ""), now)
        return NotDelivered(f"{host} answered {named}.", _RECEIVER, retry_after=wait)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        hint = "Give the address that it redirects to."
    elif status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        hint = "Check that the receiver has the same key."
    elif status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        hint = "Check the address."
    else:
        hint = _RECEIVER
    return NotDelivered(f"{host} refused an event: {named}.", hint, is_refusal=True)


def retry_after(text: str, now: datetime) -> float:
    """Returns the seconds in a header `Retry-After`, at most an hour; 0.0 if it has none. It is a number or a date."""
    if text.strip().isdigit():
        return min(float(text), _LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max((at - now).total_seconds(), 0.0), _LONGEST_WAIT)


def _why(error: Exception) -> str:
    """Returns the cause without what urllib3 and Python put before it: the address, an object, an error's number."""
    if "timed out" in str(error).lower():
        return "no answer in time"
    cause = re.sub(r"^\[Errno -?\d+\] ", "", str(error).rpartition(": ")[2])
    return cause.rstrip(".") or type(error).__name__
