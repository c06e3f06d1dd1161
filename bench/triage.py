"""Train a triage on documents whose text is known, and compare it with the rules: quality against model pages.

The pages are made here: text, formulas, tables, scans good and poor, and scans with the text of an old OCR. The model
is a server that knows what each page says. So this shows what the procedure can find, not what a real model and real
documents give.
"""

from __future__ import annotations

import base64
import json
import random
import sys
from pathlib import Path
from typing import Any

from pdfbatch.records import DocumentElements
from pdfbatch.triage.likeness import likeness
from tests.endpoint.cards import number_in
from tests.endpoint.server import MODEL, FakeEndpoint, Order, fake_endpoint, saying
from tests.triage.corpus import KINDS, Kind, make_documents

from .figures import Figure, Section
from .measure import run_measured, say

DOCUMENTS, FRESH, PAGES = 50, 10, 5
_USUAL = 0.7
"""Share of a document's pages that are of its main kind."""


def run(_corpus: Path, scratch: Path) -> list[Section]:
    """Trains on some documents, and then reads others with the rule and with the triage."""
    with fake_endpoint() as endpoint:
        known = _Documents(endpoint, scratch / "known", seed=1)
        say("triage: reading every page both ways")
        cheap, reference = known.read("cpu"), known.read("model", "--engine", "endpoint")
        file = scratch / "triage.json"
        report = _pdfbatch("triage", "train", cheap, reference, "--save", file, "--json")
        fresh = _Documents(endpoint, scratch / "fresh", seed=2, count=FRESH)
        say("triage: reading other documents")
        truth = fresh.read("model", "--engine", "endpoint")
        used = {
            name: (fresh.read(name, "--engine", "cpu", "--fallback", "endpoint", *more), len(endpoint.asked))
            for name, more in (("the rule", []), ("triage", ["--triage", str(file)]))
        }
        pages = FRESH * PAGES
        figures = []
        for name, (output, asked) in used.items():
            figures.append(Figure(f"{name}: pages that the model read", 100 * asked / pages, "%"))
            figures.append(Figure(f"{name}: quality", 100 * _quality(output, truth), "%"))
    return [_held_out(report), Section(f"Triage in use, on {pages} pages of other documents", figures)]


class _Documents:
    """Documents, and the endpoint that knows them."""

    def __init__(self, endpoint: FakeEndpoint, folder: Path, seed: int, count: int = DOCUMENTS) -> None:
        self._endpoint = endpoint
        self._folder = folder
        self._truth = make_documents(folder / "in", documents(seed, count), seed)

    def read(self, name: str, *options: str) -> Path:
        """Converts them into an output of that name."""
        self._endpoint.asked.clear()
        self._endpoint.always = self._answer
        output = self._folder / name
        address = ["--endpoint-url", self._endpoint.url, "--endpoint-model", MODEL, "--endpoint-side", "600"]
        _pdfbatch("local-run", self._folder / "in", output, *(options or ["--engine", "cpu"]), *address, "--json")
        return output

    def _answer(self, request: dict[str, Any]) -> Order:
        parts = request["messages"][0]["content"]
        url = next(part["image_url"]["url"] for part in parts if part["type"] != "text")
        return saying(self._truth[number_in(base64.b64decode(url.partition(",")[2]))])


def documents(seed: int, count: int, pages: int = PAGES) -> list[list[Kind]]:
    """Returns kinds of pages: each document has one that most of its pages are of."""
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        main = chance.choice(KINDS)
        found.append([main if chance.random() < _USUAL else chance.choice(KINDS) for _ in range(pages)])
    return found


def _pdfbatch(*words: object) -> dict[str, Any]:
    done = run_measured([sys.executable, "-m", "pdfbatch", *map(str, words)])
    found: dict[str, Any] = json.loads(done.output)
    return found


def _quality(output: Path, truth: Path) -> float:
    found: list[float] = []
    for path in sorted(truth.glob("*.json")):
        mine, theirs = (
            DocumentElements.model_validate_json((folder / path.name).read_text()) for folder in (output, truth)
        )
        found += [likeness(one, other) for one, other in zip(mine.pages, theirs.pages, strict=True)]
    return sum(found) / len(found)


def _held_out(report: dict[str, Any]) -> Section:
    figures = []
    for policy, one in report["policies"].items():
        for name, key in (("the rule", "rule"), ("triage", "chosen")):
            figures.append(Figure(f"{policy}, {name}: model pages", 100 * one[key]["share"], "%"))
            figures.append(Figure(f"{policy}, {name}: quality", 100 * one[key]["quality"], "%"))
        figures.append(
            Figure(f"{policy}, triage as good as the rule: model pages", 100 * one["share_for_rule_quality"], "%")
        )
    held_out = f"{report['held_out_pages']} pages of {report['held_out_documents']} documents"
    return Section(f"Triage on documents held out from its training ({held_out})", figures)
