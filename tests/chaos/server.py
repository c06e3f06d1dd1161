"""A small S3 server with faults on a throw of dice, and a record of every write. It runs in threads of this process.

Only what the store uses: ListObjectsV2, GET, HEAD, PUT with If-None-Match and If-Match, DELETE, DeleteObjects.
Source: Amazon S3 API Reference; conditional writes: S3 User Guide, "How to prevent object overwrites".
"""

from __future__ import annotations

import hashlib
import random
import re
import socket
import struct
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

PAGE = 1000
HANG_SECONDS = 3.0


@dataclass
class Rates:
    """How likely a request meets each fault, from 0 to 1, and how long each takes, in seconds."""

    refused: float = 0.0
    """503 SlowDown; nothing is done."""
    reset: float = 0.0
    """The connection is reset before anything is done."""
    lost: float = 0.0
    """It is done, but the answer never arrives."""
    cut: float = 0.0
    """The body of a GET breaks off."""
    hang: float = 0.0
    """The answer takes HANG_SECONDS."""
    latency: float = 0.0


@dataclass
class Stored:
    data: bytes
    etag: str
    metadata: Mapping[str, str]


@dataclass
class Write:
    """A write that was done. `replaced`: the object that it overwrote."""

    key: str
    data: bytes
    replaced: bytes | None


@dataclass
class Bucket:
    """All objects, and what happened to them. Every access holds the lock."""

    objects: dict[str, Stored] = field(default_factory=dict)
    writes: list[Write] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def put(self, key: str, data: bytes, metadata: Mapping[str, str] = {}) -> str:
        with self.lock:
            before = self.objects.get(key)
            etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
            self.objects[key] = Stored(data, etag, metadata)
            self.writes.append(Write(key, data, before.data if before else None))
            return etag

    def delete(self, key: str) -> None:
        with self.lock:
            if self.objects.pop(key, None) is not None:
                self.deleted.append(key)


