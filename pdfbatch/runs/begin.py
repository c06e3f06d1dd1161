"""Starts a run: resumes the unfinished one, or freezes what is left as a new one."""

import shlex
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

from pdfbatch import __version__
from pdfbatch.errors import PdfbatchError, UsageError
from pdfbatch.records import (
    CURRENT_RUN_KEY,
    Chosen,
    Manifest,
    ProcessorSpec,
    ReadOptions,
    Reason,
    RunKeys,
    SourceDocument,
    resumed_triage,
)
from pdfbatch.runs import ledger, manifest
from pdfbatch.runs.copies import digest_in, without_copies
from pdfbatch.runs.inputs import bad_name, listed, no_documents, nothing_at
from pdfbatch.runs.lease import is_anyone_alive, last_sign, refuse_twin
from pdfbatch.runs.outputs import markdown_of
from pdfbatch.runs.partition import Slice, divided, documents_in, in_parts, slice_of
from pdfbatch.runs.selection import Selection, what_failed, what_is_left
from pdfbatch.runs.slices import Frozen, documents_of
from pdfbatch.runs.versions import recognised
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
    """`finished`: this slice is done, others are still running. `nothing`: everything is done already; the manifest was
    not saved."""
    documents: Sequence[SourceDocument] = ()
    """The slice of this worker, unless `finished` or `nothing`."""
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


