"""How a run begins here: take up the unfinished one, or freeze what is left as a new one."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

from pdfbatch.errors import NotFound, PdfbatchError, UsageError
from pdfbatch.records import CURRENT_RUN_KEY, STATE_PREFIX, Manifest, ReadOptions, Reason, RunKeys
from pdfbatch.runs import ledger, manifest, progress
from pdfbatch.runs.partition import Slice
from pdfbatch.runs.selection import Selection, what_failed, what_is_left
from pdfbatch.runs.twins import last_sign, refuse_twin, somebody_lives
from pdfbatch.store import Entry, Store, inside

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
    all_failures: bool = True
    """Also documents that failed for a reason that no other try mends."""


class Begun(NamedTuple):
    manifest: Manifest
    how: Literal["new", "resumed", "finished", "nothing"]
    """`finished`: this slice is, others are at work. `nothing`: all is done already, the manifest was not saved."""
    changed: Sequence[str] = ()
    """Inputs that changed since their Markdown was made and that are left alone."""


class Prepared(NamedTuple):
    """A run that could begin: frozen, and not yet claimed."""

    manifest: Manifest
    before: Manifest | None
    """The run that was current when this one was frozen."""
    changed: Sequence[str] = ()
    """As in `Begun`."""
    hopeless: Mapping[str, Reason] = MappingProxyType({})
    """Documents that are left out, because this very file must fail again, and why."""

    @property
    def latest(self) -> str | None:
        """Its name; `manifest.claim` wants it."""
        return self.before.run if self.before else None

    @property
    def inputs(self) -> int:
        """Documents in the input, as far as this run looks at them."""
        return self.manifest.skipped + len(self.manifest.documents) + len(self.hopeless)


def check_places(source: Store, output: Store) -> None:
    """Ends early, before anything is made, if the places make no sense."""
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
    selection = _what_is_left(source, output, wanted)
    fresh = _freeze(source, output, wanted, selection, clock())
    if not selection.documents:
        return Begun(fresh, "nothing", selection.changed)
    return _claim(output, fresh, latest, wanted, selection.changed, clock)


def begin_retry(
    source: Store, output: Store, wanted: Request, reasons: Iterable[Reason], clock: Callable[[], datetime]
) -> Begun:
    """A new run over what failed in all runs so far.

    Raises:
        PdfbatchError: a run on this output is alive.
    """
    prepared = prepare_retry(source, output, wanted, reasons, clock())
    if not prepared.manifest.documents:
        return Begun(prepared.manifest, "nothing")
    return _claim(output, prepared.manifest, prepared.latest, wanted, [], clock)


def prepare(source: Store, output: Store, wanted: Request, now: datetime) -> Prepared:
    """What is left as a new run of its own, whatever became of the run before. Writes nothing.

    Raises:
        PdfbatchError: a run on this output is alive.
    """
    before = _ended_run(output, now)
    if before is not None:
        _refuse_other_input(before, source.url, output)
    selection = _what_is_left(source, output, wanted)
    chosen, hopeless = _worth_a_try(selection, wanted)
    return Prepared(_freeze(source, output, wanted, chosen, now), before, selection.changed, hopeless)


def prepare_retry(source: Store, output: Store, wanted: Request, reasons: Iterable[Reason], now: datetime) -> Prepared:
    """What failed in all runs so far as a new run. Writes nothing.

    Raises:
        PdfbatchError: a run on this output is alive.
    """
    before = _ended_run(output, now)
    selection = what_failed(source.list(), _outputs(output), ledger.history(output), frozenset(reasons))
    chosen, hopeless = _worth_a_try(selection, wanted)
    fresh = _freeze(source, output, wanted, chosen, now)
    return Prepared(fresh.model_copy(update={"retry_of": before.run if before else None}), before, (), hopeless)


def _worth_a_try(selection: Selection, wanted: Request) -> tuple[Selection, Mapping[str, Reason]]:
    """What is to be read, and what is left out of it."""
    if wanted.all_failures:
        return selection, {}
    return selection.without_hopeless(), selection.hopeless


def following(fresh: Manifest, before: Manifest | None) -> Manifest:
    """The same run, taking up the pages that the run before it left in checkpoints, if those were read in the same way.
    A retry reads again what it retries."""
    reads = (fresh.engine, fresh.model, fresh.options)
    if before is None or fresh.retry_of is not None or reads != (before.engine, before.model, before.options):
        return fresh
    return fresh.model_copy(update={"follows": before.run})


def _ended_run(output: Store, now: datetime) -> Manifest | None:
    """The current run, None if there never was one.

    Raises:
        PdfbatchError: it is alive.
    """
    latest = manifest.current(output)
    if latest is None:
        return None
    found = manifest.load(output, latest)
    if somebody_lives(output, found, now):
        raise _alive_error(latest, output)
    return found


def ad_hoc(source: Store, output: Store, wanted: Request, clock: Callable[[], datetime]) -> Manifest:
    """The plain listing as a manifest that is never saved: a worker run by hand slices it and skips what is there."""
    output.check_writable()
    selection = what_is_left(source.list(), {}, {}, redo_changed=False)
    return _freeze(source, output, wanted, selection, clock()).model_copy(update={"run": AD_HOC_RUN})


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
    asked_for = (wanted.engine, wanted.options, wanted.part.total, None)
    same = (found.engine, found.options, found.total_workers, found.retry_of) == asked_for
    same = same and is_model(wanted.model, found.model)
    if manifest.load_fleet(output, run) is not None:
        if somebody_lives(output, found, now):
            raise _alive_error(run, output)
        return None  # a fleet's run is not taken up on other machines; what it left is frozen as a new one
    beat, mark = last_sign(output, RunKeys(run), wanted.part.worker)
    finished = mark is not None and mark.why == "done"
    if same and not finished:
        if beat is not None:
            refuse_twin(beat, mark, now)
        return Begun(found, "resumed")
    if not somebody_lives(output, found, now):
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


def _what_is_left(source: Store, output: Store, wanted: Request) -> Selection:
    inputs: list[Entry] = list(source.list())
    selection = what_is_left(inputs, _outputs(output), ledger.history(output), redo_changed=wanted.redo_changed)
    if not selection.documents and not selection.skipped:
        raise NotFound(
            f"No PDFs found under {source.url}.",
            "Check the path; files must end in .pdf (in any case), in any subfolder.",
        )
    return selection


def _freeze(source: Store, output: Store, wanted: Request, selection: Selection, now: datetime) -> Manifest:
    return Manifest(
        run=manifest.new_run_id(now),
        created=progress.timestamp(now),
        input=source.url,
        output=output.url,
        total_workers=wanted.part.total,
        engine=wanted.engine,
        model=wanted.pin(),
        options=wanted.options,
        skipped=selection.skipped,
        documents=selection.documents[: wanted.limit],
    )
