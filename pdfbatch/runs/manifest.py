"""Frozen manifests: written once, claimed by one conditional write, read by every worker with one GET."""

import gzip
import json
import secrets
import shlex
import zlib
from datetime import datetime

from pydantic import ValidationError

from pdfbatch.errors import NotFound, PdfbatchError, PreconditionFailed
from pdfbatch.records import CURRENT_RUN_KEY, CurrentRun, FleetRecord, Manifest, RunKeys
from pdfbatch.runs import slices
from pdfbatch.runs.slices import Frozen
from pdfbatch.store import Store


def new_run_id(now: datetime) -> str:
    """Returns an id like `20261121T231501.042Z-9f3c`. It sorts by time (UTC); random digits make it unique."""
    return f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03}Z-{secrets.token_hex(2)}"


def save(store: Store, frozen: Frozen) -> None:
    """Writes the documents first: a manifest never lacks its documents."""
    slices.save(store, frozen)
    # mtime=0: the same manifest gives the same bytes.
    data = gzip.compress(frozen.manifest.model_dump_json().encode("utf-8", "surrogatepass"), mtime=0)
    store.put_new(RunKeys(frozen.manifest.run).manifest, data)


def load(store: Store, run: str) -> Manifest:
    """Reads the manifest of a run.

    Raises:
        NotFound: there is no such run.
        PdfbatchError: the manifest is damaged.
    """
    key = RunKeys(run).manifest
    try:
        data = store.get(key)
    except NotFound as error:
        if run != current(store):
            raise NotFound(f"Unknown run {run}.", f"`pdfbatch runs {shlex.quote(store.url)}` lists them.") from error
        raise NotFound(
            f"The manifest of run {run} is missing in {store.url}.",
            f"Delete {store.url}{CURRENT_RUN_KEY} and start again: finished documents are kept.",
        ) from error
    try:
        return _manifest(gzip.decompress(data))
    except (OSError, EOFError, zlib.error, ValueError, TypeError, KeyError, RecursionError) as error:
        raise PdfbatchError(
            f"The manifest of run {run} is damaged ({store.url}{key}).",
            f"Delete {store.url}{CURRENT_RUN_KEY} and start again: a new run is made, finished documents are kept.",
        ) from error


def _manifest(data: bytes) -> Manifest:
    fields = json.loads(data)
    if isinstance(fields, dict) and fields.get("version") == 1:  # its documents were inside it, in modulo slices
        documents, workers = len(fields["documents"]), fields["total_workers"]
        fields |= {"version": 2, "slices": [len(range(worker, documents, workers)) for worker in range(workers)]}
    return Manifest.model_validate(fields)


def current(store: Store) -> str | None:
    """Returns the run that `status` and a resumed `local-run` use by default; None if there never was one."""
    pointer = _pointer(store)
    return pointer[0] if pointer else None


def claim(store: Store, frozen: Frozen, instead_of: str | None) -> str:
    """Makes this the current run, unless another process was first. Returns the run that is now current.

    `instead_of` is the run that was current when the manifest was frozen (None: there was none).
    """
    save(store, frozen)
    manifest = frozen.manifest
    pointer = CurrentRun(run=manifest.run).model_dump_json().encode()
    try:
        known = _pointer(store)
        if known is None:
            store.put_new(CURRENT_RUN_KEY, pointer)
            return manifest.run
        if known[0] == instead_of:
            store.put_if(CURRENT_RUN_KEY, pointer, known[1])
            return manifest.run
    except PreconditionFailed:
        pass
    _delete(store, manifest)
    winner = _pointer(store)
    if winner is None:
        raise PdfbatchError(
            f"The current run of {store.url} disappeared while a new one was being made.", "Run the command again."
        )
    return winner[0]


def disclaim(store: Store, manifest: Manifest, instead_of: str | None) -> None:
    """Reverts `claim` for a run that no worker has started: the previous run becomes the current one again."""
    known = _pointer(store)
    if known is not None and known[0] == manifest.run:
        if instead_of is None:
            store.delete([CURRENT_RUN_KEY])
        else:
            store.put_if(CURRENT_RUN_KEY, CurrentRun(run=instead_of).model_dump_json().encode(), known[1])
    store.delete([RunKeys(manifest.run).fleet, RunKeys(manifest.run).pool])
    _delete(store, manifest)


def _delete(store: Store, manifest: Manifest) -> None:
    store.delete([RunKeys(manifest.run).manifest])
    slices.delete(store, manifest)


def save_fleet(store: Store, record: FleetRecord) -> None:
    store.put(RunKeys(record.run).fleet, record.model_dump_json(indent=2).encode())


def load_fleet(store: Store, run: str) -> FleetRecord | None:
    """Returns the fleet launched for a run; None for a run on your own machine."""
    try:
        return FleetRecord.model_validate_json(store.get(RunKeys(run).fleet))
    except (NotFound, ValidationError):
        return None


def _pointer(store: Store) -> tuple[str, str] | None:
    """Returns (run, ETag of the pointer); None if there is no pointer."""
    entry = store.head(CURRENT_RUN_KEY)
    if entry is None:
        return None
    try:
        return CurrentRun.model_validate_json(store.get(CURRENT_RUN_KEY)).run, entry.etag
    except ValidationError as error:
        raise PdfbatchError(
            f"The pointer to the current run is damaged ({store.url}{CURRENT_RUN_KEY}).",
            "Delete that file and start again: finished documents are kept and skipped.",
        ) from error
