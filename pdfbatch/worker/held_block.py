"""A block of a pool that this worker has received: its documents, its lease and its message."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set

from pdfbatch.errors import PdfbatchError
from pdfbatch.records import FinishedBlock, Outcome, PageResult, SourceDocument
from pdfbatch.runs.arrivals import AnyBlock
from pdfbatch.runs.messages import Message, MessageQueue
from pdfbatch.worker.block_leases import HeldLease
from pdfbatch.worker.workload import Block

RENEWED_AFTER = 0.25
"""The share of a lease's time after which a heartbeat renews it."""


class HeldBlock(Block):
    """`answered` makes a request to the store that may take long; False if the store did not answer after a stop.
    `hidden`: for how many seconds the message is kept from others."""

    def __init__(
        self,
        id_: AnyBlock,
        lease: HeldLease,
        message: Message,
        queue: MessageQueue,
        hidden: int,
        answered: Callable[[Callable[[], bool]], bool],
        dropped: Callable[[Iterable[PageResult]], None],
    ) -> None:
        super().__init__()
        self.id = id_
        self.lease = lease
        self._message = message
        self._queue = queue
        self._hidden = hidden
        self._answered = answered
        self._dropped = dropped
        self._open_documents = 0
        self.entries: list[SourceDocument] = []
        """Those that this worker reads."""
        self.left: set[str] = set()
        """Keys of the documents whose outcome is not in the ledger's buffer yet."""
        self.entered: set[str] = set()
        """Keys of those whose outcome is, or is in the ledger."""
        self.buffered: set[str] = set()
        """The part of `entered` that may not be in the ledger yet."""
        self.attempts: dict[str, int] = {}
        """Of its documents, by key."""
        self._etags: dict[str, str] = {}
        self._versions: dict[str, str] = {}

    def contains(self, entries: Iterable[SourceDocument]) -> None:
        """Says which documents it has, whoever reads them."""
        for entry in entries:
            for each in (entry, *entry.copies):
                self.attempts[each.key], self._etags[each.key] = each.attempt, each.etag

    def note_version(self, outcome: Outcome) -> None:
        """Notes which version of a document an outcome is of."""
        if outcome.etag and outcome.etag != self._etags.get(outcome.key):
            self._versions[outcome.key] = outcome.etag
        else:
            self._versions.pop(outcome.key, None)

    def mark(self) -> bytes:
        """Returns the content of the mark that it is finished."""
        return FinishedBlock(versions=self._versions).model_dump_json().encode() if self._versions else b""

    def is_mine(self) -> bool:
        return self.lease.is_sure() or (not self.lease.is_lost and self._answered(self.lease.is_mine))

    def opened(self) -> None:
        self._open_documents += 1

    def closed(self) -> None:
        self._open_documents -= 1

    def dropped(self, pages: Iterable[PageResult]) -> None:
        self._dropped(pages)

    def enter(self, keys: Set[str]) -> None:
        """Notes that the outcomes of these documents are in the ledger's buffer."""
        self.left -= keys
        self.entered |= keys
        self.buffered |= keys

    def lose_buffered(self) -> set[str]:
        """Returns the documents whose outcomes are in the ledger's buffer, and forgets those outcomes."""
        lost, self.buffered = self.buffered, set()
        self.entered -= lost
        return lost

    @property
    def is_read(self) -> bool:
        """Whether all outcomes are in the ledger's buffer."""
        return not self.left

    @property
    def is_gone(self) -> bool:
        """Whether another worker has it, and nothing here works on it any more."""
        return self.lease.is_lost and not self._open_documents

    def expect(self, entries: Iterable[SourceDocument]) -> None:
        self.entries = list(entries)
        self.left = {each.key for entry in self.entries for each in (entry, *entry.copies)}

    def received_again(self, message: Message) -> None:
        """Only the newest receipt of a message counts."""
        self._message = message
        self.lease.renew()
        self._queue.hide(message, self._hidden)

    def keep(self) -> None:
        """Renews the lease and then the message, if it is time. An error is no harm yet: the next heartbeat tries
        again."""
        if self.lease.is_lost or self.lease.age < RENEWED_AFTER * self._hidden:
            return
        try:
            self.lease.renew()
            if not self.lease.is_lost:
                self._queue.hide(self._message, self._hidden)
        except PdfbatchError:
            return

    def delete_message(self) -> None:
        self._queue.delete(self._message)

    def give_back(self) -> None:
        """Lets another worker have it at once."""
        if not self.lease.is_lost:
            self.lease.give_back()
            self._queue.hide(self._message, 0)
