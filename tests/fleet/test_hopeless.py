"""A launch and a retry leave out and count files that would fail again, unless they are requested."""

from __future__ import annotations

from itertools import chain

import pytest

from pdfbatch.fleet.values import LaunchRequest
from pdfbatch.records import DoneMark, Outcome, Reason, RunKeys
from pdfbatch.runs import manifest
from pdfbatch.runs.ledger import LedgerWriter
from tests.fleet.conftest import Account
from tests.fleet.launching import Bench


@pytest.fixture
def bench(account: Account) -> Bench:
    """A run is over: 000.pdf is encrypted, everything else was converted."""
    bench = Bench(account)
    decided = bench.decide()
    frozen = decided.frozen.manifest
    manifest.claim(bench.output, decided.frozen, None)
    manifest.save_fleet(bench.output, decided.record)
    ledger = LedgerWriter(bench.output, RunKeys(frozen.run), 0, 1)
    for document in chain.from_iterable(decided.frozen.slices):
        reason = Reason.ENCRYPTED if document.key == "000.pdf" else None
        ledger.add(Outcome(key=document.key, outcome="failed" if reason else "ok", reason=reason, etag=document.etag))
        if reason is None:
            bench.output.put(document.key.removesuffix(".pdf") + ".md", b"<!-- page 1 -->\n")
    ledger.flush()
    for worker in range(frozen.total_workers):
        mark = DoneMark(worker=worker, why="done", at="2026-11-25T12:00:00Z")
        bench.output.put(RunKeys(frozen.run).done_mark(worker), mark.model_dump_json().encode())
    return bench


def test_if_everything_left_would_fail_again_nothing_is_launched(bench: Bench) -> None:
    again = bench.propose()
    assert again.decided is None and dict(again.rest.hopeless) == {"000.pdf": Reason.ENCRYPTED}
    retry = bench.propose(LaunchRequest(retry=()))
    assert retry.decided is None and dict(retry.rest.hopeless) == {"000.pdf": Reason.ENCRYPTED}


@pytest.mark.parametrize(
    "request_",
    [LaunchRequest(all_failures=True), LaunchRequest(retry=(Reason.ENCRYPTED,))],
    ids=["--all-failures", "its reason is named"],
)
def test_such_documents_are_launched_on_request(bench: Bench, request_: LaunchRequest) -> None:
    asked = bench.propose(request_)
    assert asked.decided is not None
    assert [document.key for document in chain(*asked.decided.frozen.slices)] == ["000.pdf"]


def test_a_file_that_was_replaced_since_is_retried(bench: Bench) -> None:
    bench.source.put("000.pdf", b"%PDF-1.7 another one")
    again = bench.propose()
    assert again.decided is not None and again.rest.hopeless == {}


def test_the_plan_counts_them_separately(bench: Bench) -> None:
    bench.source.put("new.pdf", b"%PDF-1.7")
    more = bench.propose()
    assert more.decided is not None
    work = more.decided.plan.work
    assert (work.documents, work.left, work.hopeless) == (8, 1, 1)
    assert [document.key for document in chain(*more.decided.frozen.slices)] == ["new.pdf"]
