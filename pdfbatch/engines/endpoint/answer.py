"""What an endpoint answered: an answer, or a trouble and whose it is. Pure; trusts nothing in it.

Source: OpenAI's API reference, chat completions and error codes; vLLM, SGLang and llama.cpp answer in the same form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Literal

from pdfbatch.engines.answers.loops import MIN_SPAN, TABLE_SPAN, filler_tokens, loop_start
from pdfbatch.visible import visible

Ending = Literal["whole", "truncated", "looped"]
Blame = Literal["busy", "broken", "late", "page", "fatal"]
"""`busy`: it did not try. `broken`, `late`: another try may help. `page`: it will not take this page. `fatal`: it will
take no page."""
MOST_LETTERS = 200_000
_MOST_SAID = 200
_BUSY = {HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE, 529}
"""529: overloaded, at some services."""
_FATAL = {
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.PAYMENT_REQUIRED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.GONE,
}
_NO_MONEY = re.compile(r"insufficient_quota|billing_|exceeded your current quota|credit balance", re.IGNORECASE)
_MOST_TOKENS = 10_000_000
_TOKEN = re.compile("[^\\W\u2e80-\U0003ffff]{1,16}|\\S")
"""Words, and single characters of scripts without spaces; a stand-in for the tokens of a model that is not here."""


@dataclass(frozen=True)
class Answer:
    """`text` is as the model wrote it; of a `looped` answer, up to where it repeats itself."""

    text: str
    ending: Ending = "whole"
    tokens_in: int | None = None
    """None: the endpoint did not count them."""
    tokens_out: int | None = None
    model: str = ""
    """As the endpoint names it."""

    @property
    def is_useful(self) -> bool:
        return self.ending != "looped" and bool(self.text.strip())


@dataclass(frozen=True)
class Trouble:
    blame: Blame
    detail: str
    """One sentence for a person, without a full stop."""
    wait: float = 0.0
    """Seconds that the endpoint asks to wait."""
    status: int = 0
    """HTTP status; 0: there was no answer."""
    said: str = ""
    """The endpoint's own words, whole."""


def answer_of(data: bytes) -> Answer | Trouble:
    """Returns the answer in the body of a successful response."""
    found = _json(data)
    if not isinstance(found, dict):
        start = visible(data[:40].decode("utf-8", "replace")).strip()
        return Trouble("broken", f"the endpoint answered something other than JSON ({start!r} …)")
    if "error" in found and not found.get("choices"):
        return Trouble("broken", f"the endpoint answered with an error: {_message(found)}")
    choices = found.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    if not isinstance(first, dict) or not isinstance(message, dict):
        return Trouble("broken", "the endpoint answered without a choice")
    reason = first.get("finish_reason")
    if reason == "content_filter" or (message.get("refusal") and not message.get("content")):
        return Trouble("page", f"the endpoint refused the page: {_said(message.get('refusal') or reason)}")
    text = _text(message.get("content"))
    if text is None:
        return Trouble("broken", "the endpoint answered without a text")
    usage = found.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    return _ended(
        text,
        reason == "length",
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
        found["model"] if isinstance(found.get("model"), str) else "",
    )


def trouble_of(status: int, headers: Mapping[str, str], data: bytes, now: datetime) -> Trouble:
    """Returns the trouble in a response whose status is not 200."""
    found = _json(data)
    message = _message(found)
    named = f"{status} {HTTPStatus(status).phrase}" if status in set(HTTPStatus) else str(status)
    detail = f"the endpoint answered {named}" + (f": {message}" if message else "")
    said = json.dumps(found) if isinstance(found, dict) else ""
    wait = retry_after(headers.get("Retry-After", ""), now)
    return Trouble(_blame(status, said), detail, wait, status, said)


def _blame(status: int, said: str) -> Blame:
    if status in _FATAL or HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return "fatal"
    if status in _BUSY:
        return "fatal" if _NO_MONEY.search(said) else "busy"
    if status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "broken"
    return "page"


def retry_after(text: str, now: datetime) -> float:
    """Returns the seconds in a header `Retry-After`, which is a number or a date; 0.0 if it has none."""
    if re.fullmatch(r"\s*\d{1,9}(?:\.\d{1,9})?\s*", text, re.ASCII):
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max((at - now).total_seconds(), 0.0)


def models_in(data: bytes) -> list[str] | None:
    """Returns the names in the answer to `GET /models`; None if it is not such an answer."""
    found = _json(data)
    rows = found.get("data") if isinstance(found, dict) else None
    if not isinstance(rows, list):
        return None
    return [row["id"] for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)]


def is_same_model(asked: str, named: str) -> bool:
    """Whether an endpoint's name for its model may be that of the one that was asked: services add dates, gateways take
    the maker away, servers of a file name its path."""
    one, other = (name.lower().rstrip("/") for name in (asked, named))
    if not ("/" in one and "/" in other):
        one, other = (name.rpartition("/")[2] for name in (one, other))
    one, other = (name.split(":")[0] for name in (one, other))
    return not other or one.startswith(other) or other.startswith(one)


def loop_in(text: str, is_cut: bool) -> int | None:
    """Returns where an answer begins to repeat itself; None if it does not. One that came to its own end (not `is_cut`)
    may repeat itself for longer: so do tables and forms."""
    words = list(_TOKEN.finditer(text))
    numbers: dict[str, int] = {}
    tokens = [numbers.setdefault(word.group(), len(numbers)) for word in words]
    span = MIN_SPAN if is_cut and "<td" not in text[-1000:] else TABLE_SPAN
    start = loop_start(tokens, span, filler_tokens(list(numbers)))
    return None if start is None else words[start].start()


def _ended(text: str, is_cut: bool, tokens_in: int | None, tokens_out: int | None, model: str) -> Answer:
    is_cut = is_cut or len(text) > MOST_LETTERS
    text = text[:MOST_LETTERS]
    if (start := loop_in(text, is_cut)) is not None:
        return Answer(text[:start], "looped", tokens_in, tokens_out, model)
    return Answer(text, "truncated" if is_cut else "whole", tokens_in, tokens_out, model)


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _text(content: Any) -> str | None:
    """The text of a message, which may come in parts. A model that says nothing may answer null."""
    if content is None:
        return ""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else None


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value <= _MOST_TOKENS else None


def _message(found: Any) -> str:
    """The message of an error, in any of the usual forms."""
    if not isinstance(found, dict):
        return ""
    error = found.get("error", found)
    message = error.get("message") or error.get("detail") if isinstance(error, dict) else error
    return _said(message) if message else ""


def _said(value: Any) -> str:
    text = " ".join(visible(str(value)).split()).rstrip(".")
    return text if len(text) <= _MOST_SAID else text[:_MOST_SAID] + " …"
