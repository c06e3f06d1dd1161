"""The state of a pool in its store: its record, its blocks, and which of them are finished."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from itertools import zip_longest

from pydantic import ValidationError

from pdfbatch.errors import NotFound, PdfbatchError, PreconditionFailed
from pdfbatch.records import BlockId, Manifest, Pointer, Pool, RunKeys
from pdfbatch.store import Store

_TRIES = 5


def save_pool(store: Store, pool: Pool) -> None:
    store.put(RunKeys(pool.run).pool, _data(pool))


def load_pool(store: Store, run: str) -> Pool | None:
    """Returns the record of a pool; None if the run is not one."""
    try:
        return Pool.model_validate_json(store.get(RunKeys(run).pool))
    except (NotFound, ValidationError):
        return None


def change_pool(store: Store, run: str, change: Callable[[Pool], Pool]) -> Pool:
    """Changes the record of a pool by a conditional write, and returns the new one. `change` may be called again.

    Raises:
        PdfbatchError: there is no such pool, or others changed it all the time.
    """
    key = RunKeys(run).pool
    for _ in range(_TRIES):
        entry, pool = store.head(key), load_pool(store, run)
        if entry is None or pool is None:
            raise PdfbatchError(f"Run {run} is not a pool.", "Start one with `pdfbatch launch --pool`.")
        changed = change(pool)
        try:
            store.put_if(key, _data(changed), entry.etag)
        except PreconditionFailed:
            continue
        return changed
    raise PdfbatchError(f"The pool of run {run} is being changed by others.", "Run the same command again.")


def workers_of(manifest: Manifest, pool: Pool | None) -> int:
    """Returns how many workers a run has had: their ids count from 0, and those that were added to a pool follow."""
    return max(manifest.total_workers, pool.used if pool else 0)


def pool_of(store: Store, manifest: Manifest) -> Pool | None:
    """Returns the record of a run that is a pool; None for others, without asking the store."""
    return load_pool(store, manifest.run) if manifest.is_pool else None


def range_of(manifest: Manifest, block: BlockId) -> range | None:
    """Returns the numbers of a block's entries in its slice; None if there is no such block."""
    ends = manifest.pool_blocks[block.slice] if block.slice < len(manifest.pool_blocks) else []
    if block.number >= len(ends):
        return None
    return range(ends[block.number - 1] if block.number else 0, ends[block.number])


def all_blocks(manifest: Manifest) -> Iterator[BlockId]:
    """Yields every block, the first of each slice first: the last ones are the smallest."""
    numbers = [range(len(ends)) for ends in manifest.pool_blocks]
    for row in zip_longest(*numbers):
        for slice_, number in enumerate(row):
            if number is not None:
                yield BlockId(slice_, number)


def pointer_to(run: str, block: BlockId) -> str:
    """Returns the message that points to a block."""
    return Pointer(run=run, slice=block.slice, block=block.number).model_dump_json()


def finished_blocks(store: Store, keys: RunKeys) -> Set[BlockId]:
    """Returns the blocks whose documents all have an outcome, with one LIST."""
    prefix = keys.finished_blocks + "slice-"
    found = (entry.key.removeprefix(prefix).partition("/") for entry in store.list(prefix))
    return {BlockId(int(slice_), int(number)) for slice_, _, number in found}


def _data(pool: Pool) -> bytes:
    return pool.model_dump_json(indent=2).encode()
