"""The keys of a run's files, relative to OUTPUT: Markdown follows INPUT's tree, state is under `.pdfbatch/RUN/`."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote

STATE_PREFIX = ".pdfbatch/"
CURRENT_RUN_KEY = STATE_PREFIX + "current.json"


_ENDING = re.compile(r"\.(?:(?P<pdf>pdf)|png|jpe?g|tiff?)$", re.IGNORECASE)
"""Extensions of documents: PDFs and images."""


def stem_of(key: str) -> str:
    """Returns a document's key without its extension, in any case. Any other key is returned unchanged."""
    return key[:-4] if key.endswith(".pdf") else _ENDING.sub("", key)


def output_key(key: str) -> str:
    """Returns the key of a document's Markdown: `a/b.pdf` and `a/b.PNG` become `a/b.md`."""
    return stem_of(key) + ".md"


def place_of(key: str) -> str:
    """Returns the place of a document's Markdown, which documents share that would be written there."""
    return _digest(output_key(key))


def elements_key(key: str) -> str:
    """Returns the key of a document's page elements, for engines that return them."""
    return stem_of(key) + ".json"


def figures_prefix(key: str) -> str:
    """Returns the folder of a document's figures."""
    return stem_of(key) + "/figures/"


def figures_link(key: str) -> str:
    """Returns the folder of a document's figures as its Markdown links to it, percent-encoded."""
    return quote(figures_prefix(key)[key.rfind("/") + 1 :])


def is_pdf_key(key: str) -> bool:
    if key.endswith(".pdf"):  # nearly always, and there may be a million
        return _is_named(key)
    found = _ENDING.search(key)
    return bool(found and found["pdf"]) and _is_named(key)


def is_picture_key(key: str) -> bool:
    found = _ENDING.search(key)
    return bool(found and not found["pdf"]) and _is_named(key)


def is_nameless(key: str) -> bool:
    """Whether a document's name is only an extension, such as `.pdf`: no Markdown could be named after it."""
    stem = stem_of(key)
    return stem[-1:] in ("", "/") and stem != key and not key.startswith(STATE_PREFIX)


def _is_named(key: str) -> bool:
    return stem_of(key)[-1:] not in ("", "/") and not key.startswith(STATE_PREFIX)


class RunKeys:
    """Keys of one run's state, relative to OUTPUT."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.prefix = f"{STATE_PREFIX}{run}/"
        self.manifest = self.prefix + "manifest.json.gz"
        self.slices = self.prefix + "slices/"
        self.workers = self.prefix + "workers/"
        self.ledger = self.prefix + "ledger/"
        self.failures = self.prefix + "failures/"
        self.checkpoints = self.prefix + "checkpoints/"
        self.claims = self.prefix + "claims/"
        self.parts = self.prefix + "parts/"
        self.done = self.prefix + "done/"
        self.fleet = self.prefix + "fleet.json"
        self.boots = self.prefix + "boots/"
        self.completed = self.prefix + "completed.json"
        self.page = self.prefix + "report.html"
        self.pool = self.prefix + "pool.json"
        self.plan = self.prefix + "pool/plan.json"
        self.leases = self.prefix + "pool/leases/"
        self.finished_blocks = self.prefix + "pool/finished/"
        self.arrivals = self.prefix + "pool/arrived/"
        self.sweep = self.prefix + "pool/sweep.json"
        self.events = self.prefix + "events/"

    def slice_documents(self, worker: int) -> str:
        return f"{self.slices}worker-{worker}.jsonl.gz"

    def heartbeat(self, worker: int) -> str:
        return f"{self.workers}worker-{worker}.json"

    def strikes_of(self, worker: int) -> str:
        """Returns the prefix of a worker's boots without a result yet: the boot script adds one and counts them, the
        worker removes them when it has made progress."""
        return f"{self.prefix}strikes/worker-{worker}/"

    def boot_logs_of(self, worker: int) -> str:
        """Returns the prefix of the boot logs of a worker's instances, one file per instance."""
        return f"{self.prefix}logs/worker-{worker}/"

    def ledger_of(self, worker: int) -> str:
        return f"{self.ledger}worker-{worker}/"

    def ledger_segment(self, worker: int, number: int) -> str:
        return f"{self.ledger_of(worker)}{number:06d}.jsonl"

    def joined_segment(self, worker: int, first: int, last: int, digest: str) -> str:
        """Returns the key of several segments joined into one; `digest` is that of its content."""
        return f"{self.ledger_of(worker)}{first:06d}-{last:06d}-{digest}.jsonl"

    def positions_of(self, sink: str) -> str:
        """Returns the prefix of what was delivered to a sink; `sink` is `SinkAddress.name`."""
        return f"{self.events}{sink}/"

    def position(self, sink: str, worker: int) -> str:
        """Returns the key of what was delivered of a worker's ledger."""
        return f"{self.positions_of(sink)}worker-{worker}.json"

    def end_position(self, sink: str) -> str:
        """Returns the key of what was delivered about the run's end."""
        return f"{self.positions_of(sink)}run.json"

    def failure_list(self, worker: int) -> str:
        return f"{self.failures}worker-{worker}-failures.json"

    def done_mark(self, worker: int) -> str:
        return f"{self.done}worker-{worker}.json"

    def claims_of(self, slice_: int) -> str:
        """Returns the prefix of the claims of a slice's blocks."""
        return f"{self.claims}slice-{slice_}/"

    def claim(self, slice_: int, block: int) -> str:
        return f"{self.claims_of(slice_)}{block:06d}.json"

    def lease(self, block: str) -> str:
        """Returns the key of the lease of a pool's block, given by its name."""
        return f"{self.leases}{block}.json"

    def finished_block(self, block: str) -> str:
        """Returns the key of the mark that all documents of a pool's block have an outcome."""
        return f"{self.finished_blocks}{block}"

    def arrivals_at(self, place: str) -> str:
        """Returns the prefix of the records of what arrived for one Markdown; see `place_of`."""
        return f"{self.arrivals}{place}/"

    def arrival(self, place: str, number: int) -> str:
        return f"{self.arrivals_at(place)}{number:06d}.json"

    def takeovers_of(self, worker: int) -> str:
        """Returns the prefix of a worker's notes of the blocks that it tried to claim in other slices."""
        return f"{self.prefix}takeovers/worker-{worker}/"

    def takeover(self, worker: int, slice_: int, block: int) -> str:
        return f"{self.takeovers_of(worker)}slice-{slice_}-{block:06d}"

    def parts_of(self, key: str) -> str:
        """Returns the prefix of the finished parts of a long document."""
        return f"{self.parts}{_digest(key)}/"

    def part(self, key: str, number: int) -> str:
        return f"{self.parts_of(key)}{number:04d}.json"

    def assembly(self, key: str) -> str:
        return f"{self.parts_of(key)}assembly.json"

    def checkpoints_of(self, key: str) -> str:
        """Returns the prefix of one document's checkpoints."""
        return f"{self.checkpoints}{_digest(key)}/"

    def checkpoint(self, key: str, number: int) -> str:
        return f"{self.checkpoints_of(key)}{number:06d}.json"


def _digest(key: str) -> str:
    """Stands for a key in another key: it may be long and hold anything."""
    return hashlib.sha256(key.encode()).hexdigest()[:24]
