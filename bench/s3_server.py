"""A fast S3 server in memory, for measuring many keys: `python -m bench.s3_server [--latency MS] [--page N]`.

Prints its port, and ends when its stdin does. It checks no signatures, and a bucket exists as soon as it is named. It
answers GET, HEAD, PUT (with If-None-Match and If-Match), DELETE, DeleteObjects and ListObjectsV2.

POST `/_seed/BUCKET` makes many objects at once: a JSON object from key to content, or to a size for an object whose
content nobody reads. GET `/_requests` returns the number of requests by kind since the last time, and with a latency
how many ran at once.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import sys
import threading
import zlib
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import parse_qs, quote_plus, unquote
from xml.sax.saxutils import escape, unescape

LAST = chr(0x10FFFF)
_STAMP = "2026-01-01T00:00:00.000Z"
_HTTP_STAMP = "Thu, 01 Jan 2026 00:00:00 GMT"


class Object(NamedTuple):
    body: bytes
    size: int
    etag: str
    mark: str = ""
    """Its metadata `pdfbatch-write`."""


class Answer(NamedTuple):
    status: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    length: int | None = None
    """Of the content, for HEAD."""


@dataclass
class Bucket:
    """Objects by key, with the keys in order; after many changes they are sorted again when they are needed."""

    objects: dict[str, Object] = field(default_factory=dict)
    _order: list[str] | None = field(default_factory=list)

    def order(self) -> list[str]:
        if self._order is None:
            self._order = sorted(self.objects)
        return self._order

    def put(self, key: str, found: Object) -> None:
        if key not in self.objects and self._order is not None:
            insort(self._order, key)
        self.objects[key] = found

    def seed(self, wanted: dict[str, str | int]) -> None:
        for key, content in wanted.items():
            if isinstance(content, int):
                self.objects[key] = Object(b"", content, etag_of(key))
            else:
                self.objects[key] = _object(content.encode())
        self._order = None

    def delete(self, keys: list[str]) -> None:
        for key in keys:
            self.objects.pop(key, None)
        self._order = None


def etag_of(key: str) -> str:
    """Returns the ETag of an object without content."""
    return f"{zlib.crc32(key.encode()):08x}" * 4


def _object(body: bytes, mark: str = "") -> Object:
    return Object(body, len(body), hashlib.md5(body).hexdigest(), mark)


class Server:
    def __init__(self, page: int = 1000, *, ignores_start_after: bool = False) -> None:
        self._buckets: dict[str, Bucket] = {}
        self._page = page
        self._ignores_start_after = ignores_start_after
        self.requests: Counter[str] = Counter()
        self.running = 0

    def answer(self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
        name, _, key = path.lstrip("/").partition("/")
        if name == "_requests":
            counted, self.requests = self.requests, Counter()
            return Answer("200 OK", json.dumps(counted).encode())
        bucket = self._buckets.setdefault(key if name == "_seed" else name, Bucket())
        if name == "_seed":
            bucket.seed(json.loads(body))
            return Answer("200 OK")
        if not key:
            return self._of_bucket(bucket, method, query, body)
        self.requests[method] += 1
        if method == "PUT":
            return self._put(bucket, key, headers, body)
        if method == "DELETE":
            bucket.delete([key])
            return Answer("204 No Content")
        found = bucket.objects.get(key)
        if found is None:
            return _refused("404 Not Found", "NoSuchKey")
        shown = (("ETag", f'"{found.etag}"'), ("Last-Modified", _HTTP_STAMP), ("x-amz-meta-pdfbatch-write", found.mark))
        return (
            Answer("200 OK", headers=shown, length=found.size)
            if method == "HEAD"
            else Answer("200 OK", found.body, shown)
        )

    def _of_bucket(self, bucket: Bucket, method: str, query: dict[str, str], body: bytes) -> Answer:
        if "delete" in query:
            self.requests["DeleteObjects"] += 1
            keys = body.decode().split("<Key>")[1:]
            bucket.delete([unescape(part.partition("</Key>")[0]) for part in keys])
            return Answer("200 OK", b"<DeleteResult/>")
        if "list-type" in query:
            self.requests["LIST"] += 1
            return Answer("200 OK", self._page_of(bucket, query).encode())
        return Answer("200 OK", b"<LocationConstraint/>" if method == "GET" else b"")

    def _put(self, bucket: Bucket, key: str, headers: dict[str, str], body: bytes) -> Answer:
        there, wanted = bucket.objects.get(key), headers.get("if-match")
        if "if-none-match" in headers and there is not None:
            return _refused("412 Precondition Failed", "PreconditionFailed")
        if wanted is not None and (there is None or there.etag != wanted.strip('"')):
            return _refused("412 Precondition Failed", "PreconditionFailed")
        made = _object(body, headers.get("x-amz-meta-pdfbatch-write", ""))
        bucket.put(key, made)
        return Answer("200 OK", headers=(("ETag", f'"{made.etag}"'),))

    def _page_of(self, bucket: Bucket, query: dict[str, str]) -> str:
        """Returns one page of a listing."""
        order, prefix, cut = bucket.order(), query.get("prefix", ""), query.get("delimiter", "")
        most = min(self._page, int(query.get("max-keys", "1000")))
        after = "" if self._ignores_start_after else query.get("start-after", "")
        after = query.get("continuation-token", after)
        at = max(bisect_left(order, prefix), bisect_right(order, after) if after else 0)
        rows, last = list[str](), ""
        while len(rows) < most and at < len(order) and order[at].startswith(prefix):
            last = order[at]
            end = last.find(cut, len(prefix)) if cut else -1
            if end >= 0:
                folder = last[: end + len(cut)]
                last = folder + LAST
                at = bisect_right(order, last)
                rows.append(f"<CommonPrefixes><Prefix>{quote_plus(folder, '/')}</Prefix></CommonPrefixes>")
                continue
            found = bucket.objects[last]
            rows.append(
                f"<Contents><Key>{quote_plus(last, '/')}</Key><LastModified>{_STAMP}</LastModified>"
                f"<ETag>&quot;{found.etag}&quot;</ETag><Size>{found.size}</Size>"
                "<StorageClass>STANDARD</StorageClass></Contents>"
            )
            at += 1
        more = at < len(order) and order[at].startswith(prefix)
        token = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if more else ""
        return (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<EncodingType>url</EncodingType><IsTruncated>{str(more).lower()}</IsTruncated>{token}{''.join(rows)}"
            "</ListBucketResult>"
        )


def _refused(status: str, code: str) -> Answer:
    return Answer(status, f"<Error><Code>{code}</Code><Message>as asked</Message></Error>".encode())


async def _serve(server: Server, latency: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = head[0].split(" ")
            fields = (line.partition(":") for line in head[1:] if line)
            headers = {name.lower(): value.strip() for name, _, value in fields}
            if headers.get("expect"):
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            path, _, text = target.partition("?")
            query = {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}
            answer = server.answer(method, unquote(path), query, headers, body)
            if latency:
                server.running += 1
                server.requests["at once"] = max(server.requests["at once"], server.running)
                await asyncio.sleep(latency)
                server.running -= 1
            writer.write(_as_bytes(answer))
    except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
        writer.close()


def _as_bytes(answer: Answer) -> bytes:
    length = len(answer.body) if answer.length is None else answer.length
    rows = [f"HTTP/1.1 {answer.status}", f"Content-Length: {length}", *(f"{a}: {b}" for a, b in answer.headers)]
    return "\r\n".join([*rows, "", ""]).encode() + answer.body


async def _run(server: Server, latency: float) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _serve(server, latency, reader, writer)

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20)
    print(listening.sockets[0].getsockname()[1], flush=True)
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(ended.set)), daemon=True).start()
    await ended.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.s3_server")
    parser.add_argument("--latency", type=float, default=0.0, help="milliseconds before each answer")
    parser.add_argument("--page", type=int, default=1000, help="most keys of a page of a listing")
    parser.add_argument("--ignores-start-after", action="store_true")
    asked = parser.parse_args()
    asyncio.run(_run(Server(asked.page, ignores_start_after=asked.ignores_start_after), asked.latency / 1000))


if __name__ == "__main__":
    main()
