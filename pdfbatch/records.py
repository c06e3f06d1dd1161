"""Shapes and keys of everything a run writes to its store. Pure: no I/O, no clock.

A run's state lies under `OUT/.pdfbatch/RUN/`; the Markdown itself lies beside it, `IN/a/b.pdf` → `OUT/a/b.md`.
All times are UTC, ISO 8601, whole seconds or better. Page numbers count from 1.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Annotated, Literal, NamedTuple
from urllib.parse import quote

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

STATE_PREFIX = ".pdfbatch/"
CURRENT_RUN_KEY = STATE_PREFIX + "current.json"


class Reason(StrEnum):
    """Why a page or document could not be read; stable strings, see `RETRYABLE`."""

    EMPTY_FILE = "empty_file"
    NOT_A_PDF = "not_a_pdf"
    CORRUPT = "corrupt"
    ENCRYPTED = "encrypted"
    NO_PAGES = "no_pages"
    TOO_LARGE = "too_large"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    OUT_OF_MEMORY = "out_of_memory"
    NEEDS_OCR = "needs_ocr"
    ENGINE_ERROR = "engine_error"
    REPETITION = "repetition"
    MISSING = "missing"
    STORE_ERROR = "store_error"
    NAME_CLASH = "name_clash"
    XFA_FORM = "xfa_form"

    @property
    def retryable(self) -> bool:
        """Whether the same file may fare better another time (another machine, engine or moment)."""
        return self in RETRYABLE

    @property
    def is_hopeless(self) -> bool:
        """Whether the same file must fail again, on whatever machine and with whatever engine."""
        return self in HOPELESS

    @property
    def is_environmental(self) -> bool:
        """Whether the machine, the engine or the store is at fault rather than the file."""
        return self in ENVIRONMENTAL


RETRYABLE = frozenset(
    {
        Reason.TIMEOUT,
        Reason.CRASHED,
        Reason.OUT_OF_MEMORY,
        Reason.NEEDS_OCR,
        Reason.ENGINE_ERROR,
        Reason.REPETITION,
        Reason.STORE_ERROR,
    }
)

HOPELESS = frozenset(
    {Reason.EMPTY_FILE, Reason.NOT_A_PDF, Reason.ENCRYPTED, Reason.NO_PAGES, Reason.NAME_CLASH, Reason.XFA_FORM}
)

ENVIRONMENTAL = frozenset({Reason.ENGINE_ERROR, Reason.STORE_ERROR, Reason.OUT_OF_MEMORY, Reason.CRASHED})


class Record(BaseModel):
    """Base of what is written: frozen; unknown fields are kept out but tolerated when read (newer writers)."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="null")


class SourceDocument(NamedTuple):
    """One PDF of the manifest.

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
    pipe_tables: bool = False
    """Tables without spanning cells become pipe tables, where a model writes HTML."""
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


class Element(Record):
    """One element of a page as a model saw it, in reading order."""

    label: str
    """The model's own name for its kind: `para`, `sec_1`, `tab`, …"""
    box: tuple[int, int, int, int]
    """Left, top, right, bottom in pixels of the page's picture; the latter two exclusive."""
    order: int
    text: str = ""
    """As the model wrote it, before the rules of Markdown."""
    tags: list[str] = []
    flags: list[str] = []
    """`truncated`, `looped`, `nan`, `memory`, `retried`, `blank`, `tiny`."""
    figure: str | None = None
    """File name under the document's figures."""


class Picture(Record):
    """The picture a page was read from: pixels, and dots per inch."""

    width: int
    height: int
    dpi: float


class PageResult(Record):
    """What became of one page. `reason` None means it was read (a blank page: Markdown "")."""

    number: int = Field(ge=1)
    markdown: str = ""
    reason: Reason | None = None
    read_by: str = ""
    """What read it: `text` (text layer), `plain` (text layer, without layout), `ocr`, `blank`, `dolphin`."""
    flags: list[str] = []
    """What a person may want to check: `words_lost`, `ocr_turned`, `truncated`, `no_layout`, `layout_truncated`, …"""
    seconds: float = 0.0
    detail: str = ""
    """For an unread page: one sentence for a person."""
    head: str = ""
    """The end of a paragraph that began on the page before; comes before `markdown`."""
    is_open: bool = False
    """The last paragraph of `markdown` goes on on the next page."""
    tail: str = ""
    """What comes after a paragraph that is open: footnotes."""
    elements: list[Element] = []
    picture: Picture | None = None


