"""An S3 prefix as a store. S3 itself writes objects atomically and decides races (If-None-Match, If-Match).

If the response to a conditional write is lost, botocore sends the write again, and it then conflicts with its own
object. Each such write therefore carries a unique mark in its metadata, and a refusal is checked against it.
"""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from pdfbatch import aws
from pdfbatch.aws.errors import translate_refusal
from pdfbatch.errors import NotFound, NotReady, PreconditionFailed, StoreError
from pdfbatch.store import listing
from pdfbatch.store.contract import PROBE_PREFIX, Entry
from pdfbatch.store.file_errors import file_errors
from pdfbatch.store.listing import Page

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DELETE_BATCH = 1000
"""S3's limit for one DeleteObjects."""
FIRST_LOOK_ATTEMPTS = 5
READ_ATTEMPTS = 4
"""For bodies that break off: botocore retries only until the body begins."""
CONFLICT_PAUSES = (0.1, 0.3, 0.7, 1.5)
"""Seconds to wait before retrying a conditional write that conflicted with one in progress."""
CHUNK_BYTES = 1024 * 1024
MOST_KEY_BYTES = 1024
MARK = "pdfbatch-write"
CONTENT_TYPES = {
    ".md": "text/markdown; charset=utf-8",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".png": "image/png",
}

_T = TypeVar("_T")


