"""The records of a pool: a run whose blocks are handed out by an SQS queue instead of being bound to workers."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import Field, ValidationError

from pdfbatch.records.base import Record
from pdfbatch.records.stamp import Stamp


class BlockId(NamedTuple):
    """A block of a pool: the slice of the manifest that holds its documents, and its number in that slice."""

    slice: int
    number: int

    @property
    def name(self) -> str:
        """Names it in the keys of its lease and its mark."""
        return f"slice-{self.slice}/{self.number:06d}"

    def __str__(self) -> str:
        return f"block {self.number} of slice {self.slice}"


class Pointer(Record):
    """A message in the queue: which block to read. The documents themselves are in the frozen manifest."""

    run: str
    slice: int = Field(ge=0)
    block: int = Field(ge=0)

    @property
    def id(self) -> BlockId:
        return BlockId(self.slice, self.block)


def pointer_of(body: str) -> Pointer | None:
    """Reads a message; None if it is not a pointer."""
    try:
        return Pointer.model_validate_json(body)
    except ValidationError:
        return None


class Pool(Record):
    """`pool.json`: where a pool's queues are, and who its workers are. Only `scale` and `down` change it."""

    version: int = 1
    run: str
    region: str
    queue: str
    """URL of the queue."""
    dead_letters: str
    """URL of the queue of messages that were received too often."""
    acknowledge_seconds: int = Field(default=120, ge=1, le=43_200)
    """How long a worker may take to claim a block that it has received, before the queue hands it out again."""
    process_seconds: int = Field(default=300, ge=1, le=43_200)
    """How long a worker may be silent before its block is handed out again. It renews this time while it works."""
    workers: list[int] = []
    """The ids of the workers that the pool is to have; others end, and give back what they hold."""
    used: int = Field(default=0, ge=0)
    """Ids below this have been used. A worker that is added gets a new one."""
    sweep_seconds: int = Field(default=3600, ge=0)
    """Where the input is watched: how often it is listed, for documents whose event was lost."""


class FinishedBlock(Record):
    """`pool/finished/slice-I/NNNNNN`: all documents of a block have an outcome. Empty stands for the defaults."""

    versions: dict[str, str] = {}
    """The ETags of the documents that were read in another version than the frozen one, by key."""


class Holder(Record):
    """A worker that has held a block. Ledger segments of it before number `segment` have no outcome of the block."""

    worker: int
    segment: int


class Lease(Record):
    """`pool/leases/slice-I/NNNNNN.json`: who reads a block of a pool, and until when. Renewed, given back and taken
    over by conditional writes."""

    worker: int
    session: str
    """The process that holds it, as in `Heartbeat`."""
    at: Stamp
    until: Stamp
    """From then on another worker may take it; `at` if it was given back."""
    losses: int = 0
    """How many holders in a row fell silent without giving it back, and without finishing any of its documents."""
    left: int | None = None
    """How many documents were left when this holder took it."""
    holders: list[Holder] = []

    @property
    def is_given_back(self) -> bool:
        return self.until <= self.at
