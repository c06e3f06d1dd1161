"""Train a triage on pages that were read both ways, and measure it on documents that it has not seen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from pdfbatch.errors import UsageError
from pdfbatch.records import (
    AFTER,
    BEFORE,
    SIGNALS_VERSION,
    Operating,
    Policy,
    Scorer,
    TriageModel,
    TriageReport,
    Weight,
    strongest,
)
from pdfbatch.triage.curve import Judged, by_rule, policy_report, threshold_for_quality, threshold_for_share
from pdfbatch.triage.pairs import PagePair, Pairs

HELD_OUT = 0.3
"""Share of the documents that only measure."""
FEWEST_PAGES, FEWEST_DOCUMENTS, FEWEST_BAD = 60, 10, 10
BAD = 0.1
"""Pages whose readings differ more are what is to be found."""
FEWEST_UNREAD = 40
"""Pages with an untrusted text layer, for a scorer of their own."""
FOLDS = 5
_STRENGTH = 0.3
"""Inverse of the regularisation: the signals of a few hundred pages are many."""
_POLICIES: tuple[Policy, ...] = ("auto", "fallback")


class Goal(NamedTuple):
    """What the thresholds are chosen for: a share of pages for the model, or a quality; neither: the quality of the
    rule, with fewer pages. `below` is the rule of a fallback, as in `--fallback-below`."""

    share: float | None = None
    quality: float | None = None
    below: float = 0.9


class Trained(NamedTuple):
    model: TriageModel
    report: TriageReport


def train(found: Pairs, goal: Goal, seed: int, now: datetime, cheap: str, reference: str) -> Trained:
    """Trains on most documents; the report is on the others. `seed` decides which: the same pages and seed give the
    same triage. `cheap` and `reference`: the two outputs.

    Raises:
        UsageError: there are too few pages, documents, or pages that need the model.
    """
    check_enough(found.pairs)
    learning, measuring = split(found.pairs, seed)
    check_enough(learning, " to learn from, after holding some documents out")
    read, unread = _scorers(learning)
    thresholds = {policy: _threshold(_out_of_fold(learning), policy, goal) for policy in _POLICIES}
    model = TriageModel(
        format="pdfbatch-triage",
        signals=SIGNALS_VERSION,
        read=read,
        unread=unread,
        thresholds=thresholds,
        trained=now,
        pages=len(learning),
        cheap=cheap,
        reference=reference,
    )
    return Trained(model, measured(model, measuring, found, goal.below))


def measured(model: TriageModel, pages: Sequence[PagePair], found: Pairs, below: float) -> TriageReport:
    """Returns how a triage does on pages that it was not trained on."""
    judged = [_judged(pair, model.read, model.unread) for pair in pages]
    errors = [abs(page.expected["fallback"] - page.pair.loss) for page in judged]
    return TriageReport(
        pages=len(found.pairs),
        documents=len({pair.page.content for pair in found.pairs}),
        held_out_pages=len(pages),
        held_out_documents=len({pair.page.content for pair in pages}),
        left_out=dict(found.left_out),
        policies={policy: policy_report(judged, policy, model.thresholds[policy], below) for policy in _POLICIES},
        error=round(sum(errors) / len(errors), 4),
        weights=list(strongest(model.read)),
    )


def check_enough(pairs: Sequence[PagePair], where: str = "") -> None:
    """Checks that there is enough to learn from.

    Raises:
        UsageError: there is not.
    """
    documents = len({pair.page.content for pair in pairs})
    bad = sum(pair.loss > BAD for pair in pairs)
    if len(pairs) < FEWEST_PAGES or documents < FEWEST_DOCUMENTS:
        raise UsageError(
            f"Too few pages were read both ways{where}: {len(pairs):,} of {documents:,} documents.",
            f"It takes {FEWEST_PAGES} pages of {FEWEST_DOCUMENTS} documents at least, and better a thousand: convert "
            "more of the input both ways.",
        )
    if min(bad, len(pairs) - bad) < FEWEST_BAD:
        kind = "differ" if bad < FEWEST_BAD else "agree"
        raise UsageError(
            f"The two readings {kind} on too few pages{where}: {min(bad, len(pairs) - bad):,} of {len(pairs):,}.",
            f"It takes {FEWEST_BAD}: convert more documents both ways, among them "
            + ("scans, formulas or tables." if bad < FEWEST_BAD else "plain text."),
        )


def split(pairs: Sequence[PagePair], seed: int) -> tuple[list[PagePair], list[PagePair]]:
    """Divides the pages into those to learn from and those to measure on, by document: one that occurs twice is on one
    side. The documents are ordered by a digest, so that a few more documents do not mix everything anew."""
    contents = sorted({pair.page.content for pair in pairs}, key=lambda content: _digest(f"{seed} {content}"))
    held_out = frozenset(contents[: max(1, round(HELD_OUT * len(contents)))])
    return (
        [pair for pair in pairs if pair.page.content not in held_out],
        [pair for pair in pairs if pair.page.content in held_out],
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _scorers(pairs: Sequence[PagePair]) -> tuple[Scorer, Scorer | None]:
    read = fitted(pairs, (*BEFORE, *AFTER), lambda pair: {**pair.page.signals.before, **pair.page.signals.after})
    untrusted = [pair for pair in pairs if pair.page.signals.needs_picture]
    if len(untrusted) < FEWEST_UNREAD:
        return read, None
    return read, fitted(untrusted, BEFORE, lambda pair: pair.page.signals.before)


def fitted(
    pairs: Sequence[PagePair], names: Sequence[str], signals: Callable[[PagePair], Mapping[str, float]]
) -> Scorer:
    """Fits a logistic regression whose probability is the expected loss: every page is there twice, as one that differs
    with its loss as weight, and as one that does not with the rest."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    rows = np.array([[signals(pair).get(name, 0.0) for name in names] for pair in pairs], dtype=np.float64)
    losses = np.array([min(0.999, max(0.001, pair.loss)) for pair in pairs])
    means, scales = rows.mean(axis=0), rows.std(axis=0)
    used = scales > 1e-6
    scaled = (rows[:, used] - means[used]) / scales[used]
    fit = LogisticRegression(C=_STRENGTH, max_iter=2000)
    both = np.concatenate([scaled, scaled])
    kinds = np.concatenate([np.ones(len(pairs)), np.zeros(len(pairs))])
    fit.fit(both, kinds, sample_weight=np.concatenate([losses, 1 - losses]))
    kept = [name for name, is_used in zip(names, used, strict=True) if is_used]
    weights = {
        name: Weight(round(float(mean), 6), round(float(scale), 6), round(float(weight), 6))
        for name, mean, scale, weight in zip(kept, means[used], scales[used], fit.coef_[0], strict=True)
    }
    return Scorer(weights=weights, bias=round(float(fit.intercept_[0]), 6))


