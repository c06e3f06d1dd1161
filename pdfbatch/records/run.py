"""The records of a run: the manifest, the workers' heartbeats and done marks, outcomes, the fleet."""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field

from pdfbatch.records.base import Reason, Record
from pdfbatch.records.chosen import Chosen
from pdfbatch.records.command import Command
from pdfbatch.records.endpoint import EndpointOptions, EndpointUse
from pdfbatch.records.page_set import PageSet
from pdfbatch.records.processor import ProcessorSpec
from pdfbatch.records.stamp import Stamp
from pdfbatch.records.triage import Triage


class SourceDocument(NamedTuple):
    """One document of the manifest: a PDF or an image.

    `key` is relative to INPUT. `output_etag` is the ETag its Markdown had when the manifest was frozen, None if
    there was none: the document is done in this run as soon as its Markdown exists and has another ETag.
    `attempt` is one more than the outcomes it had in earlier runs. `twin` is the input that already uses the same
    Markdown name (`b.pdf` beside `b.PDF`), "" if there is none.

    A very long document has several entries, one for each of its `parts`: `part` counts from 1, and is 0 in an entry
    for a whole document. `pages` is its length as an earlier run found it, 0 if unknown. `copies` are documents with
    the same content: they are not read, and get the same Markdown.
    """

    key: str
    size: int
    etag: str
    output_etag: str | None = None
    attempt: int = 1
    twin: str = ""
    pages: int = 0
    part: int = 0
    parts: int = 1
    copies: tuple[SourceDocument, ...] = ()
    is_read: bool = False
    """Its pages were read by an earlier run: it only lacks files of processors, and its Markdown stays as it is."""

    @property
    def is_part(self) -> bool:
        return self.part > 0

    @property
    def is_assembled(self) -> bool:
        """Whether it stands for a whole document whose parts were read before."""
        return self.parts > 1 and not self.part

    @property
    def documents(self) -> int:
        """The number of documents that this entry stands for: a part counts only in its first one."""
        return 0 if self.part > 1 else 1 + len(self.copies)


Pages = Annotated[str, AfterValidator(lambda text: str(PageSet.read(text)))]
"""A `PageSet` as text; "" means every page."""


Fallback = Literal["", "endpoint"]


class ReadOptions(Record):
    """How to read pages; part of the manifest, so that a resumed run reads the rest the same way."""

    keep_headers: bool = False
    page_seconds: float = Field(default=120.0, gt=0)
    """Time limit for one page in one child process, in seconds."""
    memory_mib: int = Field(default=2048, ge=256)
    """Memory limit of one child process, in MiB."""
    max_retries: int = Field(default=2, ge=0)
    """How often a page is retried after its child died or timed out, or a document after a store error."""
    dpi: int = Field(default=200, ge=50, le=600)
    """Resolution of the image that the model's elements are cut from, in dots per inch."""
    as_published: bool = False
    """Prepare the model's images exactly as its authors' own programs do."""
    keep_hidden: bool = False
    """Include text that no viewer shows (white on white, covered, outside the page) in the Markdown."""
    join_tables: bool = True
    """Join a table that continues over several pages."""
    pages: Pages = ""
    """The pages to read of every document."""
    failures_in_a_row: int = Field(default=20, ge=0)
    """Stop a worker if this many of its first documents all fail for one reason not caused by the files; 0: never."""
    endpoint: EndpointOptions | None = None
    """The model behind an address, for the engine `endpoint` and as `fallback`."""
    fallback: Fallback = ""
    """What reads pages again that the engine could not read, or not well; "": nothing."""
    fallback_below: float = Field(default=0.9, ge=0, le=1)
    """Pages with a lower score were not read well."""
    fallback_elements: bool = False
    """On other pages, it reads formulas, unclear tables and the like."""
    triage: Triage | None = None
    """What decides, in place of the rules, which pages the model reads."""
    command: Command = Command()
    """What the engine `command` runs."""
    also: list[ProcessorSpec] = []
    """The processors that make more files of the read pages."""
    also_seconds: float = Field(default=600.0, gt=0)
    """Time limit for one task of a processor in one child process, in seconds."""


