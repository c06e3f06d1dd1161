"""An OpenAI-compatible server of our own over HTTP: honest, or with the faults that are ordered.

Each order is used for one request to `/chat/completions`, from the first to the last; when none is left, the server is
honest. An honest answer is read from the picture (cards.py).
"""

from __future__ import annotations

import base64
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.endpoint.cards import number_in

MODEL = "tiny/vision"
KEY = "sk-the-key-4711"
WORDS = ["north", "south", "east", "west", "up", "down", "left", "right", "red", "green", "blue", "black"]


def text_of(number: int) -> str:
    """What the honest server answers for a page."""
    word = WORDS[number % len(WORDS)]
    return f"# Page {number}\n\nThe word of this page is **{word}**, and its square is $x_{{{number}}}^2$."


@dataclass
class Order:
    """How to answer one request. `status` other than 200 refuses; `body` replaces the answer; `change` changes it."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    change: Callable[[dict[str, Any]], Any] | None = None
    reset: bool = False
    """Break the connection off with a TCP reset."""
    wait_for: threading.Event | None = None


def refusing(status: int, message: str = "no", **headers: str) -> Order:
    body = json.dumps({"error": {"message": message, "type": "error"}}).encode()
    return Order(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def saying(text: str | None, finish: str = "stop", **more: Any) -> Order:
    def change(answer: dict[str, Any]) -> dict[str, Any]:
        answer["choices"][0]["message"]["content"] = text
        answer["choices"][0]["finish_reason"] = finish
        return answer | more

    return Order(change=change)


class FakeEndpoint:
    """The server's state; tests read `asked` and append to `orders`."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.always: Callable[[dict[str, Any]], Order | None] = lambda _request: None
        """Decides for requests without an order."""
        self.models: list[str] = [MODEL]
        self.page = b""
        """What `/models` answers instead of a list."""
        self.keys: list[str] = []
        """Accepted keys; [] accepts every request."""
        self.asked: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.lock = threading.Lock()
        self.under_way = self.most_under_way = 0
        self.url = ""

    def honest(self, request: dict[str, Any]) -> dict[str, Any]:
        url = next(part["image_url"]["url"] for part in request["messages"][0]["content"] if part["type"] != "text")
        number = number_in(base64.b64decode(url.partition(",")[2]))
        message = {"role": "assistant", "content": text_of(number)}
        return {
            "id": "1",
            "object": "chat.completion",
            "model": request["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050},
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    endpoint: FakeEndpoint

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.endpoint.paths.append(self.path)
        if not self._is_allowed():
            return
        listed = json.dumps({"data": [{"id": name} for name in self.endpoint.models]}).encode()
        self._send(200, {}, self.endpoint.page or listed)

    def do_POST(self) -> None:
        endpoint = self.endpoint
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._is_allowed():
            return
        with endpoint.lock:
            endpoint.asked.append(request)
            order = endpoint.orders.pop(0) if endpoint.orders else endpoint.always(request) or Order()
            endpoint.under_way += 1
            endpoint.most_under_way = max(endpoint.most_under_way, endpoint.under_way)
        try:
            if order.wait_for is not None:
                order.wait_for.wait(60)
            self._obey(order, request)
        finally:
            with endpoint.lock:
                endpoint.under_way -= 1

    def _obey(self, order: Order, request: dict[str, Any]) -> None:
        if order.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        body = order.body
        if body is None:
            answer: Any = self.endpoint.honest(request)
            body = json.dumps(order.change(answer) if order.change else answer).encode()
        self._send(order.status, order.headers, body)

    def _is_allowed(self) -> bool:
        keys = self.endpoint.keys
        given = self.headers.get("Authorization", "")
        if not keys or given.removeprefix("Bearer ") in keys:
            return True
        body = {"error": {"message": f"Incorrect API key provided: {given}", "code": "invalid_api_key"}}
        self._send(401, {}, json.dumps(body).encode())
        return False

    def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:  # nobody listens any more
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is no news."""


@contextmanager
def fake_endpoint() -> Iterator[FakeEndpoint]:
    endpoint = FakeEndpoint()
    handler = type("Handler", (_Handler,), {"endpoint": endpoint})
    server = _Server(("127.0.0.1", 0), handler)
    endpoint.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
