"""What must hold after every story, whatever happened in it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping

from pdfbatch.records import STATE_PREFIX, Checkpoint, RunKeys
from pdfbatch.runs import ledger, manifest
from pdfbatch.runs.progress import read_status
from pdfbatch.runs.slices import keys_of
from pdfbatch.runs.verify import verify
from pdfbatch.store import S3Store
from tests.chaos.pool import Pool
from tests.chaos.server import Bucket
from tests.worker.begun import now

OUT = "out/"
_CHANGES = re.compile(
    r"/(workers|done|failures|takeovers|events|probe|pool/leases)/|/current\.json$|/fleet\.json$|/pool\.json$"
)
"""Objects of a run's state that may be written again."""


def faults_of(output: S3Store, bucket: Bucket, pool: Pool, keys: list[str], *, read_once: bool) -> Iterator[str]:
    """Yields what is wrong after a story about these documents. `read_once`: nothing in it may read a page twice."""
    yield from _wrong_files(bucket, pool, keys)
    yield from _rewritten(bucket)
    if read_once or manifest.current(output) is not None:  # a rival may have left nothing to do
        yield from _wrong_ledger(output, pool, keys)
    if read_once:
        yield from _read_again(bucket)
    leftover = [key for key in bucket.objects if "/checkpoints/" in key]
    if leftover:
        yield f"checkpoints of published documents are left: {leftover[:3]}"


def _wrong_files(bucket: Bucket, pool: Pool, keys: list[str]) -> Iterator[str]:
    wanted: Mapping[str, bytes] = {OUT + name: data for key in keys for name, data in pool.published[key].items()}
    state = OUT + STATE_PREFIX
    found = {
        key: stored.data for key, stored in bucket.objects.items() if key.startswith(OUT) and not key.startswith(state)
    }
    for key in sorted(wanted.keys() - found.keys()):
        yield f"lost: {key}"
    for key in sorted(found.keys() - wanted.keys()):
        yield f"not of any document: {key}"
    for key in sorted(key for key in wanted.keys() & found.keys() if wanted[key] != found[key]):
        yield f"differs from an undisturbed run: {key}"


def _rewritten(bucket: Bucket) -> Iterator[str]:
    for write in bucket.writes:
        if write.replaced is None or not write.key.startswith(OUT):
            continue
        is_frozen = STATE_PREFIX in write.key and not _CHANGES.search(write.key)
        if write.key.endswith(".md") or (is_frozen and write.replaced != write.data):
            yield f"overwritten: {write.key}"
    published = Counter(write.key for write in bucket.writes if write.key.endswith(".md"))
    for key, times in published.items():
        if times > 1:
            yield f"published {times} times: {key}"


def _wrong_ledger(output: S3Store, pool: Pool, keys: list[str]) -> Iterator[str]:
    run = manifest.current(output)
    if run is None:
        yield "there is no run"
        return
    frozen = manifest.load(output, run)
    if list(keys_of(output, frozen)) != sorted(keys, key=lambda key: key.encode()) and not frozen.skipped:
        yield "the manifest does not have all documents"
    lines = [line for _, line in ledger.outcomes(output, ledger.segments(output, RunKeys(run).ledger))]
    again = [key for key, times in Counter(line.key for line in lines).items() if times > 1]
    if again:
        yield f"several outcomes in one run: {again}"
    for key, final in ledger.history(output).items():
        expected = "ok" if pool.published[key] else "failed"
        if final.outcome != expected:
            yield f"{key} is {final.outcome}, not {expected}"
    verdict = verify(output)
    if not verdict.sound:
        lists = {name: found for name, found in verdict.model_dump().items() if isinstance(found, list) and found}
        yield f"verify: {json.dumps(lists)}"
    status = read_status(output, frozen, now())
    if status.state != "done" or status.documents.done != status.documents.total:
        yield f"status: {status.state}, {status.documents.done} of {status.documents.total} documents"
    read = sum(final.pages for final in ledger.fold((run, line) for line in lines if not line.same_as).values())
    if status.pages.read + status.pages.failed != read:
        yield f"status counts {status.pages.read} pages, the ledger {read}"


def _read_again(bucket: Bucket) -> Iterator[str]:
    """Yields pages that are in two checkpoints: they were read again although they had been saved."""
    seen = Counter[tuple[str, str, int]]()
    for write in bucket.writes:
        if "/checkpoints/" in write.key and write.replaced is None:
            saved = Checkpoint.model_validate_json(write.data)
            seen.update((saved.key, saved.etag, page.number) for page in saved.pages)
    again = [page for page, times in seen.items() if times > 1]
    if again:
        yield f"read again after they were saved: {len(again)} pages, such as {again[:3]}"