def _judged(pair: PagePair, read: Scorer, unread: Scorer | None) -> Judged:
    signals = pair.page.signals
    known = read.loss({**signals.before, **signals.after})
    unseen = unread.loss(signals.before) if unread else 1.0
    return Judged(pair, {"fallback": known, "auto": unseen if signals.needs_picture else known})


def _out_of_fold(pairs: Sequence[PagePair]) -> list[Judged]:
    """Judges each page by scorers that were trained without its document."""
    contents = sorted({pair.page.content for pair in pairs}, key=_digest)
    folds = min(FOLDS, len(contents))
    fold_of = {content: place % folds for place, content in enumerate(contents)}
    judged: list[Judged] = []
    for fold in range(folds):
        scorers = _scorers([pair for pair in pairs if fold_of[pair.page.content] != fold])
        judged += [_judged(pair, *scorers) for pair in pairs if fold_of[pair.page.content] == fold]
    return judged


def _threshold(pages: Sequence[Judged], policy: Policy, goal: Goal) -> float:
    if goal.share is not None:
        return round(threshold_for_share(pages, policy, goal.share), 6)
    rule: Operating = by_rule(pages, policy, goal.below)
    quality = rule.quality if goal.quality is None else goal.quality
    return round(threshold_for_quality(pages, policy, quality), 6)
