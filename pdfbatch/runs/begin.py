"""How a run begins here: take up the unfinished one, or freeze what is left as a new one."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

from pdfbatch.errors import NotFound, PdfbatchError, UsageError
from pdfbatch.records import (
    CURRENT_RUN_KEY,
    STATE_PREFIX,
    WILD,
    Chosen,
    Manifest,
    ReadOptions,
    Reason,
    RunKeys,
    SourceDocument,
    is_picture_key,
)
from pdfbatch.runs import ledger, manifest, progress
from pdfbatch.runs.inputs import listed
from pdfbatch.runs.lease import is_anyone_alive, last_sign, refuse_twin
from pdfbatch.runs.partition import Slice
from pdfbatch.runs.selection import Selection, what_failed, what_is_left
from pdfbatch.store import Store, inside

AD_HOC_RUN = "00000000T000000.000Z-adhoc"
"""Where a worker keeps its state that was started by hand, without a manifest; sorts before every real run."""


class Request(NamedTuple):
    """What a person asked for."""

    part: Slice
    engine: str
    options: ReadOptions
    redo_changed: bool = False
    limit: int | None = None
    """At most this many documents, the first ones by key; None: all."""
    model: str = ""
    """As a person names it; `pin` makes of it what is frozen."""
    pin: Callable[[], str] = str
    chosen: Chosen = Chosen()


class Begun(NamedTuple):
    manifest: Manifest
    how: Literal["new", "resumed", "finished", "nothing"]
    """`finished`: this slice is, others are at work. `nothing`: all is done already, the manifest was not saved."""
    changed: Sequence[str] = ()
    """Inputs that changed since their Markdown was made and that are left alone."""
    foreign: Sequence[str] = ()
    """Inputs whose Markdown no run has told of, and that are left alone."""
    nameless: Sequence[str] = ()
    """PDFs without a name, which are left out."""
    other_pages: Sequence[str] = ()
    """Inputs whose Markdown has other pages than are asked for now, and that are left alone."""


class Remaining(NamedTuple):
    """What a run could read now; nothing is frozen yet."""

    documents: Sequence[SourceDocument]
    skipped: int
    """Documents of the input that need nothing."""
    before: Manifest | None
    """The run that is current now, and over."""
    changed: Sequence[str] = ()
    """As in `Begun`."""
    hopeless: Mapping[str, Reason] = MappingProxyType({})
    """Documents that are left out, because this very file must fail again, and why."""
    retry_of: str | None = None
    """As in `Manifest`."""
    other_pages: Sequence[str] = ()
    """As in `Begun`."""

    @property
    def latest(self) -> str | None:
        """The name of the run before; `manifest.claim` wants it."""
        return self.before.run if self.before else None

    @property
    def inputs(self) -> int:
        """Documents in the input, as far as this run looks at them."""
        return self.skipped + len(self.documents) + len(self.hopeless)


def check_places(source: Store, output: Store, chosen: Chosen = Chosen()) -> None:  # noqa: B008  # frozen
    """Ends early, before anything is made, if the places make no sense. What was named below the input may be all that
    these credentials can list."""
    if chosen.is_everything_below:
        source.check_readable()
    if inside(source, output):
        raise UsageError(
            f"The input {source.url} lies inside the output {output.url}.",
            "Give an output of its own, for example a folder beside the input.",
        )


def begin(source: Store, output: Store, wanted: Request, clock: Callable[[], datetime]) -> Begun:
    """
    Raises:
        PdfbatchError: another run on this output is alive, or this very worker is at work already.
    """
    latest = manifest.current(output)
    if latest is not None and (found := _resumable(output, latest, wanted, source.url, clock())):
        output.check_writable()
        return found
    selection = _what_is_left(
        source, output, wanted.chosen, redo_changed=wanted.redo_changed, pages=wanted.options.pages
    )
    fresh = _freeze(source, output, wanted, selection.documents, selection.skipped, clock())
    if selection.documents:
        begun = _claim(output, fresh, latest, wanted, selection.changed, clock)
    else:
        begun = Begun(fresh, "nothing", selection.changed)
    return begun._replace(foreign=selection.foreign, nameless=selection.nameless, other_pages=selection.other_pages)


def begin_retry(
    source: Store,
    output: Store,
    wanted: Request,
    reasons: Iterable[Reason],
    clock: Callable[[], datetime],
    below: float = 0.0,
) -> Begun:
    """A new run over what failed in all runs so far.

    Raises:
        PdfbatchError: a run on this output is alive.
    """
    rest = remaining_failures(source, output, reasons, clock(), all_failures=True, below=below, chosen=wanted.chosen)
    fresh = _freeze(source, output, wanted, rest.documents, rest.skipped, clock()).model_copy(
        update={"retry_of": rest.retry_of}
    )
    if not rest.documents:
        return Begun(fresh, "nothing")
    return _claim(output, fresh, rest.latest, wanted, [], clock)


def remaining(
    source: Store,
    output: Store,
    now: datetime,
    *,
    redo_changed: bool,
    all_failures: bool,
    chosen: Chosen = Chosen(),  # noqa: B008  # frozen
    pages: str = "",
    has_passwords: bool = False,
) -> Remaining:
    """What is left, whatever became of the run before. Writes nothing.

    Raises:
        PdfbatchError: a run on this output is alive.
    """
    before = _ended_run(output, now)
    if before is not None:
        _refuse_other_input(before, source.url, output)
    selection = _what_is_left(source, output, chosen, redo_changed=redo_changed, pages=pages)
    return _worth_a_try(selection, before, all_failures, has_passwords)


def remaining_failures(
    source: Store,
    output: Store,
    reasons: Iterable[Reason],
    now: datetime,
    *,
    all_failures: bool,
    below: float = 0.0,
    chosen: Chosen = Chosen(),  # noqa: B008  # frozen
    has_passwords: bool = False,
) -> Remaining:
    """What failed in all runs so far, for these reasons (none given: for any), and what has a page whose score is lower
    than `below`. Writes nothing.

    Raises:
        PdfbatchError: a run on this output is alive.
    """
    before = _ended_run(output, now)
    history = ledger.history(output)
    entries = listed(source, chosen, history).entries
    selection = what_failed(entries, _outputs(output), history, frozenset(reasons), below, chosen)
    rest = _worth_a_try(selection, before, all_failures, has_passwords)
    return rest._replace(retry_of=before.run if before else None)


def _worth_a_try(selection: Selection, before: Manifest | None, all_failures: bool, has_passwords: bool) -> Remaining:
    """With passwords at hand what needs one is."""
    mended = {Reason.ENCRYPTED} if has_passwords else set()
    hopeless = {} if all_failures else {key: why for key, why in selection.hopeless.items() if why not in mended}
    documents = [each for each in selection.documents if each.key not in hopeless]
    return Remaining(
        documents, selection.skipped, before, selection.changed, hopeless, other_pages=selection.other_pages
    )


def followed(
    engine: str, model: str, options: ReadOptions, before: Manifest | None, retry_of: str | None
) -> str | None:
    """The run whose checkpoints a new one may take up: the one before, if its pages were read in the same way. A retry
    reads again what it retries."""
    if before is None or retry_of is not None:
        return None
    return before.run if (engine, model, options) == (before.engine, before.model, before.options) else None


def _ended_run(output: Store, now: datetime) -> Manifest | None:
    """The current run, None if there never was one.

    Raises:
        PdfbatchError: it is alive.
    """
    latest = manifest.current(output)
    if latest is None:
        return None
    found = manifest.load(output, latest)
    if is_anyone_alive(output, found, now):
        raise _alive_error(latest, output)
    return found


def ad_hoc(source: Store, output: Store, wanted: Request, clock: Callable[[], datetime]) -> Manifest:
    """The plain listing as a manifest that is never saved: a worker run by hand slices it and skips what is there."""
    output.check_writable()
    selection = what_is_left(listed(source).entries, {}, {}, redo_changed=False)
    frozen = _freeze(source, output, wanted, selection.documents, selection.skipped, clock())
    return frozen.model_copy(update={"run": AD_HOC_RUN})


def _claim(
    output: Store,
    fresh: Manifest,
    latest: str | None,
    wanted: Request,
    changed: list[str],
    clock: Callable[[], datetime],
) -> Begun:
    output.check_writable()
    winner = manifest.claim(output, fresh, latest)
    if winner == fresh.run:
        return Begun(fresh, "new", changed)
    theirs = _resumable(output, winner, wanted, fresh.input, clock())
    if theirs is None:
        raise _alive_error(winner, output)
    return theirs


def _resumable(output: Store, run: str, wanted: Request, source_url: str, now: datetime) -> Begun | None:
    """The run, if it is what was asked for and this worker has not ended it; None if a new one may begin."""
    found = manifest.load(output, run)
    _refuse_other_input(found, source_url, output)
    asked_for = (wanted.engine, wanted.options, wanted.part.total, None, wanted.chosen)
    same = (found.engine, found.options, found.total_workers, found.retry_of, found.chosen) == asked_for
    same = same and is_model(wanted.model, found.model)
    if manifest.load_fleet(output, run) is not None:
        if is_anyone_alive(output, found, now):
            raise _alive_error(run, output)
        return None  # a fleet's run is not taken up on other machines; what it left is frozen as a new one
    beat, mark = last_sign(output, RunKeys(run), wanted.part.worker)
    finished = mark is not None and mark.why == "done"
    if same and not finished:
        if beat is not None:
            refuse_twin(beat, mark, now)
        return Begun(found, "resumed")
    if not is_anyone_alive(output, found, now):
        return None
    if same:
        return Begun(found, "finished")
    raise _alive_error(run, output)


def _refuse_other_input(found: Manifest, source_url: str, output: Store) -> None:
    if found.input != source_url:
        raise UsageError(
            f"{output.url} holds the Markdown of another input, {found.input}.",
            f"Give an output of its own. If the input only moved, delete {output.url}{CURRENT_RUN_KEY} first.",
        )


def is_model(named: str, frozen: str) -> bool:
    """Whether a model as a person names it is the one that was frozen; without a commit, any commit of it is."""
    return frozen == named or frozen.startswith(f"{named}@") or (frozen != "" and str(Path(named).resolve()) == frozen)


def _alive_error(run: str, output: Store) -> PdfbatchError:
    return PdfbatchError(
        f"Run {run} on this output is still alive.",
        f"See it with `pdfbatch status {output.url}`; wait for its end, or stop it (a fleet with "
        f"`pdfbatch down {output.url}`), then start again. If it was killed in its first moments, wait a minute.",
    )


def _outputs(output: Store) -> dict[str, str]:
    return {
        entry.key: entry.etag
        for entry in output.list()
        if entry.key.endswith(".md") and not entry.key.startswith(STATE_PREFIX)
    }


def _what_is_left(source: Store, output: Store, chosen: Chosen, *, redo_changed: bool, pages: str) -> Selection:
    found = listed(source, chosen)
    if found.absent:
        more = f" and {len(found.absent) - 1} more" if len(found.absent) > 1 else ""
        raise NotFound(f"{_nothing_at(source.url + found.absent[0])}{more}.", "Correct or leave out what is not there.")
    selection = what_is_left(
        found.entries, _outputs(output), ledger.history(output), redo_changed=redo_changed, chosen=chosen, pages=pages
    )
    if not selection.documents and not selection.skipped:
        raise _no_documents(source, chosen, [entry.key for entry in found.entries])
    return selection


def _nothing_at(place: str) -> str:
    return f"Nothing matches {place}" if WILD & set(place) else f"There is no {place}"


def _no_documents(source: Store, chosen: Chosen, keys: Sequence[str]) -> NotFound:
    """Says what kept the files out that are there."""
    if chosen.include or chosen.exclude:
        return NotFound(
            f"No document under {source.url} is left by --include and --exclude.",
            f"Their patterns are matched against keys as {min(keys)!r}." if keys else "There is no file at all.",
        )
    if pictures := sum(map(is_picture_key, keys)):
        return NotFound(
            f"No PDFs found under {source.url}, but {pictures:,} picture{'s' * (pictures > 1)}.",
            "Pictures are read where they are asked for: --include '*.png', or name them.",
        )
    return NotFound(
        f"No PDFs found under {source.url}.", "Check the path; files must end in .pdf (in any case), in any subfolder."
    )


def _freeze(
    source: Store, output: Store, wanted: Request, documents: Sequence[SourceDocument], skipped: int, now: datetime
) -> Manifest:
    return Manifest(
        run=manifest.new_run_id(now),
        created=progress.timestamp(now),
        input=source.url,
        output=output.url,
        total_workers=wanted.part.total,
        engine=wanted.engine,
        model=wanted.pin(),
        options=wanted.options,
        chosen=wanted.chosen,
        skipped=skipped,
        documents=list(documents[: wanted.limit]),
    )
