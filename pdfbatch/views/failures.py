"""Failed and partial documents: why, and what to do."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from pdfbatch.records import Outcome, Reason
from pdfbatch.records.reason_texts import REASON_TEXTS
from pdfbatch.views.words import plural


def failure_line(outcome: Outcome) -> Text:
    """Shows a document and why it is not `ok`."""
    why = f"{outcome.reason}: {outcome.detail}" if outcome.detail else str(outcome.reason)
    pages = f", {len(outcome.failed_pages)} of {plural(outcome.pages, 'page')}" if outcome.outcome == "partial" else ""
    return Text.assemble((outcome.key, "yellow"), f"  {why}{pages}")


def failures_screen(found: Sequence[Outcome], output: str) -> RenderableType:
    """Groups failures by reason, each with its fix and its documents."""
    if not found:
        return Text("Nothing failed.")
    lines: list[RenderableType] = []
    for reason in dict.fromkeys(each.reason for each in found):
        same = [each for each in found if each.reason == reason]
        lines += [_head(reason, len(same)), *_to_do(reason, output), *map(failure_line, same), Text()]
    return Group(*lines[:-1])


def _head(reason: Reason | None, count: int) -> Text:
    meaning = f": {REASON_TEXTS[reason].meaning}" if reason else ""
    return Text.assemble((f"{reason} ({count:,})", "bold"), meaning.replace("`", ""))


def _to_do(reason: Reason | None, output: str) -> list[Text]:
    if reason is None:
        return []
    remedy = REASON_TEXTS[reason].remedy.replace("OUTPUT", shlex.quote(output)).replace("`", "")
    return [Text.assemble(("fix: ", "bold"), remedy, no_wrap=True, overflow="ignore")]


def failures_json(found: Sequence[Outcome]) -> str:
    """Returns `{"failures": [...]}`, each as in the ledger."""
    return json.dumps({"failures": [each.model_dump(mode="json") for each in found]}, indent=2)
