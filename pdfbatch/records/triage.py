"""Triage: what reading a page without the model showed of it, and the small trained value that decides from that
whether the model should read the page. Pure: scoring is a few lines of arithmetic, so no worker needs another
library for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from pydantic import Field

from pdfbatch.errors import UsageError
from pdfbatch.records.base import Record
from pdfbatch.records.stamp import Stamp

SIGNALS_VERSION = 1
"""Counts up whenever a signal is added, or comes to mean something else: a value trained on others is refused."""

BEFORE = (
    *("letters", "pictures", "broken", "hidden", "implausible", "from_picture", "concealed", "unexplained"),
    *("disagreement", "misread", "unread", "stamped", "no_layer", "doubtful", "old_ocr", "turned"),
)
"""Signals of the text layer and its sight, known before any OCR of the whole page; see documents/signals.py."""
AFTER = (
    *("doubt", "ocr", "plain", "words_lost", "unknown", "ocr_letters", "worst_element", "odd_words", "lone", "digits"),
    *("symbols", "formulas", "tables", "unsettled", "figures", "in_figures", "headings", "lists", "elements", "text"),
)
"""Signals of the page's elements, as it was read without the model."""
SIGNALS = (*BEFORE, *AFTER)

Policy = Literal["auto", "fallback"]
"""Whose decision it is: that of the engine `auto`, which has not read the pictures of pages, or that of a fallback,
which has the whole reading of the first engine."""


class Signals(Record):
    """What reading a page without the model showed of it. Every number is 0 to 1; those that are 0 are left out."""

    version: int
    """`SIGNALS_VERSION` when it was written."""
    needs_picture: bool = False
    """The rule of `auto` without triage: the text layer cannot be trusted, the model reads the page's picture."""
    before: dict[str, float] = {}
    """By the names in `BEFORE`."""
    after: dict[str, float] = {}
    """By the names in `AFTER`; empty if the page was not read without the model."""


class TriageVerdict(Record):
    """The decision for a page, and why."""

    loss: float = Field(ge=0, le=1)
    """The expected share of the page's text that the model would write otherwise."""
    threshold: float
    """From this loss on the model reads the page."""
    to_model: bool
    why: list[str] = []
    """The signals that speak most for the model, the strongest first."""
    by: str = ""
    """Which triage decided, as in `Triage.name`."""


class Weight(NamedTuple):
    """One signal of a scorer: what is usual (mean and scale on the pages of the training), and what a deviation of one
    scale adds to the log-odds."""

    mean: float
    scale: float
    weight: float


class Scorer(Record):
    """A logistic regression over some signals."""

    weights: dict[str, Weight]
    bias: float

    def loss(self, signals: Mapping[str, float]) -> float:
        """Returns the expected loss, 0 to 1; a signal that is not there is 0."""
        odds = self.bias + sum(self._parts(signals).values())
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, odds))))

    def why(self, signals: Mapping[str, float], most: int = 3) -> list[str]:
        """Returns the signals that raise the loss most above the usual, at most so many."""
        parts = sorted(self._parts(signals).items(), key=lambda part: (-part[1], part[0]))
        return [name for name, part in parts[:most] if part > 0]

    def _parts(self, signals: Mapping[str, float]) -> dict[str, float]:
        return {
            name: one.weight * (signals.get(name, 0.0) - one.mean) / one.scale for name, one in self.weights.items()
        }


