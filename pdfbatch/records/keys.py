"""Where a run's files lie, relative to OUTPUT: the Markdown beside its kind, the run's state under `.pdfbatch/RUN/`."""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath
from urllib.parse import quote

STATE_PREFIX = ".pdfbatch/"
CURRENT_RUN_KEY = STATE_PREFIX + "current.json"


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
