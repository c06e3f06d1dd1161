"""A run as its store tells it: the manifest, workers' signs of life, outcomes, the fleet."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field

from pdfbatch.records.base import Reason, Record
from pdfbatch.records.chosen import Chosen
from pdfbatch.records.page_set import PageSet


class SourceDocument(NamedTuple):
    """One document of the manifest: a PDF or a picture.

    `key` is relative to INPUT. `output_etag` is the ETag its Markdown had when the manifest was frozen, None if
    there was none: the document is done in this run as soon as its Markdown is there and has another ETag.
    `attempt` counts the outcomes it has had in earlier runs, plus one. `twin` is the input that has the Markdown which
    this one would get (`b.pdf` beside `b.PDF`), "" if there is none.
    """

    key: str
    size: int
    etag: str
    output_etag: str | None = None
    attempt: int = 1
    twin: str = ""


Pages = Annotated[str, AfterValidator(lambda text: str(PageSet.read(text)))]
"""A `PageSet` as text; "" is every page."""


class ReadOptions(Record):
    """How pages are to be read; part of the manifest, so that a resumed run reads the rest the same way."""

    keep_headers: bool = False
    page_seconds: float = Field(default=120.0, gt=0)
    """Deadline for one page in one child process, seconds."""
    memory_mib: int = Field(default=2048, ge=256)
    """What one child process may allocate, MiB."""
    max_retries: int = Field(default=2, ge=0)
    """How often a page is tried again after its child died or ran late, or a document after a store error."""
    dpi: int = Field(default=200, ge=50, le=600)
    """Resolution of the picture that a model's elements are cut from, dots per inch."""
    as_published: bool = False
    """A model gets its pictures as its authors' own programs make them, and no better ones."""
    keep_hidden: bool = False
    """Text that no viewer shows (white on white, covered, outside the page) goes into the Markdown too."""
    join_tables: bool = True
    """A table that goes on over pages becomes one."""
    pages: Pages = ""
    """The pages that are read of every document."""
    failures_in_a_row: int = Field(default=20, ge=0)
    """A worker whose first so many documents all fail for one reason that is not theirs stops; 0: it never does."""


class Manifest(Record):
    """A run as it was frozen at launch: what is to be done, by how many, and how."""

    version: Literal[1] = 1
    run: str
    created: str
    input: str
    output: str
    total_workers: int = Field(ge=1)
    engine: str
    model: str = ""
    """What the engine reads with, pinned: a Hub id with its commit, a folder, an s3:// URL; "" where it has none."""
    image: str = ""
    """The worker image of a fleet, by digest; "" for a run on machines of one's own."""
    ami: str = ""
    """What the fleet's machines boot from."""
    options: ReadOptions = ReadOptions()
    chosen: Chosen = Chosen()
    """What of `input` was asked for; `documents` is what is left of it."""
    password_secret: str = ""
    """ARN of the secret that holds the passwords of encrypted documents, for a fleet; never a password."""
    retry_of: str | None = None
    """The run whose failures this run retries."""
    follows: str | None = None
    """The run before this one: pages that it read of documents it did not finish are taken from its checkpoints."""
    skipped: int = 0
    """Documents of the input that needed nothing when the manifest was frozen."""
    documents: list[SourceDocument]


class CurrentRun(Record):
    """The pointer at `.pdfbatch/current.json`: claimed by a conditional write, so that slices agree on one run."""

    run: str


OutcomeKind = Literal["ok", "partial", "failed"]


class DoubtfulPage(NamedTuple):
    """A page that was read and may be wrong: its document's key, its number, its score from 0 to 1."""

    key: str
    page: int
    score: float


class ModelUse(Record):
    """What a model did for some pages."""

    elements: int = 0
    """That it read on pages of the text layer."""
    tokens: int = 0
    """That it decoded, in all."""
    whole_tokens: int = 0
    """Of these, for pages that it read whole."""
    seconds: float = 0.0
    """That it computed."""


class Outcome(Record):
    """One ledger line: what became of one document."""

    key: str
    outcome: OutcomeKind
    reason: Reason | None = None
    pages: int = 0
    """Of those that were asked for, the ones that it has."""
    asked_pages: str = ""
    """As in `ReadOptions.pages`."""
    absent_pages: str = ""
    """What of these lies behind its end, as `7,12-14`."""
    failed_pages: list[tuple[int, Reason]] = []
    flagged_pages: list[tuple[int, str]] = []
    read_by: dict[str, int] = {}
    """Pages by what read them, as in `PageResult.read_by`."""
    model_use: ModelUse = ModelUse()
    scores: dict[str, int] = {}
    """Read pages by score, cut to a tenth."""
    doubtful: list[DoubtfulPage] = []
    """The worst of them."""
    engine: str = ""
    seconds: float = 0.0
    output: str | None = None
    etag: str = ""
    size: int = 0
    """Bytes of the PDF."""
    attempt: int = 1
    worker: int = 0
    at: str = ""
    detail: str = ""
    """One sentence for a person: what the library said."""


def _is_stamp(value: str) -> str:
    datetime.fromisoformat(value)
    return value


Stamp = Annotated[str, AfterValidator(_is_stamp)]


WorkerState = Literal["starting", "running", "draining", "done", "interrupted", "failed"]


