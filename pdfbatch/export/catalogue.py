"""The documents of an export, in the order of their keys, from the ledger and one listing of the output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import NamedTuple

from pdfbatch.errors import NotFound, PdfbatchError, StoreError
from pdfbatch.records import ExportOptions, Manifest, Outcome, elements_key, output_key
from pdfbatch.runs import ledger, manifest
from pdfbatch.runs.outputs import published
from pdfbatch.runs.past import run_ids
from pdfbatch.runs.progress import OVER, read_status
from pdfbatch.store import Store


class Item(NamedTuple):
    """A document to export: its newest outcome, and the versions of its files."""

    key: str
    run: str
    line: str
    """Its line in the ledger."""
    markdown: str
    """The ETag of its Markdown."""
    elements: str
    """The ETag of its elements; "" if there are none."""

    @property
    def outcome(self) -> Outcome:
        return Outcome.model_validate_json(self.line)

    @property
    def record(self) -> bytes:
        """Everything that its rows depend on."""
        return "\0".join((self.key, self.run, self.line, self.markdown, self.elements)).encode("utf-8", "surrogatepass")


class RunFacts(NamedTuple):
    """What a run's manifest says of its documents; all "" if it is lost or damaged."""

    input: str = ""
    model: str = ""
    version: str = ""


class Catalogue:
    """The documents of an export. What is not in memory is in temporary files (key_table.py)."""

    def __init__(self, output: Store, options: ExportOptions) -> None:
        self._newest = ledger.newest_lines(output)
        self._files = published(output)
        self._run, self._only = options.run, frozenset[str](options.only)
        self.left_out = Counter[str]()
        """Number of documents that are not exported, by reason; known after a pass."""

    def __len__(self) -> int:
        return len(self._newest)

    def items(self) -> Iterator[Item]:
        """Yields the documents to export; each pass yields the same."""
        self.left_out.clear()
        for key, (run, line) in self._newest.items():
            markdown = self._files.get(output_key(key), "")
            if reason := self._reason_against(run, line, markdown):
                self.left_out[reason] += 1
            else:
                yield Item(key, run, line, markdown, self._files.get(elements_key(key), ""))

    def _reason_against(self, run: str, line: str, markdown: str) -> str:
        if self._run and run != self._run:
            return "of another run"
        outcome = Outcome.model_validate_json(line).outcome
        if outcome not in self._only:
            return outcome
        return "" if markdown else "without Markdown"


def dollars_per_page(output: Store, now: datetime) -> dict[str, float]:
    """Returns the cost of a page by run, as `report` computes it, of each fleet whose run is over: before that its
    cost grows."""
    found = {}
    for run in run_ids(output):
        frozen = _manifest(output, run)
        if frozen is None or manifest.load_fleet(output, run) is None:
            continue
        status = read_status(output, frozen, now)
        if status.dollars is not None and status.state in OVER and status.pages.read:
            found[run] = status.dollars / status.pages.read
    return found


class RunBook:
    """The facts of runs, read once each."""

    def __init__(self, output: Store, rates: Mapping[str, float]) -> None:
        self._output = output
        self._rates = rates
        self.facts = cache(self._read)

    def dollars(self, run: str, outcome: Outcome) -> float | None:
        """Returns a document's share of its run's cost, by its pages; a copy costs nothing. None if unknown."""
        if run not in self._rates:
            return None
        return 0.0 if outcome.same_as else self._rates[run] * (outcome.pages - len(outcome.failed_pages))

    def _read(self, run: str) -> RunFacts:
        frozen = _manifest(self._output, run)
        return RunFacts(frozen.input, frozen.model, frozen.pdfbatch) if frozen else RunFacts()


def _manifest(output: Store, run: str) -> Manifest | None:
    """Returns the manifest of a run; None if it is lost or damaged."""
    try:
        return manifest.load(output, run)
    except NotFound:
        return None
    except StoreError:
        raise
    except PdfbatchError:
        return None
