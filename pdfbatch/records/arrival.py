"""Records of documents that arrive while a pool watches its input, and the messages that announce them."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote_plus

from pydantic import Field, ValidationError

from pdfbatch.records.base import Record
from pdfbatch.records.keys import place_of
from pdfbatch.records.run import SourceDocument
from pdfbatch.records.stamp import Stamp


class ArrivalId(NamedTuple):
    """An arrival, which is handed out like a block: the place of its Markdown, and its number there, from 1."""

    place: str
    number: int

    @property
    def name(self) -> str:
        """Names it in the keys of its record, its lease and its mark."""
        return f"arrived/{self.place}/{self.number:06d}"

    def __str__(self) -> str:
        return "the arrived document"


class Arrival(Record):
    """`pool/arrived/PLACE/NNNNNN.json`: extends the frozen manifest by a document, or by a new version of one. Written
    only if absent. The next one at the same place is written when this one is finished."""

    key: str
    """Relative to INPUT, as in the manifest."""
    size: int
    etag: str
    output_etag: str | None = None
    attempt: int = 1
    twin: str = ""
    number: int = Field(ge=1)
    at: Stamp

    @property
    def id(self) -> ArrivalId:
        return ArrivalId(place_of(self.key), self.number)

    @property
    def document(self) -> SourceDocument:
        return SourceDocument(self.key, self.size, self.etag, self.output_etag, self.attempt, self.twin)


class Arrived(Record):
    """A message in a pool's queue: a document that may be new. Sent where S3 has sent none."""

    run: str
    arrived: str
    """Its key."""


class SweepRecord(Record):
    """`pool/sweep.json`: when a worker began to list the watched input. Overwritten by conditional writes."""

    worker: int
    at: Stamp


class _Named(Record):
    name: str


class _Object(Record):
    key: str


class _S3(Record):
    bucket: _Named
    object: _Object


class _S3Event(Record):
    event: str = Field(alias="eventName", pattern=r"^(s3:)?ObjectCreated:")
    s3: _S3


class _S3Message(Record):
    events: list[_S3Event] = Field(alias="Records")


def objects_in(body: str) -> list[tuple[str, str]]:
    """Reads a message that S3 has sent: the bucket and key of each object that was created. Other messages of S3
    (`s3:TestEvent`, deletions) and of anybody else have none. What else S3 says is not used: events come late, twice
    and out of order, so the object itself is asked.

    Source: S3 user guide, "Event message structure": keys are URL-encoded, with `+` for a space.
    """
    try:
        found = _S3Message.model_validate_json(body)
    except ValidationError:
        return []
    return [(each.s3.bucket.name, unquote_plus(each.s3.object.key)) for each in found.events]


def arrived_of(body: str) -> Arrived | None:
    """Reads a message of our own; None if it is another."""
    try:
        return Arrived.model_validate_json(body)
    except ValidationError:
        return None
