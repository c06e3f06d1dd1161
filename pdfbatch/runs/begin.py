"""Starts a run: resumes the unfinished one, or freezes what is left as a new one."""

from collections.abc import Callable, Mapping, Sequence, Set
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

from pdfbatch import __version__
from pdfbatch.errors import UsageError
from pdfbatch.records import (
    Chosen,
    Manifest,
    ReadOptions,
    Reason,
    RunKeys,
    SourceDocument,
    resumed_triage,
)
from pdfbatch.runs import manifest
from pdfbatch.runs.copies import digest_in, without_copies
from pdfbatch.runs.inputs import bad_name, listed
from pdfbatch.runs.lease import is_anyone_alive, last_sign, refuse_twin, unfinished_slices
from pdfbatch.runs.liveness import is_done
from pdfbatch.runs.partition import Slice, divided, documents_in, in_parts, slice_of
from pdfbatch.runs.remaining import alive_error, refuse_other_input, remaining_failures, selected
from pdfbatch.runs.selection import what_is_left
from pdfbatch.runs.slices import Frozen, documents_of
from pdfbatch.store import Store, inside

AD_HOC_RUN = "00000000T000000.000Z-adhoc"
"""The run id of a worker that was started by hand, without a manifest; sorts before every real run."""


class Request(NamedTuple):
    """What a person requested."""

    part: Slice
    engine: str
    options: ReadOptions
    redo_changed: bool = False
    limit: int | None = None
    """The maximum number of documents, the first ones by key; None: all."""
    model: str = ""
    """As the person named it; `pin` returns the name to freeze."""
    pin: Callable[[], str] = str
    chosen: Chosen = Chosen()
    events: Sequence[str] = ()
    """As in `Manifest`."""


class Begun(NamedTuple):
    manifest: Manifest
    how: Literal["new", "resumed", "finished", "nothing"]
    """`finished`: this slice is done, others are not. `nothing`: everything is done already; the manifest was not
    saved."""
    documents: Sequence[SourceDocument] = ()
    """The slice of this worker, unless `finished` or `nothing`."""
    idle: Sequence[int] = ()
    """If `finished`, the slices that are not done and that no worker is running."""
    changed: Sequence[str] = ()
    """Inputs that changed since their Markdown was written, and that are not converted again."""
    foreign: Sequence[str] = ()
    """Inputs whose Markdown was not written by a run, and that are not converted."""
    nameless: Sequence[str] = ()
    """PDFs without a name, which are left out."""
    other_pages: Sequence[str] = ()
    """Inputs whose Markdown has other pages than requested now, and that are not converted again."""
    dry_runs: Sequence[str] = ()
    """Inputs that only the engine `null` has opened, and that are converted now."""
    hopeless: Mapping[str, Reason] = MappingProxyType({})
    """As in `Remaining`."""


def check_places(source: Store, output: Store, chosen: Chosen = Chosen()) -> None:  # noqa: B008  # frozen
    """Checks the input and output before anything is written.

    Raises:
        UsageError: the input is inside the output.
        StoreError: the input cannot be read.
    """
    if chosen.is_everything_below:  # else the credentials may be able to list only what was named
        source.check_readable()
    if inside(source, output):
        raise UsageError(
            f"The input {source.url} is inside the output {output.url}.",
            "Use a separate output, for example a folder beside the input.",
        )


def begin(source: Store, output: Store, wanted: Request, clock: Callable[[], datetime]) -> Begun:
    """Resumes the unfinished run on this output, or starts a new one.

    Raises:
        PdfbatchError: another run on this output is still running, or this worker is already running.
    """
    latest = manifest.current(output)
    if latest is not None and (found := _resumable(output, latest, wanted, source.url, clock())):
        output.check_writable()
        return found
    selection = selected(
        source,
        output,
        wanted.chosen,
        redo_changed=wanted.redo_changed,
        options=wanted.options,
        engine=wanted.engine,
    )
    fresh = _freeze(source, output, wanted, selection.documents, selection.skipped, clock())
    if selection.documents:
        begun = _claim(output, fresh, latest, wanted, selection.changed, clock)
    else:
        begun = Begun(fresh.manifest, "nothing", changed=selection.changed)
    return begun._replace(
        foreign=selection.foreign,
        nameless=selection.nameless,
        other_pages=selection.other_pages,
        dry_runs=selection.dry_runs,
    )


def begin_retry(
    source: Store,
    output: Store,
    wanted: Request,
    reasons: Sequence[Reason],
    clock: Callable[[], datetime],
    below: float = 0.0,
    *,
    all_failures: bool = False,
    has_passwords: bool = False,
    only: Set[str] | None = None,
) -> Begun:
    """Starts a new run for what `remaining_failures` returns.

    Raises:
        PdfbatchError: a run on this output is still running.
    """
    rest = remaining_failures(
        source,
        output,
        reasons,
        clock(),
        all_failures=all_failures,
        below=below,
        chosen=wanted.chosen,
        has_passwords=has_passwords,
        only=only,
        also=wanted.options.also,
    )
    fresh = _freeze(source, output, wanted, rest.documents, rest.skipped, clock(), rest.retry_of)
    if not rest.documents:
        return Begun(fresh.manifest, "nothing", hopeless=rest.hopeless)
    return _claim(output, fresh, rest.latest, wanted, [], clock)._replace(hopeless=rest.hopeless)


