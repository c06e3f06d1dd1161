"""Formats of numbers, times and names for people, and JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import BaseModel
from rich.text import Text

from pdfbatch.errors import PdfbatchError
from pdfbatch.records import EndpointUse
from pdfbatch.visible import visible

if TYPE_CHECKING:
    from pdfbatch.runs.progress import DocumentCounts, PageCounts
    from pdfbatch.runs.savings import Savings
    from pdfbatch.runs.sinks import SinkStatus

SHOWN_KEYS = 10
SHOWN_FAILURES = 5
"""On a screen of 24 lines."""

STATE_STYLE = {
    "booting": "cyan",
    "running": "green",
    "done": "bold green",
    "draining": "yellow",
    "interrupted": "yellow",
    "expired": "bold red",
    "over_budget": "bold red",
    "ended": "yellow",
    "retired": "dim",
    "stale": "bold red",
    "failed": "bold red",
}
_READERS = {
    "text": "text layer",
    "mixed": "text layer and model",
    "plain": "text layer (without layout)",
    "ocr": "OCR",
    "blank": "blank",
}
_BY_MODEL = ("dolphin", "mixed", "endpoint")


def as_json(value: BaseModel) -> str:
    return value.model_dump_json(indent=2)


def error_json(error: PdfbatchError) -> str:
    document = {"error": {"message": error.message, "hint": error.hint, "exit_code": int(error.exit_code)}}
    return json.dumps(document, indent=2)


def error_text(error: PdfbatchError) -> Text:
    message, hint = visible(error.message), visible(error.hint)
    return Text.assemble(("error: ", "bold red"), message, "\n", ("  try: ", "bold"), hint)


def duration(seconds: float | None) -> str:
    """3725 → "1h02m", 61 → "1m01s", 5 → "5s"; None → "–"."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


def clock(at: datetime, now: datetime) -> str:
    """Formats a time in the zone of `now`: "21:40 UTC", with the date if it is another day."""
    at = at.astimezone(now.tzinfo)
    return f"{at:%H:%M %Z}" if at.date() == now.date() else f"{at:%a %d %b %H:%M %Z}"


def done_at(eta_seconds: float | None, now: datetime) -> str:
    """Formats the expected end as a time of day: "done about 21:40 UTC"; "" if it is unknown."""
    if eta_seconds is None:
        return ""
    return f"done about {clock(now + timedelta(seconds=eta_seconds), now)}"


def dotted(*parts: str) -> str:
    """Joins the parts that are not empty: "15h02m elapsed · $16.20 of $55.87"."""
    return " · ".join(part for part in parts if part)


def state_text(state: str) -> Text:
    """Formats the state of a run as a screen's first word."""
    return Text(visible(state.replace("_", " ").upper()), style=STATE_STYLE.get(state, "bold"))


def to_copy(name: str, what: str, style: str = "") -> Text:
    """Shows a path or a command on one line, so that it can be copied whole."""
    return Text.assemble(f"{name:<8} ", (visible(what), style), no_wrap=True, overflow="ignore")


def plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def outcomes(documents: DocumentCounts) -> str:
    """Formats the outcomes of documents: "21 of 22: 18 ok, 1 partial, 2 failed"."""
    return (
        f"{documents.done:,} of {documents.total:,}: {documents.ok:,} ok, {documents.partial:,} partial, "
        f"{documents.failed:,} failed"
    )


def skipped(count: int) -> str:
    """Formats the number of documents that an earlier run converted."""
    return f"{count:,} skipped" + (" (converted before)" if count else "")


def some(keys: Sequence[str], total: int | None = None) -> str:
    """Lists the first few keys and the number of the others; `total` if `keys` are not all."""
    more = (total or len(keys)) - min(len(keys), SHOWN_KEYS)
    return ", ".join(map(visible, keys[:SHOWN_KEYS])) + (f", … {more:,} more" if more else "")


def tally(names: Iterable[str]) -> str:
    """Counts names, the most frequent first: "encrypted 3, empty_file 1"."""
    return ", ".join(f"{name} {count:,}" for name, count in Counter(names).most_common())


def money(dollars: float | None) -> str:
    """Formats dollars: 1234.5 → "$1,234.50"; below ten cents to a tenth of a cent; None → "–"."""
    if dollars is None:
        return "–"
    if 0 < dollars < 0.0005:
        return "<$0.001"
    return f"${dollars:.3f}" if 0 < dollars < 0.0995 else f"${dollars:,.2f}"


def at(stamp: datetime) -> str:
    """Formats a record's time, in UTC: "2026-11-25 19:45 UTC"."""
    return f"{stamp.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def reasons(counts: dict[str, int]) -> str:
    return ", ".join(f"{visible(reason)} {count}" for reason, count in counts.items())


def sink(found: SinkStatus) -> Text:
    """Returns what a sink of events has, and what waits for it."""
    text = Text(f"{found.delivered:,} to {visible(found.sink)}")
    if found.waiting:
        why = f" ({visible(found.trouble.rstrip('.'))})" if found.trouble else ""
        text.append(f", {found.waiting:,} waiting{why}", "yellow")
    return text


def scores(counts: dict[str, int]) -> str:
    """Counts pages by score, the best first, in four steps: `0.9 to 1: 62, 0.5 to 0.7: 1`."""
    steps = [("0.9 to 1", 0.9, 2.0), ("0.7 to 0.9", 0.7, 0.9), ("0.5 to 0.7", 0.5, 0.7), ("below 0.5", 0.0, 0.5)]
    pages = {
        name: sum(count for score, count in counts.items() if low <= float(score) < high) for name, low, high in steps
    }
    return ", ".join(f"{name}: {count:,}" for name, count in pages.items() if count)


def readers(read_by: dict[str, int], engine: str, elements: int = 0) -> str:
    """Counts pages by what read them; for `auto` also the `elements` that the model read, and the share of pages
    that did not need it."""
    named = {_READERS.get(name, name): f"{count:,}" for name, count in read_by.items()}
    if "mixed" in read_by:
        named[_READERS["mixed"]] += f" ({plural(elements, 'element')} by the model)"
    counts = ", ".join(f"{name} {count}" for name, count in named.items())
    total, model = sum(read_by.values()), sum(read_by.get(name, 0) for name in _BY_MODEL)
    if engine != "auto" or model == total:
        return counts
    return f"{counts}; {100 * (total - model) / total:.0f} % of the pages did not need the model"


def endpoint_use(use: EndpointUse) -> str:
    """Formats what an endpoint was asked and what that cost."""
    guessed = f" ({use.uncounted:,} of them not counted by the endpoint: estimated)" if use.uncounted else ""
    price = f", {money(use.dollars)}" if use.dollars else ""
    return f"{plural(use.answers, 'answer')}{guessed}, {use.tokens_in:,} tokens read, {use.tokens_out:,} written{price}"


def spared(saved: Savings | None) -> str:
    """Formats what `auto` saved compared with reading every page with the model."""
    if saved is None:
        return "unknown: the model read no whole page to compare with"
    price = f", {money(saved.dollars)}" if saved.dollars is not None else ""
    return (
        f"about {100 * saved.share:.0f} % of the model's work, {duration(saved.model_seconds)} of its time{price}, "
        "compared with reading every page with the model"
    )


def asked_pages(pages: PageCounts) -> str:
    """Formats which pages were asked for, and how many documents do not have all of them."""
    shorter = f"; not all present in {plural(pages.shorter, 'document')}" if pages.shorter else ""
    return f"pages {pages.asked} of each document{shorter}"
