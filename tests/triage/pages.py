"""Pages that were read both ways: made from a rule that a training can find, without reading a PDF."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pdfbatch.records import SIGNALS_VERSION, Page, Scorer, Signals, Triage, TriageModel, Weight
from pdfbatch.store import Store
from pdfbatch.triage.pairs import PagePair, Pairs, SignalledPage
from tests.export.outputs import NOW, Made, a_page, finish

WORDS = [
    "waves",
    "break",
    "along",
    "the",
    "northern",
    "pier",
    "while",
    "boats",
    "return",
    "with",
    "letters",
    "from",
    "distant",
    "islands",
]


def signals_of(*, formulas: float = 0.0, doubt: float = 0.0, scan: bool = False, implausible: float = 0.0) -> Signals:
    before = {"letters": 0.7, "pictures": float(scan), "implausible": implausible}
    after = {"text": 0.7, "formulas": formulas, "doubt": doubt}
    return Signals(
        version=SIGNALS_VERSION,
        needs_picture=scan,
        before={name: value for name, value in before.items() if value},
        after={name: value for name, value in after.items() if value},
    )


def pairs_of(documents: int = 40, pages: int = 10, seed: int = 0) -> Pairs:
    """Returns pages whose loss is that of their formulas, or of bad scans: low scores mean little here, and half of the
    scans are read well without the model."""
    chance = random.Random(seed)
    found = []
    for document in range(documents):
        for number in range(1, pages + 1):
            formulas = chance.choice((0.0, 0.0, 0.0, 0.6))
            scan = chance.random() < 0.4
            bad = 0.04 if scan and chance.random() < 0.5 else 0.0
            doubt = chance.choice((0.0, 0.05, 0.15))
            loss = min(1.0, 0.02 + 0.5 * formulas + 12 * bad + chance.random() * 0.02)
            signals = signals_of(formulas=formulas, doubt=doubt, scan=scan, implausible=bad)
            page = SignalledPage(f"{document}.pdf", f"content {document}", number, signals, 1 - doubt)
            found.append(PagePair(page, round(loss, 4)))
    return Pairs(found, Counter())


def triage_of(
    weights: dict[str, float], bias: float = 0.0, threshold: float = 0.5, unread: Scorer | None = None
) -> Triage:
    """Returns a triage by its weights, for signals as they are."""
    model = TriageModel(
        format="pdfbatch-triage",
        signals=SIGNALS_VERSION,
        read=scorer_of(weights, bias),
        unread=unread,
        thresholds={"auto": threshold, "fallback": threshold},
        trained=NOW,
    )
    return Triage(source="t.json", name="t.json (0123456789ab)", sha256="0" * 64, model=model)


def scorer_of(weights: dict[str, float], bias: float = 0.0) -> Scorer:
    return Scorer(weights={name: Weight(0.0, 1.0, weight) for name, weight in weights.items()}, bias=bias)


def text_page(number: int, words: Sequence[str], **fields: Any) -> Page:
    return a_page(number, " ".join(words), **fields)


def two_outputs(cheap: Store, reference: Store, documents: int = 16, pages: int = 6) -> None:
    """Fills two outputs: the pages with formulas were read wrongly without the model."""
    chance = random.Random(1)
    first, second = [], []
    for document in range(documents):
        ours, theirs = [], []
        for number in range(1, pages + 1):
            words = [chance.choice(WORDS) for _ in range(30)]
            bad = (document + number) % 3 == 0
            formulas = chance.uniform(0.4, 0.6) if bad else chance.uniform(0, 0.1)
            misread = [word if chance.random() < 0.4 else "x" for word in words] if bad else words
            signals = signals_of(formulas=formulas, scan=number == 1)
            ours.append(text_page(number, misread, signals=signals, score=0.95))
            theirs.append(text_page(number, words, read_by="dolphin"))
        first.append(Made(f"{document:02}.pdf", ours, {"etag": f"v{document}"}))
        second.append(Made(f"{document:02}.pdf", theirs, {"etag": f"v{document}", "engine": "dolphin"}))
    finish(cheap, first)
    finish(reference, second, engine="dolphin")
