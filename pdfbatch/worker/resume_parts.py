"""Resumes parts of long documents: those that an earlier process of this worker finished are not read again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Set

from pdfbatch.records import SourceDocument, output_key
from pdfbatch.runs.partition import is_left
from pdfbatch.store import Store
from pdfbatch.worker.parts import Parts
from pdfbatch.worker.resume import Unrecorded
from pdfbatch.worker.tally import Tally
from pdfbatch.worker.workload import Block, Offer, Pause


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
        self._done = done
        self._tally = tally
        self._record = record

    def offers(self, offers: Iterable[Offer | Pause]) -> Iterator[Offer | Pause]:
        """Yields the offers; of a part that is finished, its whole document if this worker has to assemble it."""
        for offer in offers:
            if isinstance(offer, Pause):
                yield offer
                continue
            part = self._parts.finished(offer.document) if offer.document.is_part else None
            if part is None or part.outcome.worker != self._worker:
                yield offer
                continue
            self._tally.recall_part(part.outcome)
            if offer.document.key not in self._done and self._parts.is_to_assemble(offer.document):
                yield from self._assembled(offer.document._replace(part=0))

    def _assembled(self, whole: SourceDocument) -> Iterator[Offer]:
        self._tally.expect(whole.documents, 0.0)
        left: list[SourceDocument] = []
        for document in (whole, *whole.copies):
            if self._is_published(document):
                self._record(Unrecorded(document, "" if document is whole else whole.key))
            else:
                left.append(document)
        if left:
            yield Offer(left[0]._replace(copies=tuple(left[1:])), Block())

    def _is_published(self, document: SourceDocument) -> bool:
        found = self._output.head(output_key(document.key))
        return found is not None and not is_left(document, {found.key: found.etag})
