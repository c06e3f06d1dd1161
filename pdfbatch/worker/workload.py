"""What a worker reads. There are two kinds: the worker's own slice (slice_workload.py) and blocks that a queue
hands out (pool_workload.py)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Set
from typing import Final, NamedTuple

from pdfbatch.records import Outcome, PageResult, SourceDocument
from pdfbatch.runs.partition import work_of
from pdfbatch.worker.tally import Tally


class Block:
    """Documents that one worker reads. It is claimed when the first of their pages is about to be read, not when they
    are fetched ahead: until then another worker may take them."""

    def __init__(self, claim: Callable[[], bool] | None = None) -> None:
        self._claim = claim
        self._is_mine = True if claim is None else None

    def is_mine(self) -> bool:
        """Claims the block, unless that was tried before; returns whether this worker has it."""
        if self._is_mine is None:
            assert self._claim is not None
            self._is_mine = self._claim()
        return self._is_mine

    def opened(self) -> None:
        """Called when the pipeline opens one of its documents."""

    def closed(self) -> None:
        """Called when the pipeline has closed one of its documents."""

    def dropped(self, pages: Iterable[PageResult]) -> None:
        """Called with the counted pages of a document that the pipeline leaves unfinished."""


class Offer(NamedTuple):
    """A document to read, if its block can be claimed."""

    document: SourceDocument
    block: Block


class Pause:
    """Comes instead of an offer when there is none now, but there may be one soon."""


PAUSE: Final = Pause()


class Workload(ABC):
    """The work of one worker. All but `renew` are called in the worker's deciding thread. A claim of a slice's block
    never moves, so what follows on `offers` matters to pools only."""

    @abstractmethod
    def claimed(self) -> Iterable[SourceDocument]:
        """Returns the entries that an earlier process of this worker may have worked on."""

    @abstractmethod
    def offers(self, left: Callable[[SourceDocument], SourceDocument | None]) -> Iterator[Offer | Pause]:
        """Yields the offers in order. `left` returns what is left of an entry, None if it is done."""

    @property
    def holding(self) -> int:
        """The number of blocks of a queue that it has and has not finished."""
        return 0

    @property
    def waited_seconds(self) -> float | None:
        """How long the last block had waited in the queue; None: there is none."""
        return None

    def may_enter(self, outcome: Outcome) -> bool:  # noqa: ARG002
        """Whether an outcome is this worker's to record: its block may have gone to another worker meanwhile."""
        return True

    def entered(self, outcome: Outcome) -> None:  # noqa: B027  # does nothing by default
        """Called when an outcome is in the ledger's buffer."""

    @property
    def waits_for_ledger(self) -> bool:
        """Whether it can finish something as soon as the ledger is written."""
        return False

    def lost_keys(self) -> Set[str]:
        """Returns the documents whose outcomes are in the ledger's buffer, but that another worker has now."""
        return frozenset()

    def settle(self) -> None:  # noqa: B027  # does nothing by default
        """Called when everything entered so far is stored in the ledger."""

    def renew(self) -> None:  # noqa: B027  # does nothing by default
        """Called with every heartbeat, in its thread; keeps what the worker holds."""

    def give_back(self) -> None:  # noqa: B027  # does nothing by default
        """Called when the worker has stopped and stored what it read."""


def expect(tally: Tally, entries: Iterable[SourceDocument], sign: int = 1) -> None:
    """Counts entries as this worker's, or (`sign` -1) no more as its."""
    documents, work = 0, 0.0
    for entry in entries:
        documents += 0 if entry.is_part else entry.documents
        work += work_of(entry)
    tally.expect(sign * documents, sign * work)