def followed(
    engine: str, model: str, options: ReadOptions, before: Manifest | None, retry_of: str | None
) -> str | None:
    """Returns the run whose checkpoints a new run may reuse: the one before, if it read pages in the same way. A retry
    reads its documents from scratch."""
    if before is None or retry_of is not None:
        return None
    read = options.model_copy(update={"also": before.options.also, "also_seconds": before.options.also_seconds})
    return before.run if (engine, model, read) == (before.engine, before.model, before.options) else None


def ad_hoc(
    source: Store, output: Store, wanted: Request, clock: Callable[[], datetime]
) -> tuple[Manifest, Sequence[SourceDocument]]:
    """Returns the input's listing as a manifest that is never saved, and the documents of this worker's slice: a worker
    started by hand skips documents that have Markdown."""
    output.check_writable()
    selection = what_is_left(listed(source).entries, {}, {}, redo_changed=False)
    slices = [slice_of(selection.documents, Slice(worker, wanted.part.total)) for worker in range(wanted.part.total)]
    frozen = _manifest(source, output, wanted, list(map(len, slices)), selection.skipped, clock())
    return frozen.model_copy(update={"run": AD_HOC_RUN}), slices[wanted.part.worker]


def _claim(
    output: Store,
    fresh: Frozen,
    latest: str | None,
    wanted: Request,
    changed: list[str],
    clock: Callable[[], datetime],
) -> Begun:
    output.check_writable()
    winner = manifest.claim(output, fresh, latest)
    if winner == fresh.manifest.run:
        return Begun(fresh.manifest, "new", fresh.slices[wanted.part.worker], changed=changed)
    theirs = _resumable(output, winner, wanted, fresh.manifest.input, clock())
    if theirs is None:
        raise alive_error(winner, output)
    return theirs


def _resumable(output: Store, run: str, wanted: Request, source_url: str, now: datetime) -> Begun | None:
    """Returns the run if it matches the request and is not done; None if a new one may start. A new one beside
    unfinished slices would split the workers: one that was killed comes back, and then its pages belong to no run."""
    found = manifest.load(output, run)
    refuse_other_input(found, source_url, output)
    triage = resumed_triage(wanted.options.triage, found.options.triage)
    options = wanted.options.model_copy(update={"triage": triage})
    asked_for = (wanted.engine, options, wanted.part.total, None, wanted.chosen)
    same = (found.engine, found.options, found.total_workers, found.retry_of, found.chosen) == asked_for
    same = same and is_model(wanted.model, found.model)
    if manifest.load_fleet(output, run) is not None:
        if is_anyone_alive(output, found, now):
            raise alive_error(run, output)
        return None  # a fleet's run is not resumed elsewhere; what is left becomes a new run
    beat, mark = last_sign(output, RunKeys(run), wanted.part.worker)
    if same and not is_done(mark):
        if beat is not None:
            refuse_twin(beat, mark, now)
        return Begun(found, "resumed", documents_of(output, found, wanted.part.worker))
    if same and (left := unfinished_slices(output, found, now)):
        return Begun(found, "finished", idle=[number for number, is_running in left.items() if not is_running])
    if not is_anyone_alive(output, found, now):
        return None
    raise alive_error(run, output)


def is_model(named: str, frozen: str) -> bool:
    """Whether a model as a person names it is the frozen one; a name without a commit matches any commit."""
    return frozen == named or frozen.startswith(f"{named}@") or (frozen != "" and str(Path(named).resolve()) == frozen)


def _freeze(
    source: Store,
    output: Store,
    wanted: Request,
    documents: Sequence[SourceDocument],
    skipped: int,
    now: datetime,
    retry_of: str | None = None,
) -> Frozen:
    slices = entries_for(source, output, wanted.options, documents[: wanted.limit], wanted.part.total)
    frozen = _manifest(source, output, wanted, documents_in(slices), skipped, now)
    update = {"retry_of": retry_of, "entries": list(map(len, slices))}
    return Frozen(frozen.model_copy(update=update), slices)


def entries_for(
    source: Store, output: Store, options: ReadOptions, documents: Sequence[SourceDocument], workers: int
) -> list[list[SourceDocument]]:
    """Divides documents into the slices of a run: equal ones are read once, long ones in parts. A command reads every
    document, whole."""
    entries = list(documents)
    if not options.command.line:
        entries = without_copies(entries, digest_in(source), lambda key: not bad_name(output, key))
        entries = in_parts(entries, workers)
    return divided(entries, workers)


def _manifest(
    source: Store, output: Store, wanted: Request, slices: list[int], skipped: int, now: datetime
) -> Manifest:
    return Manifest(
        run=manifest.new_run_id(now),
        created=now,
        input=source.url,
        output=output.url,
        total_workers=wanted.part.total,
        engine=wanted.engine,
        model=wanted.pin(),
        pdfbatch=__version__,
        options=wanted.options,
        chosen=wanted.chosen,
        events=list(wanted.events),
        skipped=skipped,
        slices=slices,
    )
