"""Measure the table of documents of `view` over a local output of 100,000 documents: the real program over HTTP."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import psutil

from pdfbatch.records import CURRENT_RUN_KEY, CurrentRun, DoubtfulPage, Manifest, Outcome, Reason, RunKeys
from pdfbatch.runs import ledger, manifest
from pdfbatch.runs.slices import Frozen
from pdfbatch.store import Store, open_store

from .figures import Figure, Section, at_most
from .measure import MIB, ROOT

DOCUMENTS = 100_000
RUN = "20260101T000000.000Z-0000"
AT = datetime(2026, 1, 1, tzinfo=UTC)
_QUICK_SECONDS = 1.0
_TIMES = 5
_QUERIES = {
    "the first page of the table": "",
    "its last page": f"page={DOCUMENTS // 50}",
    "filter: failed": "outcome=failed",
    "filter: text in the key": "text=7777",
    "filter: scores from 0.5 to 0.8": "low=0.5&high=0.8",
    "sort by score": "sort=score",
    "sort by time, downwards, page 1,000": "sort=at&down=1&page=1000",
}


def run(_corpus: object, folder: Path) -> list[Section]:
    store = open_store(str(folder / "out"), create=True)
    _write(store)
    with _Viewer(folder) as viewer:
        first = viewer.seconds("/documents")
        until_read = viewer.until_read()
        figures = [
            Figure("from the start of the program to its address", viewer.start_seconds, "s"),
            Figure("the first page, while the ledger is read", first, "s"),
            Figure("until all of the ledger is read", until_read, "s"),
        ]
        for what, query in _QUERIES.items():
            worst = max(viewer.seconds(f"/documents?{query}", fragment=True) for _ in range(_TIMES))
            figures.append(at_most(what, worst, _QUICK_SECONDS, "s"))
        _segment(store, DOCUMENTS // 50 + 1, 50)
        time.sleep(2.1)  # a local output is looked at every two seconds
        figures.append(Figure("refresh: 50 new documents", viewer.seconds("/documents", fragment=True), "s"))
        figures.append(Figure("memory of the server at the end", viewer.memory_mib(), "MiB"))
    notes = [f"{DOCUMENTS:,} documents in segments of 50, a local folder; the slowest of {_TIMES} requests."]
    return [Section("view: the table of documents", figures, notes)]


class _Viewer:
    """`pdfbatch view`, and a visitor with its cookie."""

    def __init__(self, folder: Path) -> None:
        begun = time.perf_counter()
        words = ["view", str(folder / "out"), "--no-browser", "--marks", str(folder / "marks.tsv")]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pdfbatch", *words], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert self._process.stdout is not None
        address = self._process.stdout.readline().strip()
        self._base, _, token = address.partition("/?token=")
        with urllib.request.urlopen(address) as answer:
            self._cookie = answer.headers["set-cookie"].partition(";")[0]
        assert token in self._cookie
        self.start_seconds = time.perf_counter() - begun

    def __enter__(self) -> _Viewer:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)

    def get(self, path: str, *, fragment: bool = False) -> str:
        headers = {"Cookie": self._cookie} | ({"X-Fragment": "1"} if fragment else {})
        with urllib.request.urlopen(urllib.request.Request(self._base + path, headers=headers)) as answer:
            return str(answer.read().decode())

    def seconds(self, path: str, *, fragment: bool = False) -> float:
        begun = time.perf_counter()
        self.get(path, fragment=fragment)
        return time.perf_counter() - begun

    def until_read(self) -> float:
        begun = time.perf_counter()
        while "still reading" in self.get("/documents", fragment=True):
            time.sleep(0.1)
        assert f"{DOCUMENTS:,} documents" in self.get("/documents", fragment=True)
        return time.perf_counter() - begun

    def memory_mib(self) -> float:
        return float(psutil.Process(self._process.pid).memory_full_info().rss / MIB)


def _write(store: Store) -> None:
    keys = RunKeys(RUN)
    frozen = Manifest(
        run=RUN, created=AT, input="/nowhere/", output=store.url, total_workers=1, engine="cpu", slices=[DOCUMENTS]
    )
    manifest.save(store, Frozen(frozen, [[]]))
    store.put(CURRENT_RUN_KEY, CurrentRun(run=keys.run).model_dump_json().encode())
    for number in range(1, DOCUMENTS // 50 + 1):
        _segment(store, number, 50)


def _segment(store: Store, number: int, lines: int) -> None:
    writer = ledger.LedgerWriter(store, RunKeys(RUN), 0, number)
    for at in range((number - 1) * lines, number * lines):
        writer.add(_outcome(at))
    writer.flush()


def _outcome(number: int) -> Outcome:
    dice, key = Random(number), f"folder-{number % 97}/document-{number:07}.pdf"
    is_bad, score = dice.random() < 0.02, round(dice.uniform(0.3, 1.0), 2)
    return Outcome(
        key=key,
        outcome="failed" if is_bad else "ok",
        reason=dice.choice([Reason.CORRUPT, Reason.TIMEOUT]) if is_bad else None,
        pages=0 if is_bad else dice.randint(1, 40),
        doubtful=[DoubtfulPage(key, 1, score)] if score < 0.5 else [],
        scores={} if is_bad else {"1.0": 1},
        engine="cpu",
        seconds=round(dice.uniform(0.2, 9), 2),
        output=None if is_bad else key.replace(".pdf", ".md"),
        at=AT.replace(minute=number % 60, second=number // 60 % 60),
    )
