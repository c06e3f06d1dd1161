"""Resumes parts of long documents: those that an earlier process of this worker finished are not read again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Set

from pdfbatch.records import SourceDocument, output_key
from pdfbatch.runs.partition import is_left
from pdfbatch.store import Store
from pdfbatch.worker.parts import Parts
from pdfbatch.worker.resume import Unrecorded
from pdfbatch.worker.tally import Tally
from pdfbatch.worker.workload import Block, Offer


class ResumingParts:
    """`done` are documents that this worker has recorded; `record` takes one that it has published without."""

    def __init__(
        self,
        parts: Parts,
        worker: int,
        output: Store,
        done: Set[str],
        tally: Tally,
        record: Callable[[Unrecorded], None],
    ) -> None:
        self._parts = parts
        self._worker = worker
        self._output = output
        self._seen = set(done)
        self._tally = tally
        self._record = record

    def offers(self, offers: Iterable[Offer]) -> Iterator[Offer]:
        """Yields the offers; of a part that is finished, its whole document if this worker has to assemble it."""
        for offer in offers:
            part = self._parts.finished(offer.document) if offer.document.is_part else None
            if part is None or part.outcome.worker != self._worker:
                yield offer
                continue
            self._tally.recall_part(part.outcome)
            if offer.document.key not in self._seen and self._parts.is_to_assemble(offer.document):
                self._seen.add(offer.document.key)
                yield from self._assembled(offer.document._replace(part=0))

    def _assembled(self, whole: SourceDocument) -> Iterator[Offer]:
        self._tally.expect(whole.documents, 0.0)
        published = self._output.head(output_key(whole.key))
        if published is None or is_left(whole, {published.key: published.etag}):
            yield Offer(whole, Block())
        else:
            self._record(Unrecorded(whole))
