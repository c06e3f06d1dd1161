"""`pdfbatch local-run` as a user runs it, measured, and its Markdown taken apart by its page anchors."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pdfbatch.errors import ExitCode
from pdfbatch.records import DocumentElements, Outcome, RunKeys, elements_key, output_key

from .measure import Usage, run_measured

FINISHED = (ExitCode.DONE, ExitCode.SOME_DOCUMENTS_FAILED)
_ANCHOR = re.compile(r"^<!-- page (\d+)(?:: [a-z_]+)? -->$", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    usage: Usage
    output: Path
    report: dict[str, Any]
    """The JSON of `local-run --json`."""

    @property
    def documents(self) -> int:
        return int(self.report["documents"]["done"])

    @property
    def pages(self) -> int:
        return int(self.report["pages"]["read"] + self.report["pages"]["failed"])

    @property
    def outcomes(self) -> list[Outcome]:
        """The run's ledger."""
        segments = self.output.glob(RunKeys(self.report["run"]).ledger + "*/*.jsonl")
        return [Outcome.model_validate_json(line) for path in segments for line in path.read_text().splitlines()]

    @property
    def read_by(self) -> str:
        """How many pages were read by what, for people."""
        counts: Counter[str] = Counter()
        for outcome in self.outcomes:
            counts.update(outcome.read_by)
            counts.update(str(reason) for _page, reason in outcome.failed_pages)
        return ", ".join(f"{name} {count}" for name, count in counts.most_common())


def local_run(
    source: Path,
    output: Path,
    *,
    engine: str = "cpu",
    processes: int = 1,
    keep_headers: bool = False,
    events: str = "",
) -> Run:
    command = [sys.executable, "-m", "pdfbatch.cli", "local-run", str(source), str(output), "--json"]
    command += ["--engine", engine, "--processes", str(processes)]
    command += ["--keep-headers"] * keep_headers
    command += ["--events", events] if events else []
    usage = run_measured(command, FINISHED)
    return Run(usage, output, json.loads(usage.output))


def pages_of(output: Path, name: str) -> dict[int, str]:
    """Page number → Markdown of the document `name`, as published; {} where none was."""
    path = output / output_key(name)
    if not path.exists():
        return {}
    parts = _ANCHOR.split(path.read_text())
    return {int(number): text.strip() for number, text in zip(parts[1::2], parts[2::2], strict=True)}


def texts_of(output: Path, name: str) -> dict[int, str]:
    """Page number → the text of the page's elements that are in the Markdown; {} where none was published.

    An element that continues over pages is whole on the first in the Markdown; the elements say where each part is.
    """
    path = output / elements_key(name)
    if not path.exists():
        return {}
    document = DocumentElements.model_validate_json(path.read_text())
    return {
        page.number: "\n".join(element.text for element in page.elements if not element.dropped)
        for page in document.pages
    }
