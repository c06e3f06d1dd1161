"""Pages that were read both ways: in one output without the model, in another with it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from pydantic import ValidationError

from pdfbatch.errors import NotFound, PdfbatchError, UsageError
from pdfbatch.records import SIGNALS_VERSION, DocumentElements, Outcome, Page, Reason, Signals, elements_key
from pdfbatch.runs import ledger, manifest
from pdfbatch.runs.in_order import in_order
from pdfbatch.runs.verify import no_run
from pdfbatch.store import Store
from pdfbatch.triage.likeness import likeness

WITHOUT_MODEL = frozenset({"text", "plain", "ocr", "mixed"})
WITH_MODEL = frozenset({"dolphin", "endpoint"})
_READERS = 4
"""Documents whose elements are in memory at once."""


class SignalledPage(NamedTuple):
    """A page that was read without the model. `content` is the same for documents with the same content."""

    key: str
    content: str
    number: int
    signals: Signals
    score: float


class PagePair(NamedTuple):
    """A page that was read both ways. `loss`: the part of the two readings that differs, 0 to 1; 0 where the model
    itself failed, and would not have helped."""

    page: SignalledPage
    loss: float


class Pairs(NamedTuple):
    pairs: list[PagePair]
    left_out: Counter[str]
    """Number of pages, or of documents where it says so, that could not be used, by reason."""


class _Document(NamedTuple):
    key: str
    content: str
    pages: dict[int, Page]


def read_pairs(cheap: Store, reference: Store, tell: Callable[[int, int], None] = lambda _done, _all: None) -> Pairs:
    """Reads the pages that both outputs have, of the same versions of the same documents. `tell` hears how many
    documents are done, of how many.

    Raises:
        UsageError: they have no pages in common that were read both ways; the hint says what is missing.
    """
    ours, theirs = _newest(cheap), _newest(reference)
    left_out: Counter[str] = Counter()
    both = [key for key in ours if key in theirs]
    left_out["documents in only one of the outputs"] = len(ours) + len(theirs) - 2 * len(both)
    same = [key for key in both if _are_same(ours[key], theirs[key])]
    left_out["documents that changed between the two readings"] = len(both) - len(same)
    if not same:
        raise UsageError(
            f"{cheap.url} and {reference.url} have no document in common.",
            "Convert the same INPUT into both, once with --engine cpu and once with --engine dolphin or endpoint.",
        )
    pairs: list[PagePair] = []
    found = in_order(lambda key: (_read(cheap, ours[key]), _read(reference, theirs[key])), same, _READERS)
    for done, (one, other) in enumerate(found, 1):
        if one is None or other is None:
            left_out["documents whose elements are missing or of another version"] += 1
        else:
            pairs += _pairs(one, other, left_out)
        tell(done, len(same))
    found_out = Pairs(pairs, +left_out)
    if not pairs:
        raise _no_pairs(cheap, reference, found_out)
    return found_out


def signalled_pages(output: Store) -> Iterator[SignalledPage]:
    """Yields the pages of an output that were read without the model, and left their signals.

    Raises:
        UsageError: there is no run.
    """
    newest = _newest(output)
    for document in in_order(lambda key: _read(output, newest[key]), newest, _READERS):
        if document is not None:
            yield from (found for page in document.pages.values() if (found := _signalled(document, page)))


def _newest(output: Store) -> dict[str, Outcome]:
    """Returns the newest outcome of each document that has Markdown, by key.

    Raises:
        UsageError: there is no run.
    """
    output.check_readable()
    if manifest.current(output) is None:
        raise no_run(output)
    return {key: outcome for key, outcome in ledger.newest(output).items() if outcome.outcome != "failed"}


def _are_same(one: Outcome, other: Outcome) -> bool:
    return one.etag == other.etag or bool(one.digest and one.digest == other.digest)


def _read(output: Store, outcome: Outcome) -> _Document | None:
    try:
        found = DocumentElements.model_validate_json(output.get(elements_key(outcome.key)))
    except (NotFound, ValidationError):
        return None
    if found.key != outcome.key or found.etag != outcome.etag:
        return None
    return _Document(found.key, outcome.digest or found.etag, {page.number: page for page in found.pages})


def _pairs(one: _Document, other: _Document, left_out: Counter[str]) -> Iterator[PagePair]:
    for number, page in one.pages.items():
        signalled, reference = _signalled(one, page), other.pages.get(number)
        if why := _why_not(page, reference):
            left_out[why] += 1
        elif signalled is not None and reference is not None:
            has_failed = reference.reason is not None or not reference.text.strip()
            yield PagePair(signalled, 0.0 if has_failed else round(1 - likeness(page, reference), 4))


def _why_not(page: Page, reference: Page | None) -> str:
    """Returns why a page teaches nothing; "" if it does."""
    if page.read_by == "blank":
        return "blank pages"
    if page.reason is not None or page.read_by not in WITHOUT_MODEL:
        return "pages not read without the model"
    if page.signals is None:
        return "pages without signals, read by an earlier version or after a timeout"
    if page.signals.version != SIGNALS_VERSION:
        return "pages with signals of another version"
    if reference is None or (reference.read_by not in WITH_MODEL and reference.reason is not Reason.REPETITION):
        return "pages not read whole by the model"
    return ""


def _signalled(document: _Document, page: Page) -> SignalledPage | None:
    if page.signals is None or page.reason is not None or page.signals.version != SIGNALS_VERSION:
        return None
    if page.read_by not in WITHOUT_MODEL:
        return None
    return SignalledPage(document.key, document.content, page.number, page.signals, page.score)


def _no_pairs(cheap: Store, reference: Store, found: Pairs) -> PdfbatchError:
    most: Sequence[tuple[str, int]] = found.left_out.most_common()
    reasons = ", ".join(f"{count:,} {why}" for why, count in most)
    place = shlex.quote(cheap.url)
    if any(why.startswith("pages not read whole") for why, _ in most):
        hint = f"Convert the same INPUT into {reference.url} with --engine dolphin or endpoint, which read every page."
    else:
        hint = f"Convert INPUT with this version and --engine cpu into another output than {place}, and train on that."
    return UsageError(f"No page was read both ways: {reasons}.", hint)
