"""An S3 server for tests: moto over HTTP in a process of its own, with faults to order.

Run as `python s3_server.py`; prints its port. Every request holds one lock, because moto's conditional writes lose
updates under stress without it; only SQS, which the server has too, waits for messages without it.

A PUT to `/_seed` makes many empty objects at once: `{"bucket": …, "keys": […]}`. A PUT to `/_faults`
sets the faults, a JSON list that is used up from its front, each
`{"method", "key", …}` for requests with this method whose path contains `key`, and one of
  `"status"`, `"code"`: answer with this S3 error and do nothing;
  `"lose": true`: do it, then answer 503 as if the answer had been lost;
  `"cut": n`: do it, and send only the first n bytes of the body;
  `"bare_etags": true`: refuse a quoted If-Match (stays in force);
  `"ignore_conditions": true`: act as if there were no If-Match or If-None-Match (stays in force).
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

Environ = dict[str, Any]
Respond = Callable[..., Any]
ERROR = '<?xml version="1.0"?><Error><Code>{code}</Code><Message>ordered by the test</Message></Error>'


class Quiet(WSGIRequestHandler):
    def log_request(self, *_: object) -> None:
        pass


class Moto(DomainDispatcherApplication):
    """moto, which looks once for a host's service; by itself it goes through its folders at each request."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        self._found: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        if host not in self._found:
            self._found[host] = super().get_backend_for_host(host)
        return self._found[host]


class FaultyS3:
    def __init__(self, s3: Callable[[Environ, Respond], Iterable[bytes]]) -> None:
        self.s3 = s3
        self.lock = threading.Lock()
        self.faults: list[dict[str, Any]] = []

    def __call__(self, environ: Environ, respond: Respond) -> Iterable[bytes]:
        if environ.get("HTTP_X_AMZ_TARGET", "").startswith("AmazonSQS."):
            return self.s3(environ, respond)
        with self.lock:
            if environ["PATH_INFO"] in ("/_faults", "/_seed"):
                self._obey(environ["PATH_INFO"], json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))))
                respond("200 OK", [("Content-Length", "0")])
                return []
            return self._answer(environ, respond, self._take_fault(environ))

    def _obey(self, path: str, wish: Any) -> None:
        if path == "/_faults":
            self.faults = wish
        else:
            for key in wish["keys"]:
                s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(wish["bucket"], key, b"")

    def _take_fault(self, environ: Environ) -> dict[str, Any]:
        for fault in self.faults:
            if fault["method"] == environ["REQUEST_METHOD"] and fault["key"] in environ["PATH_INFO"]:
                if not ({"bare_etags", "ignore_conditions"} & fault.keys()):
                    self.faults.remove(fault)
                return fault
        return {}

    def _answer(self, environ: Environ, respond: Respond, fault: dict[str, Any]) -> Iterable[bytes]:
        if "status" in fault:
            return refuse(respond, fault["status"], fault["code"])
        if "bare_etags" in fault and environ.get("HTTP_IF_MATCH", "").startswith('"'):
            return refuse(respond, 412, "PreconditionFailed")
        if "ignore_conditions" in fault:
            environ.pop("HTTP_IF_MATCH", None)
            environ.pop("HTTP_IF_NONE_MATCH", None)
        if "lose" in fault:
            list(self.s3(environ, lambda *_: None))
            return refuse(respond, 503, "SlowDown")
        body = b"".join(self.s3(environ, respond))
        return [body[: fault.get("cut")]]


def refuse(respond: Respond, status: int, code: str) -> list[bytes]:
    body = ERROR.format(code=code).encode()
    respond(f"{status} Refused", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [body]


if __name__ == "__main__":
    app = FaultyS3(Moto())
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    print(server.port, flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()  # ends with its parent
    server.serve_forever()
