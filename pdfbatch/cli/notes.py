"""What the user must know about the input before the work begins: what is left out, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pdfbatch import views
from pdfbatch.cli.console import say
from pdfbatch.records import output_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pdfbatch.records import Reason
    from pdfbatch.runs.begin import Begun
    from pdfbatch.runs.remaining import Remaining
    from pdfbatch.store import Store

CONVERT_AGAIN = "--changed converts them again"


def show_notes(begun: Begun, output: Store) -> None:
    """Shows the notes for a run on this computer."""
    from pdfbatch.runs.inputs import LOCKED_ETAG, bad_name

    documents = begun.documents
    show_left_out(begun, begun.manifest.output)
    if begun.nameless:
        say(f"left out, because the file name is only .pdf (rename them): {views.some(begun.nameless)}")
    if begun.foreign:
        say(
            "Markdown that no run has written, kept (delete it to convert the document): "
            + views.some([output_key(key) for key in begun.foreign])
        )
    if locked := [each.key for each in documents if each.etag == LOCKED_ETAG]:
        say(f"no permission to read, counted as failures: {views.some(locked)}")
    if twins := [f"{each.key} ({each.twin})" for each in documents if each.twin]:
        say(f"not converted, because another input has the same output (rename one of them): {views.some(twins)}")
    if unusable := [each.key for each in documents if bad_name(output, each.key)]:
        say(f"not converted, because the output cannot hold files of their names: {views.some(unusable)}")


def show_left_out(found: Begun | Remaining, output: str) -> None:
    """Shows which documents of an earlier run are left out or converted again."""
    if found.changed:
        say(f"changed since they were converted, skipped ({CONVERT_AGAIN}): {views.some(found.changed)}")
    if found.other_pages:
        say(
            f"converted before with other --pages, skipped ({CONVERT_AGAIN}; another OUTPUT keeps both): "
            + views.some(found.other_pages)
        )
    if found.dry_runs:
        say(f"only opened by the engine null before, converted now: {views.some(found.dry_runs)}")
    if only := [each.key for each in found.documents if each.is_read]:
        say(f"converted before, only --also is done for them: {views.some(only)}")
    if found.hopeless:
        say(views.hopeless_screen(found.hopeless, output))


def nothing_to_retry(reasons: Sequence[Reason], below: float, hopeless: bool) -> str:
    """Says why there is nothing to retry."""
    if hopeless:
        return "nothing to retry: no other document failed"
    why = "no document failed" + (" for this reason" if reasons else "")
    return f"nothing to retry: {why}" + (f", and no page scored below {below:g}" if below else "")
