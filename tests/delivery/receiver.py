"""A receiver of webhooks on loopback that can fail, hang and come back; it checks signatures by itself."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "whsec_" + base64.b64encode(b"Sesame-4711-is-a-long-key").decode()


class Receiver:
    """Takes events; `answers` are the next ones it gives instead: a status, or "hang"."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.answers: list[int | str] = []
        self.headers: dict[str, str] = {}
        """Of the last request."""
        self.retry_after = ""
        self.always = 200
        self.failing = 0.0
        """The share of requests that fail by chance."""
        self.released = threading.Event()
        self.requests = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def serve(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=[0.02], daemon=True).start()

    def end(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def keys(self) -> list[str]:
        return list(dict.fromkeys(event["data"]["key"] for event in self.events if "key" in event["data"]))

    @property
    def ids(self) -> list[str]:
        return [event["id"] for event in self.events]

    def take(self, headers: dict[str, str], body: bytes) -> int:
        self.requests += 1
        answer = self.answers.pop(0) if self.answers else self.always
        if random.random() < self.failing:
            return 503
        if answer == "hang":
            self.released.wait(60)
            return 503
        if not _is_signed(headers, body):
            return 401
        if answer == 200:
            self.headers = headers
            found = json.loads(body)
            self.events += found if isinstance(found, list) else [found]
        return int(answer)


def _is_signed(headers: dict[str, str], body: bytes) -> bool:
    """As https://www.standardwebhooks.com describes it for receivers."""
    key = base64.b64decode(KEY.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return f"v1,{wanted}" in headers["webhook-signature"].split(" ")


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = receiver.take({name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(status)
            if status != 200 and receiver.retry_after:
                self.send_header("Retry-After", receiver.retry_after)
            if 300 <= status < 400:
                self.send_header("Location", "http://127.0.0.1:1/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    receiver.serve()
    try:
        yield receiver
    finally:
        receiver.end()