class DocumentElements(Record):
    """`OUT/a/b.json`: what a model saw on each page of a document, element by element, in the order of reading."""

    version: Literal[1] = 1
    key: str
    etag: str
    engine: str
    model: str
    pages: list[PageElements]


class PageElements(Record):
    number: int
    reason: Reason | None
    read_by: str
    flags: list[str]
    picture: Picture | None
    elements: list[Element]


class Checkpoint(Record):
    """Finished pages of an unfinished document; `etag` is the input's, pages of another version are not used."""

    key: str
    etag: str
    pages: list[PageResult]


OutcomeKind = Literal["ok", "partial", "failed"]


class Outcome(Record):
    """One ledger line: what became of one document."""

    key: str
    outcome: OutcomeKind
    reason: Reason | None = None
    pages: int = 0
    failed_pages: list[tuple[int, Reason]] = []
    flagged_pages: list[tuple[int, str]] = []
    read_by: dict[str, int] = {}
    """Pages by what read them, as in `PageResult.read_by`."""
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
    reasons: dict[str, int] = {}

    @property
    def done(self) -> int:
        return self.ok + self.partial + self.failed + self.skipped


class Machine(Record):
    """The EC2 instance a fleet's worker is on, as its boot script tells it."""

    instance: str
    type: str = ""
    zone: str = ""
    booted: Stamp


class Life(Record):
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
    past: list[Life] = []
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


def output_key(key: str) -> str:
    """The Markdown's key for a PDF's key: the last four characters are `.pdf` in any case."""
    return key[: -len(".pdf")] + ".md"


def elements_key(key: str) -> str:
    """Where the elements of a PDF's pages lie, for engines that tell them."""
    return key[: -len(".pdf")] + ".json"


def figures_prefix(key: str) -> str:
    """The folder of a PDF's figures."""
    return key[: -len(".pdf")] + "/figures/"


def figures_link(key: str) -> str:
    """The same as the Markdown links to it, percent-encoded."""
    return quote(figures_prefix(key)[key.rfind("/") + 1 :])


def is_pdf_key(key: str) -> bool:
    path = PurePosixPath(key)
    return path.suffix.lower() == ".pdf" and path.name.lower() != ".pdf" and not key.startswith(STATE_PREFIX)


class RunKeys:
    """Keys of one run's state, relative to OUTPUT."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.prefix = f"{STATE_PREFIX}{run}/"
        self.manifest = self.prefix + "manifest.json.gz"
        self.workers = self.prefix + "workers/"
        self.ledger = self.prefix + "ledger/"
        self.failures = self.prefix + "failures/"
        self.checkpoints = self.prefix + "checkpoints/"
        self.done = self.prefix + "done/"
        self.fleet = self.prefix + "fleet.json"
        self.boots = self.prefix + "boots/"
        self.completed = self.prefix + "completed.json"

    def heartbeat(self, worker: int) -> str:
        return f"{self.workers}worker-{worker}.json"

    def strikes_of(self, worker: int) -> str:
        """Prefix of the boots of a worker that have brought nothing yet: its boot script adds one and counts them, the
        worker removes them when it has got something done."""
        return f"{self.prefix}strikes/worker-{worker}/"

    def boot_logs_of(self, worker: int) -> str:
        """Prefix of what the boot scripts of a worker's machines said, one file for each."""
        return f"{self.prefix}logs/worker-{worker}/"

    def ledger_of(self, worker: int) -> str:
        return f"{self.ledger}worker-{worker}/"

    def ledger_segment(self, worker: int, number: int) -> str:
        return f"{self.ledger_of(worker)}{number:06d}.jsonl"

    def failure_list(self, worker: int) -> str:
        return f"{self.failures}worker-{worker}-failures.json"

    def done_mark(self, worker: int) -> str:
        return f"{self.done}worker-{worker}.json"

    def checkpoints_of(self, key: str) -> str:
        """Prefix of one document's checkpoints; a digest, because keys may hold anything and be long."""
        return f"{self.checkpoints}{hashlib.sha256(key.encode()).hexdigest()[:24]}/"

    def checkpoint(self, key: str, number: int) -> str:
        return f"{self.checkpoints_of(key)}{number:06d}.json"
