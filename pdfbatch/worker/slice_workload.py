"""The work of a worker with a slice of its own: it reads that, block by block, and then blocks of slices that lag
behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from pdfbatch.records import Manifest, SourceDocument
from pdfbatch.runs.partition import blocks
from pdfbatch.runs.slices import documents_of
from pdfbatch.store import Store
from pdfbatch.worker.claims import Claims
from pdfbatch.worker.tally import Tally
from pdfbatch.worker.workload import Block, Offer, Pause, Workload, expect


class SliceWorkload(Workload):
    """The offers of one worker, in order: what is left of its own slice, then of others.

    `claims` is None if this worker shares nothing. `may_help` says whether blocks of another slice may be taken over.
    `claimed` makes a claim, and returns whether it succeeded.
    """

    def __init__(
        self,
        manifest: Manifest,
        worker: int,
        documents: Sequence[SourceDocument],
        output: Store,
        claims: Claims | None,
        tally: Tally,
        may_help: Callable[[int], bool],
        claimed: Callable[[Callable[[], bool]], bool],
    ) -> None:
        self._manifest = manifest
        self._worker = worker
        self._documents = documents
        self._output = output
        self._claims = claims
        self._tally = tally
        self._may_help = may_help
        self._claimed = claimed
        self._blocks = blocks(len(documents))
        self._others = claims.own_slice() if claims else {}
        self._elsewhere = list(claims.elsewhere()) if claims else []
        self._offered = set(self._elsewhere)
        for number, block in enumerate(self._blocks):
            if self._others.get(number, worker) == worker:
                expect(self._tally, documents[block.start : block.stop])
        for entries in self._claimed_elsewhere():
            expect(self._tally, entries)

    def claimed(self) -> Iterator[SourceDocument]:
        """Yields the entries that an earlier process of this worker may have worked on."""
        for number, block in enumerate(self._blocks):
            if self._claims is None or self._others.get(number) == self._worker:
                yield from self._documents[block.start : block.stop]
        for entries in self._claimed_elsewhere():
            yield from entries

    def offers(self, left: Callable[[SourceDocument], SourceDocument | None]) -> Iterator[Offer | Pause]:
        for number, block in enumerate(self._blocks):
            if self._others.get(number, self._worker) != self._worker:
                continue
            entries = self._documents[block.start : block.stop]
            yield from self._offers(self._own(number, entries), entries, left)
        for entries in self._claimed_elsewhere():
            yield from self._offers(Block(), entries, left)
        yield from self._takeovers()

    def _own(self, number: int, entries: Sequence[SourceDocument]) -> Block:
        claims = self._claims
        if claims is None:
            return Block()

        def claim() -> bool:
            is_mine = self._claimed(lambda: claims.take(self._worker, number))
            if not is_mine:
                expect(self._tally, entries, -1)
            return is_mine

        return Block(claim)

    def _offers(
        self,
        block: Block,
        entries: Iterable[SourceDocument],
        left: Callable[[SourceDocument], SourceDocument | None],
    ) -> Iterator[Offer]:
        for entry in entries:
            if (document := left(entry)) is not None:
                yield Offer(document, block)

    def _claimed_elsewhere(self) -> Iterator[Sequence[SourceDocument]]:
        for slice_, number in self._elsewhere:
            yield self._block(slice_, number)

    def _block(self, slice_: int, number: int) -> Sequence[SourceDocument]:
        documents = documents_of(self._output, self._manifest, slice_)
        block = blocks(len(documents))[number]
        return documents[block.start : block.stop]

    def _takeovers(self) -> Iterator[Offer]:
        """Yields the last unclaimed blocks of the slices that have most of them."""
        while (found := self._most_behind()) is not None:
            self._offered.add(found)
            entries = self._block(*found)
            yield from self._offers(self._foreign(*found, entries), entries, lambda entry: entry)

    def _foreign(self, slice_: int, number: int, entries: Sequence[SourceDocument]) -> Block:
        claims = self._claims
        assert claims is not None

        def claim() -> bool:
            is_mine = self._claimed(lambda: claims.take(slice_, number))
            if is_mine:
                expect(self._tally, entries)
            return is_mine

        return Block(claim)

    def _most_behind(self) -> tuple[int, int] | None:
        if self._claims is None:
            return None
        claimed = self._claims.everywhere()
        found: list[tuple[int, int, int]] = []
        for slice_, entries in enumerate(self._manifest.entries):
            if slice_ == self._worker:
                continue
            free = set(range(len(blocks(entries)))) - claimed.get(slice_, set())
            free -= {number for of, number in self._offered if of == slice_}
            if free:
                found.append((len(free), (slice_ - self._worker) % self._manifest.total_workers, max(free)))
        for _, distance, number in sorted(found, reverse=True):
            slice_ = (self._worker + distance) % self._manifest.total_workers
            if self._may_help(slice_):
                return slice_, number
        return None
