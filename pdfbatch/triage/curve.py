"""Quality against the share of pages that go to the model. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pdfbatch.records import CurvePoint, Operating, Policy, PolicyReport, Signals
from pdfbatch.triage.pairs import PagePair

STEPS = 20
"""Points of a curve, from no pages to all."""


class Judged(NamedTuple):
    """A page that was read both ways, and what triage expects of it, by what each policy knows."""

    pair: PagePair
    expected: dict[Policy, float]


def is_sent_by_rule(signals: Signals, score: float, policy: Policy, below: float) -> bool:
    """Whether the page goes to the model without triage: `auto` sends what it cannot read from the text layer, a
    fallback what scored lower than `below`."""
    return signals.needs_picture if policy == "auto" else score < below


def operating(pages: Sequence[Judged], sent: Sequence[bool]) -> Operating:
    """Returns the share of pages sent to the model, and the mean quality: 1 for those, and 1 - loss for the others."""
    kept = sum(page.pair.loss for page, is_sent in zip(pages, sent, strict=True) if not is_sent)
    count = max(1, len(pages))
    return Operating(share=round(sum(sent) / count, 4), quality=round(1 - kept / count, 4))


def by_rule(pages: Sequence[Judged], policy: Policy, below: float) -> Operating:
    sent = [is_sent_by_rule(page.pair.page.signals, page.pair.page.score, policy, below) for page in pages]
    return operating(pages, sent)


def at_threshold(pages: Sequence[Judged], policy: Policy, threshold: float) -> Operating:
    return operating(pages, [page.expected[policy] >= threshold for page in pages])


def threshold_for_quality(pages: Sequence[Judged], policy: Policy, quality: float) -> float:
    """Returns the highest threshold that reaches a quality; no page is sent if none has to be."""
    ordered = sorted(pages, key=lambda page: -page.expected[policy])
    lost = sum(page.pair.loss for page in pages)
    threshold = _above(ordered[0].expected[policy])
    for page in ordered:
        if 1 - lost / len(pages) >= quality - 1e-9:
            break
        lost -= page.pair.loss
        threshold = page.expected[policy]
    return threshold


def threshold_for_share(pages: Sequence[Judged], policy: Policy, share: float) -> float:
    """Returns the threshold that sends about this share of the pages, not more."""
    ordered = sorted((page.expected[policy] for page in pages), reverse=True)
    sent = int(share * len(ordered) + 1e-9)
    return _above(ordered[sent]) if sent < len(ordered) else ordered[-1]


def _above(loss: float) -> float:
    return min(1.0, round(loss + 1e-6, 6))


def policy_report(pages: Sequence[Judged], policy: Policy, threshold: float, below: float) -> PolicyReport:
    """Compares triage with the rule, on pages that it was not trained on."""
    rule = by_rule(pages, policy, below)
    needed = threshold_for_quality(pages, policy, rule.quality)
    return PolicyReport(
        threshold=threshold,
        chosen=at_threshold(pages, policy, threshold),
        rule=rule,
        share_for_rule_quality=at_threshold(pages, policy, needed).share,
        none=operating(pages, [False] * len(pages)).quality,
        curve=curve(pages, policy),
    )


def curve(pages: Sequence[Judged], policy: Policy) -> list[CurvePoint]:
    """Returns the curve. The rule's pages are ordered by what it goes by: its yes or no, then the page's score."""
    triage = _qualities(sorted(pages, key=lambda page: -page.expected[policy]))
    rule = _qualities(sorted(pages, key=lambda page: _rule_order(page, policy)))
    best = _qualities(sorted(pages, key=lambda page: -page.pair.loss))
    shares = [step / STEPS for step in range(STEPS + 1)]
    return [
        CurvePoint(share=share, triage=triage[at], rule=rule[at], best=best[at])
        for share in shares
        for at in [round(share * len(pages))]
    ]


def _rule_order(page: Judged, policy: Policy) -> tuple[bool, float]:
    one = page.pair.page
    return (policy == "auto" and not one.signals.needs_picture, one.score)


def _qualities(ordered: Sequence[Judged]) -> list[float]:
    """Returns the quality with the first n pages sent, for every n."""
    lost = sum(page.pair.loss for page in ordered)
    found = [round(1 - lost / len(ordered), 4)]
    for page in ordered:
        lost -= page.pair.loss
        found.append(round(1 - max(0.0, lost) / len(ordered), 4))
    return found
