"""What a triage makes of an output that was read without the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from pdfbatch.records import Policy, Triage, TriageReport, TriageVerdict
from pdfbatch.triage.curve import is_sent_by_rule
from pdfbatch.triage.pairs import Pairs, SignalledPage
from pdfbatch.triage.training import measured

MOST_SHOWN = 10


class ScoredPage(BaseModel):
    """A page and its verdict."""

    model_config = ConfigDict(frozen=True)
    key: str
    page: int
    verdict: TriageVerdict


class Scored(BaseModel):
    """`pages` were scored; `to_model` of them go to the model by triage, `by_rule` without it. `loss`: the mean that is
    expected of all pages if none goes to the model, and `loss_left` with triage. `worst`: the pages with the highest
    loss. `report`: how it did on the pages of another output, if one was given."""

    model_config = ConfigDict(frozen=True)
    by: str
    policy: Policy
    pages: int
    documents: int
    to_model: int
    by_rule: int
    loss: float
    loss_left: float
    why: dict[str, int]
    """Number of pages by the signal that speaks most for the model."""
    worst: list[ScoredPage]
    report: TriageReport | None = None


def scored(
    triage: Triage, pages: Iterable[SignalledPage], policy: Policy, below: float
) -> tuple[Scored, dict[str, list[int]]]:
    """Scores pages; also returns those that go to the model, by document. `below`: the rule of a fallback."""
    verdicts = [(page, _verdict(triage, page, policy)) for page in pages]
    chosen: dict[str, list[int]] = {}
    why: Counter[str] = Counter()
    for page, verdict in verdicts:
        if verdict.to_model:
            chosen.setdefault(page.key, []).append(page.number)
            why[verdict.why[0] if verdict.why else "everything together"] += 1
    order = sorted(verdicts, key=lambda each: (-each[1].loss, each[0].key, each[0].number))
    count = max(1, len(verdicts))
    found = Scored(
        by=triage.name,
        policy=policy,
        pages=len(verdicts),
        documents=len({page.key for page, _ in verdicts}),
        to_model=sum(verdict.to_model for _, verdict in verdicts),
        by_rule=sum(is_sent_by_rule(page.signals, page.score, policy, below) for page, _ in verdicts),
        loss=round(sum(verdict.loss for _, verdict in verdicts) / count, 4),
        loss_left=round(sum(verdict.loss for _, verdict in verdicts if not verdict.to_model) / count, 4),
        why=dict(why.most_common()),
        worst=[ScoredPage(key=page.key, page=page.number, verdict=verdict) for page, verdict in order[:MOST_SHOWN]],
    )
    return found, chosen


def compared(triage: Triage, pairs: Pairs, below: float) -> TriageReport:
    """Returns how a triage does on pages that were read both ways; all of them count as held out."""
    return measured(triage.model, pairs.pairs, pairs, below)


def _verdict(triage: Triage, page: SignalledPage, policy: Policy) -> TriageVerdict:
    if policy == "auto" and page.signals.needs_picture:
        return triage.verdict_before_ocr(page.signals)
    return triage.verdict(page.signals, policy)
