"""An input of three documents and an output in a simulated account that is set up."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from pdfbatch.records import DoneMark, Outcome, RunKeys
from pdfbatch.runs import manifest
from pdfbatch.runs.ledger import LedgerWriter
from pdfbatch.runs.slices import documents_of
from pdfbatch.store import Store, open_store
from samples import odd

if TYPE_CHECKING:
    from tests.fleet.conftest import Account

DOCUMENTS = 3


class Places:
    def __init__(self, account: Account) -> None:
        self.account = account.ready()
        bucket = account.bucket()
        self.input, self.output = f"s3://{bucket}/in/", f"s3://{bucket}/out/"
        self.store: Store = open_store(self.output)
        source = open_store(self.input)
        for number in range(DOCUMENTS):
            source.put(f"{number}.pdf", odd.text_page() + b"%%%d\n" % number)

    @property
    def launch(self) -> list[str]:
        return ["launch", self.input, self.output, "--engine", "null", "--workers", "5", "--yes"]

    def finish(self, run: str) -> None:
        """Does in the store what the workers would do: one document fails, the others are published."""
        frozen = manifest.load(self.store, run)
        ledger = LedgerWriter(self.store, RunKeys(run), 0, 1)
        documents = [documents_of(self.store, frozen, worker) for worker in range(frozen.total_workers)]
        for number, document in enumerate(sorted(chain(*documents))):
            kind = "failed" if number == 0 else "ok"
            reason = "timeout" if number == 0 else None
            ledger.add(
                Outcome.model_validate({"key": document.key, "outcome": kind, "reason": reason, "etag": document.etag})
            )
            if number:
                self.store.put(document.key.replace(".pdf", ".md"), b"<!-- page 1 -->\n")
        ledger.flush()
        for worker in range(frozen.total_workers):
            mark = DoneMark(worker=worker, why="done", at="2026-11-25T12:00:00Z")
            self.store.put(RunKeys(run).done_mark(worker), mark.model_dump_json().encode())