class Manifest(Record):
    """A run as frozen at launch: how many documents to convert, with how many workers, and how. The documents
    themselves are in `slices/worker-I.jsonl.gz`, see `runs/slices.py`."""

    version: Literal[2] = 2
    run: str
    created: Stamp
    input: str
    output: str
    total_workers: int = Field(ge=1)
    engine: str
    model: str = ""
    """The engine's model, pinned: a Hub id with its commit, a folder, an s3:// URL; "" if it has none."""
    pdfbatch: str = ""
    """The version of pdfbatch that froze it; "" in manifests of earlier versions."""
    image: str = ""
    """The worker image of a fleet, by digest; "" for a run on your own machine."""
    ami: str = ""
    """The AMI of the fleet's instances."""
    options: ReadOptions = ReadOptions()
    chosen: Chosen = Chosen()
    """The part of `input` that was requested; the documents are what is left of it."""
    password_secret: str = ""
    """ARN of the secret with the passwords of encrypted documents, for a fleet; never a password."""
    events: list[str] = []
    """The addresses of the sinks that get an event for each outcome; no secrets. See `SinkAddress`."""
    events_secret: str = ""
    """ARN of the secret with what these sinks need, for a fleet; never the secret itself."""
    retry_of: str | None = None
    """The run whose failures this run retries."""
    follows: str | None = None
    """The run before this one, whose checkpoints of unfinished documents are reused."""
    skipped: int = 0
    """Documents of the input that were already done when the manifest was frozen."""
    slices: list[int]
    """The number of documents in each worker's slice."""
    entries: list[int] = []
    """The number of entries in each slice: of documents without copies, and of parts; [] in a manifest of version 1."""
    pool_blocks: list[list[int]] = []
    """The blocks of each slice of a pool, by the number of entries before their ends; [] in a run that is not one."""

    watches_input: bool = False
    """Of a pool: whether it also reads what arrives in the input, until `down`."""

    @property
    def is_pool(self) -> bool:
        """Whether any worker reads any block, as a queue hands them out."""
        return bool(self.pool_blocks)

    @property
    def documents(self) -> int:
        """The number of documents of the run."""
        return sum(self.slices)


class CurrentRun(Record):
    """The pointer at `.pdfbatch/current.json`: claimed by a conditional write, so that all slices use one run."""

    run: str


OutcomeKind = Literal["ok", "partial", "failed"]


class DoubtfulPage(NamedTuple):
    """A page that was read but may be wrong: its document's key, its number, its score from 0 to 1."""

    key: str
    page: int
    score: float


class ModelUse(Record):
    """The model's work for some pages."""

    elements: int = 0
    """Elements it read on pages whose text layer was used."""
    tokens: int = 0
    """All tokens it decoded."""
    whole_tokens: int = 0
    """The part of `tokens` for pages it read whole."""
    seconds: float = 0.0
    """Its computing time."""
    endpoint: EndpointUse = EndpointUse()
    """What an endpoint did for them; not counted in the other numbers."""


class Outcome(Record):
    """One ledger line: the outcome of one document."""

    key: str
    outcome: OutcomeKind
    reason: Reason | None = None
    pages: int = 0
    """The number of requested pages that it has."""
    asked_pages: str = ""
    """As in `ReadOptions.pages`."""
    absent_pages: str = ""
    """The requested pages after its end, such as `7,12-14`."""
    failed_pages: list[tuple[int, Reason]] = []
    flagged_pages: list[tuple[int, str]] = []
    read_by: dict[str, int] = {}
    """Number of pages by reader, as in `PageResult.read_by`."""
    model_use: ModelUse = ModelUse()
    scores: dict[str, int] = {}
    """Number of read pages by score, rounded down to a tenth."""
    doubtful: list[DoubtfulPage] = []
    """The worst of them."""
    engine: str = ""
    seconds: float = 0.0
    output: str | None = None
    etag: str = ""
    digest: str = ""
    """Of the content, as in `Store.digest`; "" in S3, and in the records of earlier versions."""
    size: int = 0
    """Bytes of the PDF."""
    attempt: int = 1
    worker: int = 0
    at: Annotated[Stamp | None, BeforeValidator(lambda text: text or None)] = None
    detail: str = ""
    """One sentence for a person, such as the library's error."""
    same_as: str = ""
    """The document with the same content whose pages were read; "" if this one's were."""
    parts: int = 1
    """The number of parts that it was read in, by several workers."""
    processed: dict[str, str] = {}
    """The processors whose files are beside its Markdown, with their versions and options; see `ProcessorResults`."""
    unprocessed: dict[str, str] = {}
    """The processors that failed, and why."""

    @property
    def pages_are_its_own(self) -> bool:
        """Whether its worker read its pages for it alone."""
        return not self.same_as and self.parts == 1


