"""The work of a pool's worker: blocks of the frozen manifest, one after the other, as a queue hands them out.

The queue only says which block is next. What must hold is in the store: a block is read by the holder of its lease, its
outcomes are recorded by that holder only, and the message is deleted when they are in the ledger. So a message that
comes twice does nothing twice, and one that is lost is sent again once the queue is empty.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from concurrent.futures import Future, wait
from functools import lru_cache, partial
from typing import NamedTuple

from pdfbatch.errors import PdfbatchError
from pdfbatch.records import BlockId, Manifest, Outcome, Pool, RunKeys, SourceDocument, output_key, pointer_of
from pdfbatch.runs import ledger
from pdfbatch.runs.arrivals import AnyBlock
from pdfbatch.runs.messages import LONGEST_WAIT, Message, MessageQueue
from pdfbatch.runs.partition import is_left
from pdfbatch.runs.pool import all_blocks, finished_blocks, load_pool, pointer_to, range_of
from pdfbatch.runs.slices import documents_of
from pdfbatch.store import Store
from pdfbatch.worker.arrivals import LATER, Arrivals
from pdfbatch.worker.block_leases import BlockLeases, LeaseTerms
from pdfbatch.worker.held_block import HeldBlock
from pdfbatch.worker.resume import Unrecorded, etags_of, left_of
from pdfbatch.worker.tally import Tally
from pdfbatch.worker.threads import in_thread
from pdfbatch.worker.workload import PAUSE, Offer, Pause, Workload, expect

MOST_LOSSES = 5
"""After this many holders in a row that fell silent, a block's documents are failed; see `Lease.losses`."""
_SLICES_KEPT = 4
_MEMBERS_SECONDS = 60.0
"""How often a worker looks whether it is still wanted, at the least."""

_log = logging.getLogger(__name__)


class PoolQueues(NamedTuple):
    """A pool's record and its queues."""

    pool: Pool
    queue: MessageQueue
    dead_letters: MessageQueue

    def remove(self) -> None:
        """Deletes the queues: the run is over."""
        self.queue.remove()
        self.dead_letters.remove()


class PoolHooks(NamedTuple):
    """What a pool's work calls in its worker."""

    next_segment: Callable[[], int]
    """Returns the number of the ledger segment that is written next."""
    record: Callable[[Unrecorded], None]
    """Takes a document that a worker published before it died."""
    abandon: Callable[[SourceDocument, str], None]
    """Takes an entry whose documents are failed, and why."""
    withdraw: Callable[[], None]
    """Takes the outcomes of lost documents (`lost_keys`) out of the ledger's buffer."""
    retire: Callable[[], None]
    """Called when the worker is no longer wanted."""
    answered: Callable[[Callable[[], bool]], bool]
    """Makes a request to the store that may take long; False if the store did not answer after a stop."""


class _Delivery(NamedTuple):
    message: Message
    queue: MessageQueue
    is_dead: bool


