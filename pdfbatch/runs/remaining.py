"""What is left to convert: a value that says what a run started now would do. Writes nothing."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from pdfbatch.errors import PdfbatchError, UsageError
from pdfbatch.records import (
    CURRENT_RUN_KEY,
    Chosen,
    Manifest,
    ProcessorSpec,
    ReadOptions,
    Reason,
    SourceDocument,
)
from pdfbatch.runs import ledger, manifest
from pdfbatch.runs.inputs import listed, no_documents, nothing_at
from pdfbatch.runs.lease import is_anyone_alive
from pdfbatch.runs.outputs import markdown_of
from pdfbatch.runs.selection import Selection, what_failed, what_is_left
from pdfbatch.runs.versions import recognised
from pdfbatch.store import Store


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
        refuse_other_input(before, source.url, output)
    selection = selected(
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
        raise alive_error(latest, output)
    return found


def selected(
    source: Store,
    output: Store,
    chosen: Chosen,
    *,
    redo_changed: bool,
    options: ReadOptions,
    engine: str,
    may_be_empty: bool = False,
) -> Selection:
    """Selects what is left of what was chosen.

    Raises:
        PdfbatchError: nothing was found, and it may not be empty.
    """
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


def refuse_other_input(found: Manifest, source_url: str, output: Store) -> None:
    """Checks that a run on this output has this input.

    Raises:
        UsageError: it has another one.
    """
    if found.input != source_url:
        raise UsageError(
            f"{output.url} contains the Markdown of another input, {found.input}.",
            f"Use a separate output. If the input was only moved, delete {output.url}{CURRENT_RUN_KEY} first.",
        )


def alive_error(run: str, output: Store) -> PdfbatchError:
    """Returns the error for a run that is still running."""
    quoted = shlex.quote(output.url)
    return PdfbatchError(
        f"Run {run} on this output is still running.",
        f"Check `pdfbatch status {quoted}`. Wait until it ends or stop it (for a fleet: "
        f"`pdfbatch down {quoted}`), then start again. If it was killed right after its start, wait a minute.",
    )