class Remaining(NamedTuple):
    """What a run started now would convert; nothing is frozen yet."""

    documents: Sequence[SourceDocument]
    skipped: int
    """Documents of the input that are done."""
    before: Manifest | None
    """The current run, which has ended."""
    changed: Sequence[str] = ()
    """As in `Begun`."""
    hopeless: Mapping[str, Reason] = MappingProxyType({})
    """Documents that are left out because the same file would fail again, and why."""
    retry_of: str | None = None
    """As in `Manifest`."""
    other_pages: Sequence[str] = ()
    """As in `Begun`, like `dry_runs`."""
    dry_runs: Sequence[str] = ()

    @property
    def latest(self) -> str | None:
        """The id of the run before, for `manifest.claim`."""
        return self.before.run if self.before else None

    @property
    def inputs(self) -> int:
        """Number of documents in the part of the input that this run covers."""
        return self.skipped + len(self.documents) + len(self.hopeless)


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
    selection = _what_is_left(
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


def remaining(
    source: Store,
    output: Store,
    now: datetime,
    *,
    redo_changed: bool,
    all_failures: bool,
    chosen: Chosen = Chosen(),  # noqa: B008  # frozen
    options: ReadOptions = ReadOptions(),  # noqa: B008  # frozen
    engine: str = "",
    has_passwords: bool = False,
    may_be_empty: bool = False,
) -> Remaining:
    """Returns what is left to convert, however the run before ended. Writes nothing.

    Raises:
        PdfbatchError: a run on this output is still running; or the input has no document, unless it `may_be_empty`.
    """
    before = _ended_run(output, now)
    if before is not None:
        _refuse_other_input(before, source.url, output)
    selection = _what_is_left(
        source, output, chosen, redo_changed=redo_changed, options=options, engine=engine, may_be_empty=may_be_empty
    )
    return _worth_a_try(selection, before, all_failures, has_passwords)


def remaining_failures(
    source: Store,
    output: Store,
    reasons: Sequence[Reason],
    now: datetime,
    *,
    all_failures: bool,
    below: float = 0.0,
    chosen: Chosen = Chosen(),  # noqa: B008  # frozen
    has_passwords: bool = False,
    only: Set[str] | None = None,
    also: Sequence[ProcessorSpec] = (),
) -> Remaining:
    """Returns what failed in all runs so far for these reasons, and documents with a page scored lower than `below`.
    Without reasons it is what failed for any, except hopeless documents, unless `all_failures`. With `only` it is these
    documents, whatever their outcome. Writes nothing.

    Raises:
        PdfbatchError: a run on this output is still running.
    """
    before = _ended_run(output, now)
    history = ledger.history(output)
    entries = recognised(source, listed(source, chosen, history).entries, history)
    selection = what_failed(entries, markdown_of(output), history, frozenset(reasons), below, chosen, only, also)
    takes_hopeless = all_failures or bool(reasons) or only is not None
    rest = _worth_a_try(selection, before, takes_hopeless, has_passwords)
    return rest._replace(retry_of=before.run if before else None)


def _worth_a_try(selection: Selection, before: Manifest | None, all_failures: bool, has_passwords: bool) -> Remaining:
    """Leaves out hopeless documents. Encrypted ones are not hopeless if there are passwords."""
    fixable = {Reason.ENCRYPTED} if has_passwords else set()
    hopeless = {} if all_failures else {key: why for key, why in selection.hopeless.items() if why not in fixable}
    return Remaining(
        [each for each in selection.documents if each.key not in hopeless],
        selection.skipped,
        before,
        selection.changed,
        hopeless,
        other_pages=selection.other_pages,
        dry_runs=selection.dry_runs,
    )


def followed(
    engine: str, model: str, options: ReadOptions, before: Manifest | None, retry_of: str | None
) -> str | None:
    """Returns the run whose checkpoints a new run may reuse: the one before, if it read pages in the same way. A retry
    reads its documents from scratch."""
    if before is None or retry_of is not None:
        return None
    read = options.model_copy(update={"also": before.options.also, "also_seconds": before.options.also_seconds})
    return before.run if (engine, model, read) == (before.engine, before.model, before.options) else None


def _ended_run(output: Store, now: datetime) -> Manifest | None:
    """Returns the current run; None if there never was one.

    Raises:
        PdfbatchError: it is still running.
    """
    latest = manifest.current(output)
    if latest is None:
        return None
    found = manifest.load(output, latest)
    if is_anyone_alive(output, found, now):
        raise _alive_error(latest, output)
    return found


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
        return Begun(fresh.manifest, "new", fresh.slices[wanted.part.worker], changed)
    theirs = _resumable(output, winner, wanted, fresh.manifest.input, clock())
    if theirs is None:
        raise _alive_error(winner, output)
    return theirs


def _resumable(output: Store, run: str, wanted: Request, source_url: str, now: datetime) -> Begun | None:
    """Returns the run if it matches the request and this worker has not finished it; None if a new one may start."""
    found = manifest.load(output, run)
    _refuse_other_input(found, source_url, output)
    triage = resumed_triage(wanted.options.triage, found.options.triage)
    options = wanted.options.model_copy(update={"triage": triage})
    asked_for = (wanted.engine, options, wanted.part.total, None, wanted.chosen)
    same = (found.engine, found.options, found.total_workers, found.retry_of, found.chosen) == asked_for
    same = same and is_model(wanted.model, found.model)
    if manifest.load_fleet(output, run) is not None:
        if is_anyone_alive(output, found, now):
            raise _alive_error(run, output)
        return None  # a fleet's run is not resumed elsewhere; what is left becomes a new run
    beat, mark = last_sign(output, RunKeys(run), wanted.part.worker)
    finished = mark is not None and mark.why == "done"
    if same and not finished:
        if beat is not None:
            refuse_twin(beat, mark, now)
        return Begun(found, "resumed", documents_of(output, found, wanted.part.worker))
    if not is_anyone_alive(output, found, now):
        return None
    if same:
        return Begun(found, "finished")
    raise _alive_error(run, output)


def _refuse_other_input(found: Manifest, source_url: str, output: Store) -> None:
    if found.input != source_url:
        raise UsageError(
            f"{output.url} contains the Markdown of another input, {found.input}.",
            f"Use a separate output. If the input was only moved, delete {output.url}{CURRENT_RUN_KEY} first.",
        )


def is_model(named: str, frozen: str) -> bool:
    """Whether a model as a person names it is the frozen one; a name without a commit matches any commit."""
    return frozen == named or frozen.startswith(f"{named}@") or (frozen != "" and str(Path(named).resolve()) == frozen)


def _alive_error(run: str, output: Store) -> PdfbatchError:
    quoted = shlex.quote(output.url)
    return PdfbatchError(
        f"Run {run} on this output is still running.",
        f"Check `pdfbatch status {quoted}`. Wait until it ends or stop it (for a fleet: "
        f"`pdfbatch down {quoted}`), then start again. If it was killed right after its start, wait a minute.",
    )


def _what_is_left(
    source: Store,
    output: Store,
    chosen: Chosen,
    *,
    redo_changed: bool,
    options: ReadOptions,
    engine: str,
    may_be_empty: bool = False,
) -> Selection:
    found = listed(source, chosen)
    if found.absent:
        raise nothing_at(source, found.absent)
    history = ledger.history(output)
    entries = recognised(source, found.entries, history)
    selection = what_is_left(
        entries,
        markdown_of(output),
        history,
        redo_changed=redo_changed,
        chosen=chosen,
        pages=options.pages,
        engine=engine,
        also=options.also,
    )
    if not selection.documents and not selection.skipped and not may_be_empty:
        raise no_documents(source, chosen, [entry.key for entry in entries])
    return selection


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
