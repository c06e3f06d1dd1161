"""Failed and partial documents: why, and what to do."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from pdfbatch.records import Outcome, Reason
from pdfbatch.records.reason_texts import REASON_TEXTS
from pdfbatch.views.words import plural, some
from pdfbatch.visible import visible


def failure_line(outcome: Outcome) -> Text:
    """Shows a document and why it is not `ok`."""
    why = visible(f"{outcome.reason}: {outcome.detail}" if outcome.detail else str(outcome.reason))
    lost, is_partial = outcome.failed_pages, outcome.outcome == "partial"
    pages = f", {len(lost)} of {plural(outcome.pages, 'page')}" if is_partial and lost else ""
    return Text.assemble((visible(outcome.key), "yellow"), f"  {why}{pages}")


def failures_screen(found: Sequence[Outcome], output: str) -> RenderableType:
    """Groups failures by reason, each with its fix and its documents."""
    if not found:
        return Text("Nothing failed.")
    lines: list[RenderableType] = []
    for reason in dict.fromkeys(each.reason for each in found):
        same = [each for each in found if each.reason == reason]
        lines += [_head(reason, len(same)), *_to_do(reason, output), *map(failure_line, same), Text()]
    return Group(*lines[:-1])


def failures_command(output: str) -> str:
    """Returns the command that lists every failure of an output with its fix."""
    return f"pdfbatch report --failures {shlex.quote(output)}"


def hopeless_screen(found: Mapping[str, Reason], output: str) -> RenderableType:
    """Groups documents that are left out by reason, each with its fix."""
    head = "left out, because the same file would fail again (--all-failures or --reason tries them anyway):"
    lines: list[RenderableType] = [Text(head)]
    for reason in sorted(set(found.values())):
        keys = sorted(key for key, why in found.items() if why is reason)
        lines += [Text.assemble("  ", (f"{reason} ({len(keys):,})", "bold"), f": {some(keys)}")]
        lines += [Text("    ") + line for line in _to_do(reason, output)]
    return Group(*lines)


def _head(reason: Reason | None, count: int) -> Text:
    meaning = f": {REASON_TEXTS[reason].meaning}" if reason else ""
    return Text.assemble((f"{reason} ({count:,})", "bold"), meaning.replace("`", ""))


def _to_do(reason: Reason | None, output: str) -> list[Text]:
    if reason is None:
        return []
    fix = REASON_TEXTS[reason].fix(shlex.quote(output), not output.startswith("s3://"))
    return [Text.assemble(("fix: ", "bold"), fix, no_wrap=True, overflow="ignore")]


def failures_json(found: Sequence[Outcome]) -> str:
    """Returns `{"failures": [...]}`, each as in the ledger."""
    return json.dumps({"failures": [each.model_dump(mode="json") for each in found]}, indent=2)