class S3Store:
    """`s3://bucket/prefix` under the store contract; `prefix` is "" or ends with "/". Etags are S3's without quotes."""

    def __init__(self, bucket: str, prefix: str, client: S3Client | None = None) -> None:
        self.bucket = bucket
        self.prefix = prefix
        self.url = f"s3://{bucket}/{prefix}"
        if client is not None:
            self._client = self._impatient_client = client
            _reads_listings(client)

    def __repr__(self) -> str:
        return f"S3Store({self.url!r})"

    @cached_property
    def _client(self) -> S3Client:
        return _reads_listings(aws.client("s3"))

    @cached_property
    def _impatient_client(self) -> S3Client:
        """For the first request to a location, while a person waits: reports a wrong address within seconds."""
        return aws.client("s3", attempts=FIRST_LOOK_ATTEMPTS)

    def list(
        self,
        prefix: str = "",
        locked: Callable[[str], object] | None = None,  # noqa: ARG002
        *,
        deep: bool = True,
    ) -> Iterator[Entry]:
        """Lists as the contract says. Folder markers (empty objects whose key ends with "/") are left out."""

        def fetch(after: str, token: str) -> Page:
            begin: Any = {"ContinuationToken": token} if token else {"StartAfter": self.prefix + after} if after else {}
            return self._page(prefix, **begin)

        pages = listing.pages(fetch) if deep else (page.entries for page in self._shallow(prefix))
        for entries in pages:
            yield from entries

    def folders(self, folder: str) -> Sequence[str]:
        return [each for page in self._shallow(folder) for each in page.folders]

    def _shallow(self, prefix: str) -> Iterator[Page]:
        page = self._page(prefix, Delimiter="/")
        yield page
        while page.token:
            page = self._page(prefix, Delimiter="/", ContinuationToken=page.token)
            yield page

    def _page(self, prefix: str, **options: Any) -> Page:
        """Returns a page of a listing, with keys relative to the store, without folder markers."""
        with aws.translating(f"list {self.url}{prefix}"):
            answer: Any = self._client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix + prefix, **options)
        if listing.ANSWER not in answer:
            raise StoreError(
                f"Cannot list {self.url}{prefix}: the answer is not a listing.",
                "Check that AWS_ENDPOINT_URL points to a working S3 server.",
            )
        found: listing.Answer = answer[listing.ANSWER]
        at = len(self.prefix)
        rows = [(key[at:], size, etag) for key, size, etag in found.rows]
        entries = [Entry(*row) for row in rows if row[0] and (row[1] or not row[0].endswith("/"))]
        first, last = (rows[0][0], rows[-1][0]) if rows else ("", "")
        return Page(entries, first, last, found.token, [folder[at:] for folder in found.folders])

    def get(self, key: str) -> bytes:
        return self._read(key, lambda body: b"".join(self._chunks(body, key)))

    def fetch(self, key: str, to: Path) -> Path:
        def save(body: Any) -> None:
            with file_errors(f"keep {self.url}{key} as {to}"):
                to.parent.mkdir(parents=True, exist_ok=True)
                with to.open("wb") as file:
                    file.writelines(self._chunks(body, key))

        try:
            self._read(key, save)
        except BaseException:
            with suppress(OSError):
                to.unlink()
            raise
        return to

    def head(self, key: str) -> Entry | None:
        found = self._present(key)
        return Entry(key, found["ContentLength"], _etag(found)) if found else None

    def cannot_hold(self, key: str) -> str:
        length = len((self.prefix + key).encode())
        return (
            f"it has {length} bytes with its prefix, and S3 allows {MOST_KEY_BYTES}" if length > MOST_KEY_BYTES else ""
        )

    def digest(self, key: str) -> str:  # noqa: ARG002
        return ""

    def put(self, key: str, data: bytes) -> str:
        with aws.translating(f"write {self.url}{key}"):
            return _etag(self._client.put_object(Bucket=self.bucket, Key=self.prefix + key, Body=data, **_kind(key)))

    def put_new(self, key: str, data: bytes) -> str:
        return self._put_new(key, data)

    def put_new_file(self, key: str, path: Path) -> str:
        with file_errors(f"read {path}"), path.open("rb") as content:
            return self._put_new(key, content)

    def _put_new(self, key: str, data: bytes | BinaryIO) -> str:
        mark = uuid.uuid4().hex
        try:
            return self._put_on_condition(key, data, mark, IfNoneMatch="*")
        except PreconditionFailed:
            found = self._present(key)
            if found and _mark(found) == mark:
                return _etag(found)
            raise

    def put_if(self, key: str, data: bytes, etag: str) -> str:
        """Writes as the contract says. Some S3 servers accept only unquoted etags here, so if a matching etag is
        refused, the write is tried again without quotes."""
        mark = uuid.uuid4().hex
        try:
            return self._put_on_condition(key, data, mark, IfMatch=f'"{etag}"')
        except PreconditionFailed:
            found = self._present(key)
            if found and _mark(found) == mark:
                return _etag(found)
            if found and _etag(found) == etag:
                return self._put_on_condition(key, data, mark, IfMatch=etag)
            raise

    def delete(self, keys: Iterable[str]) -> None:
        remaining = iter(keys)
        while batch := [*itertools.islice(remaining, DELETE_BATCH)]:
            with aws.translating(f"remove objects from {self.url}"):
                answer = self._client.delete_objects(
                    Bucket=self.bucket,
                    Delete={"Objects": [{"Key": self.prefix + key} for key in batch], "Quiet": True},
                )
            for error in answer.get("Errors", []):
                what = f"remove {self.url}{error.get('Key', '').removeprefix(self.prefix)}"
                raise translate_refusal(error.get("Code", ""), error.get("Message", ""), "DeleteObjects", what)

    def check_readable(self) -> None:
        with aws.translating(f"list {self.url}"):
            self._impatient_client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix, MaxKeys=1)

    def check_writable(self) -> None:
        """Also checks that the server honours If-None-Match: some S3-compatible servers silently ignore it."""
        self.check_readable()
        probe = f"{PROBE_PREFIX}{uuid.uuid4().hex}"
        self.put_new(probe, b"")
        try:
            self.put_new(probe, b"")
        except PreconditionFailed:
            return
        finally:
            self.delete([probe])
        raise NotReady(
            f"The S3 server of {self.url} ignores If-None-Match, so two workers could overwrite each other's files.",
            "Use AWS S3 or a server that supports conditional writes (check AWS_ENDPOINT_URL).",
        )

    def _put_on_condition(self, key: str, data: bytes | BinaryIO, mark: str, **condition: Any) -> str:
        """Writes with a condition. 409 means that another write to the key is in progress: it is tried again."""
        pauses = iter(CONFLICT_PAUSES)
        while True:
            if not isinstance(data, bytes):
                data.seek(0)
            try:
                with aws.translating(f"write {self.url}{key}"):
                    answer = self._client.put_object(
                        Bucket=self.bucket,
                        Key=self.prefix + key,
                        Body=data,
                        Metadata={MARK: mark},
                        **_kind(key),
                        **condition,
                    )
                    return _etag(answer)
            except PreconditionFailed as refusal:
                pause = next(pauses, None)
                if pause is None or refusal.code != "ConditionalRequestConflict":
                    raise
                time.sleep(pause)
            except NotFound as error:
                if error.code == "NoSuchBucket":
                    raise
                raise PreconditionFailed(error.message, error.hint) from error  # If-Match on a deleted object

    def _read(self, key: str, take: Callable[[Any], _T]) -> _T:
        """Passes the body to `take`, starting over if it breaks off."""
        attempts = itertools.count(1)
        while True:
            with aws.translating(f"read {self.url}{key}"):
                body = self._client.get_object(Bucket=self.bucket, Key=self.prefix + key)["Body"]
            try:
                return take(body)
            except StoreError as error:
                if next(attempts) == READ_ATTEMPTS or not error.broke_off:
                    raise

    def _chunks(self, body: Any, key: str) -> Iterator[bytes]:
        with aws.translating(f"read {self.url}{key}"):
            yield from body.iter_chunks(CHUNK_BYTES)

    def _present(self, key: str) -> Any:
        """Returns the response to HEAD; None if there is no such object."""
        try:
            with aws.translating(f"read {self.url}{key}"):
                return self._client.head_object(Bucket=self.bucket, Key=self.prefix + key)
        except NotFound:
            return None


def _reads_listings(client: S3Client) -> S3Client:
    event = "before-parse.*.ListObjectsV2"  # with the star it comes before botocore's own handler, which parses too
    client.meta.events.register(event, listing.take_answer, unique_id="pdfbatch-listing")
    return client


def _kind(key: str) -> dict[str, Any]:
    """Returns the content type, so that a browser shows the object instead of saving it."""
    kind = CONTENT_TYPES.get(PurePosixPath(key).suffix)
    return {"ContentType": kind} if kind else {}


def _etag(answer: Any) -> str:
    return str(answer["ETag"]).strip('"')


def _mark(answer: Any) -> str | None:
    mark: str | None = answer.get("Metadata", {}).get(MARK)
    return mark
