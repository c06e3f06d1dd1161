"""Documents that arrived while a pool watched its input, as its store has them.

The frozen manifest never changes. An arrival is a record beside it, put if absent, and is read under a lease like any
block. The records of one Markdown are numbered; the next one is only written when the one before is finished. So a
document that is overwritten again and again is read one version after the other, and each version at most once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set

from pydantic import ValidationError

from pdfbatch.errors import NotFound, PreconditionFailed
from pdfbatch.records import Arrival, ArrivalId, BlockId, FinishedBlock, Manifest, RunKeys
from pdfbatch.runs.in_order import in_order
from pdfbatch.store import Store

AnyBlock = BlockId | ArrivalId


def arrivals_at(store: Store, keys: RunKeys, place: str) -> list[Arrival]:
    """Returns what arrived for one Markdown, in order."""
    return [each for entry in store.list(keys.arrivals_at(place)) if (each := _load(store, entry.key))]


def add_arrival(store: Store, keys: RunKeys, arrival: Arrival) -> bool:
    """Adds a record; False if another worker has added one of this number."""
    try:
        store.put_new(keys.arrival(*arrival.id), arrival.model_dump_json().encode("utf-8", "surrogatepass"))
    except PreconditionFailed:
        return False
    return True


def arrival_ids(store: Store, keys: RunKeys) -> Iterator[ArrivalId]:
    """Yields every arrival, with one LIST."""
    return (_id_in(entry.key.removeprefix(keys.arrivals).removesuffix(".json")) for entry in store.list(keys.arrivals))


def finished_arrivals(store: Store, keys: RunKeys) -> Set[ArrivalId]:
    prefix = keys.finished_blocks + "arrived/"
    return {_id_in(entry.key.removeprefix(prefix)) for entry in store.list(prefix)}


def load_arrivals(store: Store, keys: RunKeys, ids: Iterable[ArrivalId]) -> Iterator[Arrival]:
    """Yields the records of these arrivals, many read at once."""
    loaded: Iterator[Arrival | None] = in_order(lambda one: _load(store, keys.arrival(*one)), ids)
    return (each for each in loaded if each is not None)


def arrived_count(store: Store, manifest: Manifest) -> int:
    """Returns how many documents, and new versions of documents, have extended a run; 0 for runs that watch nothing,
    without asking the store."""
    return sum(1 for _ in arrival_ids(store, RunKeys(manifest.run))) if manifest.watches_input else 0


def versions_read(store: Store, keys: RunKeys, block: AnyBlock) -> Mapping[str, str] | None:
    """Returns the ETags of a finished block's documents that were read in another version than the frozen one; None
    for a block that is not finished."""
    try:
        data = store.get(keys.finished_block(block.name))
        return FinishedBlock.model_validate_json(data).versions if data else {}
    except NotFound:
        return None
    except ValidationError:
        return {}


def relative_key(manifest: Manifest, bucket: str, key: str) -> str:
    """Returns an object's key relative to the input; "" for one outside."""
    url = f"s3://{bucket}/{key}"
    return url[len(manifest.input) :] if url.startswith(manifest.input) else ""


def _id_in(text: str) -> ArrivalId:
    place, _, number = text.partition("/")
    return ArrivalId(place, int(number))


def _load(store: Store, key: str) -> Arrival | None:
    try:
        return Arrival.model_validate_json(store.get(key))
    except (NotFound, ValidationError):
        return None