class TriageModel(Record):
    """What `triage train` writes, to a file or a registry."""

    format: Literal["pdfbatch-triage"]
    signals: int
    """The `SIGNALS_VERSION` it was trained on."""
    read: Scorer
    """For a page that was read without the model."""
    unread: Scorer | None = None
    """For a page with an untrusted text layer, before OCR; None: too few of them to train on, all go to the model."""
    thresholds: dict[Policy, float]
    trained: Stamp
    pages: int = 0
    """Pages it was trained on."""
    cheap: str = ""
    """The output that was read without the model, and the one read with it."""
    reference: str = ""

    def refuse_other_signals(self, where: str) -> None:
        """Checks that this program computes the signals that it was trained on.

        Raises:
            UsageError: it does not.
        """
        known = set(SIGNALS)
        used = {name for scorer in (self.read, self.unread) if scorer for name in scorer.weights}
        if self.signals == SIGNALS_VERSION and used <= known:
            return
        age = "an older" if self.signals < SIGNALS_VERSION else "a newer"
        raise UsageError(
            f"The triage in {where} was trained on other signals (version {self.signals}, this program has "
            f"{SIGNALS_VERSION}): it is of {age} pdfbatch.",
            "Read some documents with this version both ways and run `pdfbatch triage train` again (docs/triage.md).",
        )


class Triage(Record):
    """A triage as frozen in a manifest: no worker asks a registry for it."""

    source: str
    """What the person named: `models:/pdfbatch-triage@champion`, or a file."""
    name: str
    """What that was at launch: `models:/pdfbatch-triage/3`, or the file and the start of its digest."""
    sha256: str
    """Of the file."""
    model: TriageModel

    def verdict(self, signals: Signals, policy: Policy) -> TriageVerdict:
        """Decides for a page that was read without the model."""
        return self._verdict(self.model.read, {**signals.before, **signals.after}, policy)

    def verdict_before_ocr(self, signals: Signals) -> TriageVerdict:
        """Decides for a page with an untrusted text layer, whose picture nothing has read yet."""
        if self.model.unread is None:
            return TriageVerdict(loss=1.0, threshold=0.0, to_model=True, why=["needs_picture"], by=self.name)
        return self._verdict(self.model.unread, signals.before, "auto")

    def _verdict(self, scorer: Scorer, signals: Mapping[str, float], policy: Policy) -> TriageVerdict:
        loss, threshold = scorer.loss(signals), self.model.thresholds[policy]
        to_model = loss >= threshold
        why = scorer.why(signals) if to_model else []
        return TriageVerdict(loss=round(loss, 4), threshold=threshold, to_model=to_model, why=why, by=self.name)


def resumed_triage(named: Triage | None, frozen: Triage | None) -> Triage | None:
    """Returns the triage that a run which froze one goes on with, if `named` is named now: the frozen one if it was
    named so too, even if the alias has been given to another version since."""
    return frozen if named and frozen and named.source == frozen.source else named


class Operating(Record):
    """One way to share pages out: the share that goes to the model, and what becomes of the quality. Both 0 to 1.

    The quality of a page is 1 if the model reads it, and else how much of it the reading without the model has in
    common with the model's: the model's reading stands for the truth.
    """

    share: float
    quality: float


class CurvePoint(Record):
    """The quality if `share` of the pages go to the model: those that triage, the rule, or hindsight would choose."""

    share: float
    triage: float
    rule: float
    best: float


class PolicyReport(Record):
    """Triage and the rule that it replaces, on the same held-out pages."""

    threshold: float
    chosen: Operating
    """Triage at its threshold."""
    rule: Operating
    """The rule without triage."""
    share_for_rule_quality: float
    """The smallest share with which triage is as good as the rule here; the threshold was not chosen on these pages."""
    none: float
    """The quality if no page goes to the model."""
    curve: list[CurvePoint]


class TriageReport(Record):
    """What a training or a comparison found out. Documents, not pages, were held out."""

    pages: int
    documents: int
    held_out_pages: int
    held_out_documents: int
    left_out: dict[str, int] = {}
    """Number of pages or documents that could not be used, by reason."""
    policies: dict[Policy, PolicyReport]
    error: float
    """The mean absolute error of the expected loss, on the held-out pages."""
    weights: list[tuple[str, float]] = []
    """The strongest signals of the scorer for read pages."""


def strongest(scorer: Scorer, most: int = 8) -> Sequence[tuple[str, float]]:
    """Returns the signals with the largest weights, by size."""
    ordered = sorted(scorer.weights.items(), key=lambda item: (-abs(item[1].weight), item[0]))
    return [(name, round(one.weight, 3)) for name, one in ordered[:most] if one.weight]