WorkerState = Literal["starting", "running", "draining", "done", "interrupted", "failed"]


class Counts(Record):
    """Progress of one slice. `done` = ok + partial + failed + skipped; page counts are of this run."""

    total: int = 0
    ok: int = 0
    partial: int = 0
    failed: int = 0
    skipped: int = 0
    pages_read: int = 0
    pages_failed: int = 0
    pages_resumed: int = 0
    """The part of `pages_read` taken from checkpoints."""
    pages_here: int = 0
    """Pages that this process tried itself."""
    read_by: dict[str, int] = {}
    """Number of pages by reader, as in `PageResult.read_by`."""
    model_use: ModelUse = ModelUse()
    scores: dict[str, int] = {}
    """Number of read pages by score, as in `Outcome.scores`."""
    doubtful: list[DoubtfulPage] = []
    """The worst of them."""
    reasons: dict[str, int] = {}
    shorter: int = 0
    """Documents that lack some of the requested pages."""

    @property
    def done(self) -> int:
        return self.ok + self.partial + self.failed + self.skipped


class Machine(Record):
    """The EC2 instance of a fleet's worker, as its boot script reports it."""

    instance: str
    type: str = ""
    zone: str = ""
    booted: Stamp


class WorkerSession(Record):
    """One instance's work on a slice, from its worker's first heartbeat to its last."""

    machine: Machine
    started: Stamp
    until: Stamp
    pages: int = 0
    """Pages it tried itself."""
    notice: Stamp | None = None
    """When AWS sent a Spot interruption notice for the instance, if it did."""


class Heartbeat(Record):
    """`workers/worker-I.json`, overwritten about every 15 s by the running worker."""

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
    """When that process started, according to its kernel: a later process with the same pid has another value."""
    session: str = ""
    """The process, by a random id; "" in records of earlier versions."""
    reading: list[str] = []
    """What each child is reading now, for display."""
    machine: Machine | None = None
    """None on your own machine."""
    notice: Stamp | None = None
    """When AWS sent a Spot interruption notice for this instance."""
    past: list[WorkerSession] = []
    """The instances that worked on this slice before, oldest first."""
    holding: int = 0
    """The number of blocks of a pool that it has received and not finished."""
    waited_seconds: float | None = None
    """How long the last of them had waited in the queue."""
    dollars: float = 0.0
    """The cost of the slice's instances so far, earlier ones included; 0.0 if the run has no cap."""
    price: float = 0.0
    """Current price of this instance in dollars per hour, all included; 0.0 if the run has no cap."""


Ending = Literal["done", "interrupted", "deadline", "failed", "gave_up", "failing", "over_budget", "retired"]
FINAL_ENDINGS = frozenset[Ending]({"done", "deadline", "gave_up", "failing", "over_budget", "retired"})
"""After these no instance resumes the slice in this run; `gave_up` is written by the boot script, not the worker.
`retired`: `scale` took it out of a pool."""


class DoneMark(Record):
    """`done/worker-I.json`: why this worker stopped."""

    worker: int
    why: Ending
    at: Stamp
    session: str = ""
    """The process that ended, as in `Heartbeat`; "" if the boot script wrote the mark."""
    counts: Counts = Counts()
    detail: str = ""
    """For `gave_up`, `failing` and `over_budget`: one sentence for a person."""


class Boot(NamedTuple):
    """An instance of the fleet started to boot for a slice. Everything is in the key, so that one LIST finds all boots:
    `boots/worker-I/STAMP_INSTANCE_TYPE_ZONE`, with a stamp like `20261125T194500Z`."""

    worker: int
    machine: Machine


_BOOT_KEY = re.compile(r"boots/worker-(\d+)/(\d{8}T\d{6}Z)_([^_/]+)_([^_/]*)_([^_/]*)$")


def boot_of(key: str) -> Boot | None:
    """Parses the key of a boot; None if it is another key."""
    if not (found := _BOOT_KEY.search(key)):
        return None
    worker, stamp, instance, kind, zone = found.groups()
    return Boot(int(worker), Machine(instance=instance, type=kind, zone=zone, booted=stamp))


class FailureList(Record):
    """`failures/worker-I-failures.json`: every failed or partial document of the slice."""

    worker: int
    run: str
    failures: list[Outcome]
