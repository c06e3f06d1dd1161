"""A stand-in for EC2's metadata service (IMDSv2), in a process of a test or of its own:

    python -m tests.imds HOST:PORT [PATH=VALUE…]      e.g. instance-id=i-0123 placement/availability-zone=us-east-1b

prints its URL when it answers. Paths are those under `latest/meta-data/`. Orders for tests, without a token: a PUT to
`/_ctl/PATH` sets a path to the body, a DELETE takes it away; a PUT to `/_fault` with one of FAULTS as body makes every
answer such, with an empty one ends that.
A notice: `curl -X PUT -d '{"action": "terminate", "time": "2026-11-25T19:45:00Z"}' URL/_ctl/spot/instance-action`.

Source: EC2 User Guide, "Use the Instance Metadata Service", "Instance metadata categories".
"""

from __future__ import annotations

import json
import secrets
import sys
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer

TOKEN_SECONDS = "X-aws-ec2-metadata-token-ttl-seconds"
META_DATA = "/latest/meta-data/"
FAULTS = ("503", "hang", "refuse-tokens", "forget-tokens", "garbage")
ROLE = {
    "Code": "Success",
    "LastUpdated": "2026-01-01T00:00:00Z",
    "Type": "AWS-HMAC",
    "AccessKeyId": "testing",
    "SecretAccessKey": "testing",
    "Token": "testing",
    "Expiration": "2099-01-01T00:00:00Z",
}
VALUES = {
    "instance-id": "i-0123456789abcdef0",
    "instance-type": "g4dn.xlarge",
    "placement/availability-zone": "us-east-1a",
    "placement/region": "us-east-1",
    "tags/instance/aws:ec2:fleet-id": "fleet-00000000-0000-4000-8000-000000000000",
    "iam/security-credentials/pdfbatch-worker": json.dumps(ROLE),
}
Answer = tuple[int, str]


class Imds(ThreadingTCPServer):
    """Use as a context manager. `longest_token`: no token is good for more seconds; `asked` tells method and path."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, values: Mapping[str, str] = {}, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__((host, port), _Handler)
        self.url = f"http://{host}:{self.server_address[1]}/"
        self.values = VALUES | dict(values)
        self.fault = ""
        self.longest_token = 21600.0
        self.asked: list[str] = []
        self.good_until: dict[str, float] = {}
        self.closing = threading.Event()

    def __enter__(self) -> Imds:
        threading.Thread(target=self.serve_forever, args=[0.02], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()

    def order(self, method: str, path: str, body: str) -> Answer:
        if path == "/_fault":
            self.fault = body
        elif method == "PUT":
            self.values[path.removeprefix("/_ctl/")] = body
        else:
            self.values.pop(path.removeprefix("/_ctl/"), None)
        return 200, ""

    def new_token(self, seconds: str, forwarded: bool) -> Answer:
        if forwarded or self.fault == "refuse-tokens":
            return 403, ""
        if not seconds.isdigit() or not 1 <= int(seconds) <= 21600:
            return 400, ""
        token = secrets.token_urlsafe(32)
        self.good_until[token] = time.monotonic() + min(float(seconds), self.longest_token)
        return 200, token

    def tell(self, path: str, token: str) -> Answer:
        if self.fault == "forget-tokens":
            self.good_until.clear()
        if self.good_until.get(token, 0.0) <= time.monotonic():
            return 401, ""
        wanted = path.removeprefix(META_DATA)
        if wanted.rstrip("/") in self.values:  # botocore asks for the zone with a "/" behind it
            return 200, self.values[wanted.rstrip("/")]
        below = {key.removeprefix(wanted).split("/")[0] for key in self.values if key.startswith(wanted)}
        return (200, "\n".join(sorted(below))) if wanted.endswith("/") and below else (404, "")


class _Handler(BaseHTTPRequestHandler):
    server: Imds

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        imds, headers = self.server, self.headers
        if self.path.startswith("/_"):
            self._send(*imds.order(self.command, self.path, body))
            return
        imds.asked.append(f"{self.command} {self.path}")
        if imds.fault == "hang":
            imds.closing.wait()
        elif imds.fault == "503":
            self._send(503, "")
        elif self.command == "PUT" and self.path == "/latest/api/token":
            seconds = headers.get(TOKEN_SECONDS, "")
            status, token = imds.new_token(seconds, "X-Forwarded-For" in headers)
            self._send(status, token, {TOKEN_SECONDS: seconds})  # Docker's aws-sdk-go uses no token without it
        elif imds.fault == "garbage":
            self._send(200, "<html>not what you think")
        else:
            self._send(*imds.tell(self.path, headers.get("X-aws-ec2-metadata-token", "")))

    do_GET = do_PUT = do_DELETE = _answer

    def _send(self, status: int, body: str, headers: Mapping[str, str] = {}) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    at, port = sys.argv[1].rsplit(":", 1)
    with Imds(dict(pair.split("=", 1) for pair in sys.argv[2:]), at, int(port)) as running:
        print(running.url, flush=True)
        threading.Event().wait()