class ChaosServer(ThreadingHTTPServer):
    """Use as a context manager. `ignores_conditions`: PUT as if there were no condition, a bug to be found."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, seed: int, *, ignores_conditions: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.bucket = Bucket()
        self.rates = Rates()
        self.dice = random.Random(seed)
        self.ignores_conditions = re.compile(ignores_conditions) if ignores_conditions else None
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> ChaosServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients are killed all the time."""

    def fault(self, method: str) -> str:
        rates = self.rates
        with self.bucket.lock:
            thrown = self.dice.random()
            for name in ("refused", "reset", "lost", "cut", "hang"):
                thrown -= getattr(rates, name)
                if thrown < 0:
                    name = "refused" if name == "cut" and method != "GET" else name
                    self.bucket.faults[name] += 1
                    return name
        return ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ChaosServer
    wbufsize = -1

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, *_: object) -> None:
        pass

    def handle_expect_100(self) -> bool:
        """Sends it at once: it would stay in the buffer, and botocore waits a second for it before it sends a body."""
        goes_on = super().handle_expect_100()
        self.wfile.flush()
        return goes_on

    def do_GET(self) -> None:
        self._serve()

    do_HEAD = do_PUT = do_DELETE = do_POST = do_GET  # http.server's names

    def _serve(self) -> None:
        body = self._body()
        if body is None:
            self.close_connection = True
            return
        parts = urlsplit(self.path)
        _, _, key = unquote(parts.path).lstrip("/").partition("/")
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        self._bucket.requests[self.command] += 1
        fault = self.server.fault(self.command)
        if self.server.rates.latency:
            time.sleep(self.server.rates.latency)
        if fault == "hang":
            time.sleep(HANG_SECONDS)
        if fault == "refused":
            self._refuse(503, "SlowDown")
            return
        if fault == "reset":
            self._reset()
            return
        status, headers, data = self._answer(key, query, body)
        if fault == "lost":
            self._reset()
        else:
            self._send(status, headers, data, cut=fault == "cut")

    @property
    def _bucket(self) -> Bucket:
        return self.server.bucket

    def _body(self) -> bytes | None:
        """Returns the request's body; None if the client died before it had sent all of it."""
        length = int(self.headers.get("Content-Length", 0))
        data = self.rfile.read(length)
        if len(data) < length:
            return None
        if "aws-chunked" not in self.headers.get("Content-Encoding", ""):
            return data
        found = b""
        while data:
            size, _, rest = data.partition(b"\r\n")
            chunk = int(size.partition(b";")[0], 16)
            if not chunk:
                break
            found, data = found + rest[:chunk], rest[chunk + 2 :]
        return found

    def _answer(self, key: str, query: Mapping[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        with self._bucket.lock:
            if self.command == "PUT":
                return self._put(key, body)
            if self.command == "POST":
                for name in re.findall(rb"<Key>(.*?)</Key>", body, re.DOTALL):
                    self._bucket.delete(_unescaped(name.decode()))
                return 200, {}, b"<DeleteResult/>"
            if self.command == "DELETE":
                self._bucket.delete(key)
                return 204, {}, b""
            if not key:
                return 200, {}, self._list(query)
            found = self._bucket.objects.get(key)
            if found is None:
                return 404, {}, _error("NoSuchKey")
            headers = {"ETag": f'"{found.etag}"', "Last-Modified": "Thu, 01 Jan 2026 12:00:00 GMT"}
            headers |= {f"x-amz-meta-{name}": value for name, value in found.metadata.items()}
            return 200, headers, found.data

    def _put(self, key: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        known = self._bucket.objects.get(key)
        ignores = self.server.ignores_conditions is not None and self.server.ignores_conditions.search(key)
        if not ignores:
            if self.headers.get("If-None-Match") == "*" and known is not None:
                return 412, {}, _error("PreconditionFailed")
            if (wanted := self.headers.get("If-Match")) is not None:
                if known is None:
                    return 404, {}, _error("NoSuchKey")
                if known.etag != wanted.strip('"'):
                    return 412, {}, _error("PreconditionFailed")
        names = (name for name in self.headers if name.lower().startswith("x-amz-meta-"))
        metadata = {name.lower().removeprefix("x-amz-meta-"): self.headers[name] for name in names}
        return 200, {"ETag": f'"{self._bucket.put(key, body, metadata)}"'}, b""

    def _list(self, query: Mapping[str, str]) -> bytes:
        prefix = query.get("prefix", "")
        after = query.get("continuation-token") or query.get("start-after", "")
        keys = sorted(self._bucket.objects, key=lambda key: key.encode())
        encoded = [key.encode() for key in keys]
        begin = bisect_left(encoded, max(prefix.encode(), after.encode() + b"\0" if after else b""))
        entries, folders, last, is_cut = list[str](), dict[str, None](), "", False
        size = int(query.get("max-keys", PAGE))
        for key in keys[begin:]:
            if not key.startswith(prefix):
                break
            if len(entries) + len(folders) >= size:
                is_cut = True
                break
            folder, slash, _ = key[len(prefix) :].partition(query.get("delimiter") or "\0")
            if slash and query.get("delimiter"):
                folders[prefix + folder + slash] = None
            else:
                entries.append(key)
            last = key
        name = (lambda key: quote(key, safe="/")) if query.get("encoding-type") == "url" else escape
        contents = "".join(
            f"<Contents><Key>{name(key)}</Key><LastModified>2026-01-01T12:00:00.000Z</LastModified>"
            f"<ETag>&quot;{self._bucket.objects[key].etag}&quot;</ETag>"
            f"<Size>{len(self._bucket.objects[key].data)}</Size></Contents>"
            for key in entries
        )
        contents += "".join(f"<CommonPrefixes><Prefix>{name(key)}</Prefix></CommonPrefixes>" for key in folders)
        token = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if is_cut else ""
        kind = "<EncodingType>url</EncodingType>" if query.get("encoding-type") == "url" else ""
        return (
            f'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><KeyCount>{len(entries)}</KeyCount>{kind}{token}'
            f"<IsTruncated>{str(is_cut).lower()}</IsTruncated>{contents}</ListBucketResult>"
        ).encode()

    def _refuse(self, status: int, code: str) -> None:
        self._send(status, {}, _error(code))

    def _send(self, status: int, headers: Mapping[str, str], data: bytes, *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(data[: len(data) // 2] if cut else data)
        self.wfile.flush()
        if cut:
            self._reset()

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


def _error(code: str) -> bytes:
    return f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>chaos</Message></Error>'.encode()


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
