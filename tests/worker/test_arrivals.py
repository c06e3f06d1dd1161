"""What a pool that watches its input makes of messages: each version of a document is read once, whatever comes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from pdfbatch.records import (
    Arrival,
    BlockId,
    Chosen,
    FinishedBlock,
    Manifest,
    Outcome,
    RunKeys,
    SourceDocument,
    arrived_of,
)
from pdfbatch.runs import slices
from pdfbatch.runs.arrivals import arrived_count
from pdfbatch.runs.ledger import LedgerWriter
from pdfbatch.runs.slices import Frozen
from pdfbatch.store import LocalStore
from pdfbatch.worker.arrivals import LATER, Arrivals
from pdfbatch.worker.block_leases import BlockLeases, HeldLease, LeaseTerms
from tests.runs.test_pool import manifest
from tests.worker.test_block_leases import Time

HOUR = 3600.0
BLOCK = BlockId(0, 0)


class Watch:
    """A run with `frozen.pdf` and its copy in one block, which watches its input."""

    def __init__(self, folder: Path, chosen: Chosen = Chosen(), url: str = "") -> None:  # noqa: B008  # frozen
        self.source, self.output, self.time = LocalStore(folder / "in"), LocalStore(folder / "out"), Time()
        self.source.create()
        self.output.create()
        self.put("frozen.pdf", b"1")
        copy = SourceDocument("copy.pdf", 1, self.put("copy.pdf", b"1"))
        entry = SourceDocument("frozen.pdf", 1, self.etag("frozen.pdf"), copies=(copy,))
        fields = {"pool_blocks": [[1]], "slices": [2], "entries": [1], "total_workers": 1, "watches_input": True}
        self.manifest: Manifest = manifest().model_copy(
            update={**fields, "input": url or self.source.url, "chosen": chosen}
        )
        slices.save(self.output, Frozen(self.manifest, [[entry]]))
        self.keys = RunKeys(self.manifest.run)
        self.arrivals = self.worker(0)

    def worker(self, number: int) -> Arrivals:
        terms = LeaseTerms(number, f"process {number}", 300.0, self.time.now, self.time.monotonic)
        self.leases = BlockLeases(self.output, self.keys, terms)
        return Arrivals(self.manifest, self.source, self.output, self.leases, terms, HOUR)

    def put(self, key: str, data: bytes) -> str:
        return self.source.put(key, data)

    def etag(self, key: str) -> str:
        entry = self.source.head(key)
        assert entry is not None
        return entry.etag

    def arrived(self, key: str) -> Arrival:
        found = self.arrivals.to_read(key)
        assert isinstance(found, Arrival), found
        return found

    def take(self, block: BlockId | Arrival) -> HeldLease:
        lease = self.leases.take(block if isinstance(block, BlockId) else block.id, 1)
        assert lease is not None
        return lease

    def finish(self, block: BlockId | Arrival, **versions: str) -> None:
        name = block.name if isinstance(block, BlockId) else block.id.name
        data = FinishedBlock(versions={f"{key}.pdf": etag for key, etag in versions.items()}).model_dump_json()
        self.output.put(self.keys.finished_block(name), data.encode() if versions else b"")


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    return Watch(tmp_path)


# ── what is read ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_new_document_is_recorded_once_however_often_it_is_announced(watch: Watch) -> None:
    etag = watch.put("new.pdf", b"new")
    found = watch.arrived("new.pdf")
    assert (found.document, found.number) == (SourceDocument("new.pdf", 3, etag), 1)
    assert watch.arrived("new.pdf") == watch.worker(1).to_read("new.pdf") == found
    watch.finish(found)
    assert watch.arrivals.to_read("new.pdf") is watch.worker(1).to_read("new.pdf") is None
    assert arrived_count(watch.output, watch.manifest) == 1


def test_a_document_that_is_overwritten_is_read_again_when_its_reader_has_finished(watch: Watch) -> None:
    watch.put("new.pdf", b"new")
    first = watch.arrived("new.pdf")
    watch.put("new.pdf", b"newer")
    assert watch.arrived("new.pdf") == first, "who reads it now reads the newer version or makes room for it"
    watch.finish(first)
    markdown = watch.output.put("new.md", b"first")
    second = watch.arrived("new.pdf")
    assert (second.number, second.attempt, second.etag) == (2, 2, watch.etag("new.pdf"))
    assert second.output_etag == markdown, "its Markdown may be replaced"
    watch.finish(second)
    assert watch.arrivals.to_read("new.pdf") is None


def test_a_newer_version_that_was_read_already_is_not_read_again(watch: Watch) -> None:
    watch.put("new.pdf", b"new")
    found = watch.arrived("new.pdf")
    watch.finish(found, new=watch.put("new.pdf", b"overwritten before it was fetched"))
    assert watch.arrivals.to_read("new.pdf") is None


def test_a_document_of_the_manifest_is_not_read_again(watch: Watch) -> None:
    assert watch.arrivals.to_read("frozen.pdf") is watch.arrivals.to_read("copy.pdf") is None
    watch.take(BLOCK)
    assert watch.arrivals.to_read("frozen.pdf") == LATER
    watch.finish(BLOCK)
    assert watch.arrivals.to_read("frozen.pdf") is watch.arrivals.to_read("copy.pdf") is None


def test_a_document_of_the_manifest_is_read_in_its_current_version_or_again(watch: Watch) -> None:
    newer = watch.put("frozen.pdf", b"newer")
    assert watch.arrivals.to_read("frozen.pdf") is None, "nobody has begun: the block will read this version"
    watch.take(BLOCK)
    assert watch.arrivals.to_read("frozen.pdf") == LATER, "it may read the one before"
    watch.finish(BLOCK, frozen=newer)
    assert watch.arrivals.to_read("frozen.pdf") is None
    watch.put("copy.pdf", b"newer, too")
    assert watch.arrived("copy.pdf").attempt == 2


def test_a_document_of_an_earlier_run_is_read_only_if_it_changed(watch: Watch) -> None:
    etag, attempt = watch.put("old.pdf", b"old"), 3
    ledger = LedgerWriter(watch.output, RunKeys("20260101T000000.000Z-0000"), 0, 1)
    ledger.add(Outcome(key="old.pdf", outcome="ok", pages=1, etag=etag, attempt=attempt))
    ledger.flush()
    watch.output.put("old.md", b"old")
    assert watch.arrivals.to_read("old.pdf") is None
    watch.put("old.pdf", b"changed")
    assert watch.arrived("old.pdf").attempt == 4


def test_a_document_whose_markdown_is_anothers_fails_as_in_every_run(watch: Watch) -> None:
    watch.put("frozen.PDF", b"a twin")
    assert watch.arrived("frozen.PDF").twin == "frozen.pdf"
    for name in ("a.pdf", "a.PDF"):
        watch.put(name, name.encode())
    first = watch.arrived("a.PDF")
    assert (first.twin, watch.arrivals.to_read("a.pdf")) == ("", LATER)
    watch.finish(first)
    assert watch.arrived("a.pdf").twin == "a.PDF"


def test_markdown_that_no_run_has_written_is_not_overwritten(watch: Watch) -> None:
    watch.put("mine.pdf", b"mine")
    watch.output.put("mine.md", b"by hand")
    assert watch.arrivals.to_read("mine.pdf") is None


def test_a_document_that_is_deleted_again_is_nothing_unless_it_was_recorded(watch: Watch) -> None:
    watch.put("new.pdf", b"new")
    (watch.source.root / "new.pdf").unlink()
    assert watch.arrivals.to_read("new.pdf") is None
    watch.put("new.pdf", b"new")
    found = watch.arrived("new.pdf")
    (watch.source.root / "new.pdf").unlink()
    assert watch.arrived("new.pdf") == found, "it has an outcome, `missing`"


# ── messages ─────────────────────────────────────────────────────────────────────────────────────────────────────


def event(*keys: str, name: str = "ObjectCreated:Put", bucket: str = "docs") -> str:
    """A message as S3 sends it. Source: S3 user guide, "Event message structure"."""
    records = [
        {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": "us-east-1",
            "eventTime": "2026-11-28T01:02:03.456Z",
            "eventName": name,
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "pdfbatch_r-0",
                "bucket": {"name": bucket, "ownerIdentity": {"principalId": "A"}, "arn": f"arn:aws:s3:::{bucket}"},
                "object": {"key": key, "size": 3, "eTag": "abc", "sequencer": "0055AED6DCD90281E5"},
            },
        }
        for key in keys
    ]
    return json.dumps({"Records": records})


TEST_EVENT = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "docs", "RequestId": "1"})


def keys_in(folder: Path, bodies: Iterable[str], chosen: Chosen = Chosen()) -> list[list[str]]:  # noqa: B008  # frozen
    arrivals = Watch(folder, chosen, "s3://docs/in/").arrivals
    return [arrivals.keys_in(body) for body in bodies]


def test_a_message_names_documents_below_the_input(tmp_path: Path) -> None:
    bodies = [event("in/a/b.pdf"), event("in/two+words+%26+%C3%A4%2B.PDF"), event("in/a.pdf", "in/b.pdf", "in/a.pdf")]
    assert keys_in(tmp_path, bodies) == [["a/b.pdf"], ["two words & ä+.PDF"], ["a.pdf", "b.pdf"]]


def test_other_messages_are_about_nothing(tmp_path: Path) -> None:
    bodies = [
        TEST_EVENT,
        event("in/a.pdf", name="ObjectRemoved:Delete"),
        event("elsewhere/a.pdf"),
        event("in/a.pdf", bucket="docs2"),
        event("in/"),
        event("in/a.md", "in/figures.png"),
        "hello",
        '{"run": "another", "arrived": "a.pdf"}',
    ]
    assert keys_in(tmp_path, bodies) == [[]] * len(bodies)


def test_what_a_run_writes_below_its_input_does_not_come_back(tmp_path: Path) -> None:
    chosen = Chosen(include=["*.png", "*.pdf"], without="md/")
    bodies = [event("in/md/a/figures/page-0001-001.png"), event("in/md/.pdfbatch/x.pdf"), event("in/a.png")]
    assert keys_in(tmp_path, bodies, chosen) == [[], [], ["a.png"]]


# ── sweeps ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_no_message_came_for_is_found_by_listing(watch: Watch) -> None:
    for name in ("new.pdf", "lost.pdf", "read.pdf", "held.pdf", "no document.txt"):
        watch.put(name, name.encode())
    watch.arrived("lost.pdf")  # recorded by a worker that died then
    watch.finish(watch.arrived("read.pdf"))
    watch.take(watch.arrived("held.pdf"))
    assert list(watch.worker(1).missed()) == ["lost.pdf", "new.pdf"]
    watch.put("frozen.pdf", b"overwritten")
    watch.put("read.pdf", b"overwritten")
    assert list(watch.arrivals.missed()) == ["lost.pdf", "frozen.pdf", "new.pdf", "read.pdf"]
    assert list(watch.arrivals.missed()) == ["lost.pdf"], "the messages have been sent"
    message = arrived_of(watch.arrivals.message_about("new.pdf"))
    assert message is not None and watch.arrivals.keys_in(message.model_dump_json()) == ["new.pdf"]


def test_one_worker_lists_the_input_now_and_then(watch: Watch) -> None:
    other = watch.worker(1)
    assert watch.arrivals.is_sweep_due() and not other.is_sweep_due() and not watch.arrivals.is_sweep_due()
    watch.time.passed = HOUR + 1
    assert [other.is_sweep_due(), watch.arrivals.is_sweep_due()] == [True, False]