class PoolWorkload(Workload):
    """Holds a block, and the next one when the first is nearly read."""

    def __init__(
        self,
        manifest: Manifest,
        queues: PoolQueues,
        terms: LeaseTerms,
        source: Store,
        output: Store,
        tally: Tally,
        hooks: PoolHooks,
    ) -> None:
        self._manifest = manifest
        self._queues = queues
        self._terms = terms
        self._output = output
        self._tally = tally
        self._hooks = hooks
        self._keys = RunKeys(manifest.run)
        self._leases = BlockLeases(output, self._keys, terms)
        sweep = queues.pool.sweep_seconds
        self._arrivals = (
            Arrivals(manifest, source, output, self._leases, terms, sweep) if manifest.watches_input else None
        )
        self._slice = lru_cache(_SLICES_KEPT)(partial(documents_of, output, manifest))
        self._held: dict[AnyBlock, HeldBlock] = {}
        self._block_of: dict[str, HeldBlock] = {}
        """By key, for documents that are read here."""
        self._entered_before: dict[str, int] = {}
        """Attempts, by key, at documents of lost blocks whose outcomes are in this worker's ledger."""
        self._lost_keys: set[str] = set()
        """Documents of lost blocks whose outcomes are still in the ledger's buffer."""
        self._poll: Future[_Delivery | None] | None = None
        self._found_nothing = True
        """Whether it is worth looking if the run is over."""
        self._is_manifest_read = False
        self._waited: float | None = None
        self._looked_at = terms.monotonic()
        self._sent_at = terms.monotonic()

    @property
    def holding(self) -> int:
        return len(self._held)

    @property
    def waited_seconds(self) -> float | None:
        return self._waited

    def claimed(self) -> Iterable[SourceDocument]:
        return ()  # what the process before held comes back through the queue

    def offers(self, left: Callable[[SourceDocument], SourceDocument | None]) -> Iterator[Offer | Pause]:  # noqa: ARG002
        while not self._is_over():
            delivery = self._delivered()
            if delivery is None:
                yield PAUSE
            else:
                yield from self._received(delivery)

    def may_enter(self, outcome: Outcome) -> bool:
        block = self._block_of.get(outcome.key)
        return block is not None and block.is_mine()

    def entered(self, outcome: Outcome) -> None:
        block = self._block_of.pop(outcome.key)
        block.note_version(outcome)
        block.enter({outcome.key})

    def lost_keys(self) -> Set[str]:
        for block in self._held.values():
            if block.buffered and not block.is_mine():
                self._lost_keys |= block.lose_buffered()
        found, self._lost_keys = self._lost_keys, set()
        return found

    @property
    def waits_for_ledger(self) -> bool:
        return any(block.is_read for block in self._held.values())

    def settle(self) -> None:
        for block in list(self._held.values()):
            block.buffered = set()
            if block.is_read and block.is_mine():
                self._finish(block)

    def renew(self) -> None:
        for block in list(self._held.values()):
            block.keep()
        now, pool = self._terms.monotonic(), self._queues.pool
        if now - self._looked_at >= min(_MEMBERS_SECONDS, pool.process_seconds / 4):
            self._looked_at = now
            self._look_whether_wanted()

    def give_back(self) -> None:
        for block in list(self._held.values()):
            block.give_back()
        self._forget_lost()
        self._held.clear()
        delivery = self._poll.result() if self._poll is not None and self._poll.done() else None
        if delivery is not None:
            delivery.queue.hide(delivery.message, 0)

    # ── receive ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _delivered(self) -> _Delivery | None:
        """Returns what the queue has handed out; None if it has not answered yet, or has nothing."""
        if self._poll is None:
            self._poll = in_thread(self._ask_queues, "receive")
        if not wait([self._poll], 0).done:
            return None
        delivery, self._poll = self._poll.result(), None
        self._found_nothing = delivery is None
        return delivery

    def _ask_queues(self) -> _Delivery | None:
        pool, queue, dead = self._queues
        patience = min(LONGEST_WAIT, pool.acknowledge_seconds // 4)
        if message := queue.receive(patience, pool.acknowledge_seconds):
            return _Delivery(message, queue, is_dead=False)
        if message := dead.receive(0, pool.acknowledge_seconds):
            return _Delivery(message, dead, is_dead=True)
        if self._arrivals is not None:
            self._sweep(self._arrivals)
        return None

    def _sweep(self, arrivals: Arrivals) -> None:
        """Sends what S3 has not sent, if it is time. An error is no harm: another sweep follows."""
        try:
            if arrivals.is_sweep_due():
                self._queues.queue.send(map(arrivals.message_about, arrivals.missed()))
        except PdfbatchError as error:
            _log.warning("the input was not looked through for documents without an event: %s", error.message)

    def _received(self, delivery: _Delivery) -> Iterator[Offer]:
        body = delivery.message.body
        pointer = pointer_of(body)
        numbers = range_of(self._manifest, pointer.id) if pointer and pointer.run == self._manifest.run else None
        if pointer is not None and numbers is not None:
            yield from self._taken(
                delivery, pointer.id, lambda: self._slice(pointer.slice)[numbers.start : numbers.stop]
            )
        elif self._arrivals is not None and (keys := self._arrivals.keys_in(body)):
            yield from self._arrived(delivery, self._arrivals, keys)
        else:
            _log.info("a message about nothing in this run is deleted: %.200s", body)
            delivery.queue.delete(delivery.message)

    def _arrived(self, delivery: _Delivery, arrivals: Arrivals, keys: Sequence[str]) -> Iterator[Offer]:
        """Takes a message about documents. However often it was received, it is no dead letter: it had to wait."""
        message, queue, _ = delivery
        if len(keys) > 1:
            self._queues.queue.send(map(arrivals.message_about, keys))
            queue.delete(message)
            return
        found = arrivals.to_read(keys[0])
        if found is None:
            queue.delete(message)
        elif found == LATER:
            queue.hide(message, self._queues.pool.acknowledge_seconds)
        else:
            yield from self._taken(delivery._replace(is_dead=False), found.id, lambda: [found.document])

    def _taken(
        self, delivery: _Delivery, id_: AnyBlock, entries: Callable[[], Sequence[SourceDocument]]
    ) -> Iterator[Offer]:
        """Takes a message about a block, or an arrival, with these entries."""
        message, queue, is_dead = delivery
        pool = self._queues.pool
        if (known := self._held.get(id_)) and not known.lease.is_lost:
            known.received_again(message)
        elif self._output.head(self._keys.finished_block(id_.name)) is not None:
            queue.delete(message)
        elif known or (lease := self._leases.take(id_, self._hooks.next_segment())) is None:
            queue.hide(message, pool.acknowledge_seconds)  # another worker reads it
        else:
            hidden = pool.process_seconds
            queue.hide(message, hidden)
            forget, answered = self._tally.forget_pages, self._hooks.answered
            block = HeldBlock(id_, lease, message, queue, hidden, answered, forget)
            self._held[id_] = block
            if message.sent is not None:
                self._waited = round(max(0.0, self._terms.clock().timestamp() - message.sent), 1)
            yield from self._begun(block, entries(), is_dead=is_dead)

    def _begun(self, block: HeldBlock, entries: Sequence[SourceDocument], *, is_dead: bool) -> Iterator[Offer]:
        if self._lost_keys:
            self._hooks.withdraw()
        block.contains(entries)
        left = self._left(entries, block)
        block.expect(left)
        expect(self._tally, left)
        block.lease.note_left(len(block.left))
        self._block_of.update(dict.fromkeys(block.left, block))
        if is_dead:
            self._abandon(block, "its message was received again and again")
        elif block.lease.losses >= MOST_LOSSES:
            self._abandon(block, f"{block.lease.losses} workers in a row ended while they had it")
        for entry in block.entries:
            yield Offer(entry, block)
        if block.is_read and not block.entered:  # an earlier holder recorded everything
            self._finish(block)

    def _abandon(self, block: HeldBlock, why: str) -> None:
        for entry in block.entries:
            self._hooks.abandon(entry, f"{block.id}: {why}")
        for key in list(block.left):
            self._block_of.pop(key)
        block.enter(set(block.left))
        block.entries = []

    # ── what earlier holders did ─────────────────────────────────────────────────────────────────────────────────

    def _left(self, entries: Sequence[SourceDocument], block: HeldBlock) -> list[SourceDocument]:
        """Returns what earlier holders have left; records what they published without recording it."""
        if not block.lease.was_held:
            return list(entries)
        done = self._recorded(block) | {
            key for key, attempt in self._entered_before.items() if attempt >= block.attempts.get(key, attempt + 1)
        }
        open_ones = [
            Unrecorded(each, "" if each is entry else entry.key)
            for entry in entries
            for each in (entry, *entry.copies)
            if each.key not in done
        ]
        markdown = etags_of(self._output, [output_key(each.document.key) for each in open_ones])
        for each in open_ones:
            if not is_left(each.document, markdown):
                expect(self._tally, [each.document._replace(copies=())])
                self._hooks.record(each)
                block.enter({each.document.key})
        done |= block.entered
        return [left for entry in entries if (left := left_of(entry, done)) is not None]

    def _recorded(self, block: HeldBlock) -> set[str]:
        """Returns the keys of the block's documents that a holder has recorded."""
        parts = [
            part
            for holder in block.lease.holders
            for part in ledger.segments(self._output, self._keys.ledger_of(holder.worker))
            if part.number >= holder.segment
        ]
        found = set[str]()
        for _, line in ledger.outcomes(self._output, parts):
            if line.attempt >= block.attempts.get(line.key, line.attempt + 1):
                block.note_version(line)
                found.add(line.key)
        return found

    # ── finish, lose, end ────────────────────────────────────────────────────────────────────────────────────────

    def _finish(self, block: HeldBlock) -> None:
        """Marks the block as finished, and only then deletes its message."""
        self._output.put(self._keys.finished_block(block.id.name), block.mark())
        block.delete_message()
        del self._held[block.id]
        self._found_nothing = True  # it may have been the last one

    def _forget_lost(self) -> None:
        for block in list(self._held.values()):
            if not block.lease.is_lost:
                continue
            self._lost_keys |= block.lose_buffered()
            if block.left:
                expect(self._tally, [left for each in block.entries if (left := left_of(each, block.entered))], -1)
                for key in block.left:
                    self._block_of.pop(key, None)
                block.left = set()
            if block.is_gone:
                self._entered_before |= {key: block.attempts[key] for key in block.entered}
                del self._held[block.id]

    def _is_over(self) -> bool:
        """Whether every block of the run is finished, and nothing more can arrive."""
        self._forget_lost()
        if self._is_manifest_read or not self._found_nothing or self._held:
            return False
        self._found_nothing = False
        open_blocks = set(all_blocks(self._manifest)) - finished_blocks(self._output, self._keys)
        if open_blocks and self._terms.monotonic() - self._sent_at >= self._queues.pool.process_seconds:
            self._send_lost(open_blocks)
        self._is_manifest_read = not open_blocks
        return self._is_manifest_read and self._arrivals is None

    def _send_lost(self, open_blocks: Iterable[BlockId]) -> None:
        """Sends the messages of blocks again that nobody reads and that the queue does not have."""
        self._sent_at = self._terms.monotonic()
        if self._queues.queue.depth().total == 0:
            lost = [block for block in open_blocks if self._leases.is_free(block)]
            self._queues.queue.send(pointer_to(self._manifest.run, block) for block in lost)

    def _look_whether_wanted(self) -> None:
        try:
            pool = load_pool(self._output, self._manifest.run)
        except PdfbatchError:
            return
        if pool is not None and self._terms.worker not in pool.workers:
            self._hooks.retire()