class Counts(Record):
    """Progress of one slice. `done` = ok + partial + failed + skipped; pages are those of this run."""

    total: int = 0
    ok: int = 0
    partial: int = 0
    failed: int = 0
    skipped: int = 0
    pages_read: int = 0
    pages_failed: int = 0
    pages_resumed: int = 0
    """Of those read, the ones taken from checkpoints."""
    pages_here: int = 0
    """Pages that this process tried itself."""
    read_by: dict[str, int] = {}
    """Pages by what read them, as in `PageResult.read_by`."""
    model_use: ModelUse = ModelUse()
    scores: dict[str, int] = {}
    """Read pages by score, as in `Outcome.scores`."""
    doubtful: list[DoubtfulPage] = []
    """The worst of them."""
    reasons: dict[str, int] = {}
    shorter: int = 0
    """Documents that end before some of the pages that were asked for."""

    @property
    def done(self) -> int:
        return self.ok + self.partial + self.failed + self.skipped


class Machine(Record):
    """The EC2 instance a fleet's worker is on, as its boot script tells it."""

    instance: str
    type: str = ""
    zone: str = ""
    booted: Stamp


class WorkerSession(Record):
    """What one machine gave a slice: from its boot by its first sign of life to its last one."""

    machine: Machine
    started: Stamp
    until: Stamp
    pages: int = 0
    """Pages it tried itself."""
    notice: Stamp | None = None
    """When AWS announced that it would take the machine, if it did."""


class Heartbeat(Record):
    """`workers/worker-I.json`, overwritten about every 15 s by the living worker."""

    worker: int
    state: WorkerState
    counts: Counts
    pages_per_second: float = 0.0
    eta_seconds: float | None = None
    seconds: float = 0.0
    """Wall time of this process so far."""
    started: Stamp
    at: Stamp
    host: str = ""
    pid: int = 0
    born: str = ""
    """When that process began, as its kernel tells it: another process with the same pid has another."""
    reading: list[str] = []
    """What each child is reading now, for people."""
    machine: Machine | None = None
    """None on machines of one's own."""
    notice: Stamp | None = None
    """When AWS announced that it will take this machine."""
    past: list[WorkerSession] = []
    """The machines that had this slice before, oldest first."""
    dollars: float = 0.0
    """What the slice's machines cost so far, this one and those before it; 0.0 where the run has no cap."""
    price: float = 0.0
    """Dollars an hour of this machine now, all in; 0.0 where the run has no cap."""


Ending = Literal["done", "interrupted", "deadline", "failed", "gave_up", "failing", "over_budget"]
FINAL_ENDINGS = frozenset[Ending]({"done", "deadline", "gave_up", "failing", "over_budget"})
"""After these no other machine takes the slice up in this run; `gave_up` is said by the boot script, not the worker."""


class DoneMark(Record):
    """`done/worker-I.json`: why this worker ended."""

    worker: int
    why: Ending
    at: Stamp
    counts: Counts = Counts()
    detail: str = ""
    """For `gave_up`, `failing` and `over_budget`: one sentence for a person."""


class Boot(NamedTuple):
    """A machine of the fleet has begun to boot for a slice. All is in the key, so that one LIST tells every boot:
    `boots/worker-I/STAMP_INSTANCE_TYPE_ZONE`, the stamp like `20261125T194500Z`."""

    worker: int
    machine: Machine


_BOOT_KEY = re.compile(r"boots/worker-(\d+)/(\d{8}T\d{6}Z)_([^_/]+)_([^_/]*)_([^_/]*)$")


def boot_of(key: str) -> Boot | None:
    """The boot that a key tells, None if it is not one."""
    if not (found := _BOOT_KEY.search(key)):
        return None
    worker, stamp, instance, kind, zone = found.groups()
    return Boot(int(worker), Machine(instance=instance, type=kind, zone=zone, booted=stamp))


class FleetRecord(Record):
    """`fleet.json`: what was launched for a run, where, until when and at what price."""

    version: Literal[1] = 1
    run: str
    account: str = ""
    """The AWS account's number; with `region` it says where `down` has to look."""
    region: str
    launched: Stamp
    deadline: Stamp
    """Workers drain now."""
    end: Stamp
    """Machines end themselves now, whatever they do."""
    expiry: Stamp
    """AWS ends the fleets now."""
    instance_types: list[str]
    prices: dict[str, float] = {}
    """Dollars an hour, all in, at launch: by `TYPE@ZONE`, zone as `us-east-1a`."""
    worst_price: float
    """Dollars an hour of one machine where `prices` does not tell."""
    price_ceiling: float = 0.0
    """Dollars an hour, all in, that no machine can exceed: above it AWS interrupts it; 0.0: not known."""
    on_demand_prices: dict[str, float] = {}
    """Dollars an hour, all in, by instance type, at on-demand rates; a type without one is not known."""
    market: Literal["spot", "on-demand"] = "spot"
    max_cost: float | None = None
    """Dollars that the run may spend in all; None: no cap but its time."""
    adder: float = 0.0
    """Dollars an hour of one machine for its disk and public address, on top of the price of the instance."""
    image: str
    ami: str
    log_group: str
    topic: str = ""
    ended: Stamp | None = None
    """When `down` took it all away."""

    def price(self, machine: Machine) -> float:
        return self.prices.get(f"{machine.type}@{machine.zone}", self.worst_price)


class FailureList(Record):
    """`failures/worker-I-failures.json`: every document of the slice that is failed or partial."""

    worker: int
    run: str
    failures: list[Outcome]
