"""A training finds what the pages that need the model have in common, and is measured on other documents."""

from __future__ import annotations

from collections import Counter

import pytest

from pdfbatch.errors import UsageError
from pdfbatch.triage.curve import at_threshold
from pdfbatch.triage.pairs import PagePair, Pairs
from pdfbatch.triage.training import Goal, Trained, check_enough, split, train
from tests.export.outputs import NOW
from tests.triage.needs import needs
from tests.triage.pages import pairs_of

pytestmark = needs("sklearn")

PAIRS = pairs_of()


def trained(pairs: Pairs = PAIRS, goal: Goal = Goal(), seed: int = 0) -> Trained:  # noqa: B008  # immutable
    return train(pairs, goal, seed, NOW, "cpu/", "dolphin/")


@pytest.fixture(scope="module")
def usual() -> Trained:
    return trained()


def test_on_documents_that_it_has_not_seen_it_is_as_good_as_the_rule_with_fewer_pages(usual: Trained) -> None:
    for report in usual.report.policies.values():
        assert report.chosen.quality > report.none
        assert report.share_for_rule_quality < report.rule.share
    assert usual.report.error < 0.05


def test_it_says_what_it_goes_by(usual: Trained) -> None:
    strongest = [name for name, _ in usual.report.weights]
    assert set(strongest[:2]) == {"formulas", "implausible"}


def test_a_scan_that_is_read_well_is_kept_from_the_model(usual: Trained) -> None:
    auto = usual.report.policies["auto"]
    assert usual.model.unread is not None
    assert auto.share_for_rule_quality < 0.75 * auto.rule.share


def test_documents_are_held_out_whole_and_two_with_the_same_content_together() -> None:
    twins = [pair._replace(page=pair.page._replace(key=f"copy of {pair.page.key}")) for pair in PAIRS.pairs]
    learning, measuring = split([*PAIRS.pairs, *twins], seed=0)
    assert {pair.page.content for pair in learning}.isdisjoint(pair.page.content for pair in measuring)
    assert len({pair.page.content for pair in measuring}) == 12
    assert len(learning) + len(measuring) == 2 * len(PAIRS.pairs)


def test_the_same_pages_give_the_same_triage_and_another_seed_holds_out_others(usual: Trained) -> None:
    again = trained(Pairs(list(reversed(PAIRS.pairs)), Counter()))
    assert again.model.thresholds == usual.model.thresholds
    assert [pair.page.key for pair in split(PAIRS.pairs, 0)[1]] != [pair.page.key for pair in split(PAIRS.pairs, 1)[1]]


def test_the_threshold_is_chosen_for_a_share_or_a_quality_if_one_is_asked_for() -> None:
    few, good = trained(goal=Goal(share=0.1)), trained(goal=Goal(quality=0.97))
    assert 0 < few.report.policies["fallback"].chosen.share < 0.25
    assert good.report.policies["fallback"].chosen.quality == pytest.approx(0.97, abs=0.02)


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (pairs_of(documents=4).pairs, "Too few pages"),
        (pairs_of(documents=12, pages=2).pairs, "Too few pages"),
        ([pair._replace(loss=0.01) for pair in PAIRS.pairs], "differ on too few"),
        ([pair._replace(loss=0.9) for pair in PAIRS.pairs], "agree on too few"),
    ],
    ids=["documents", "pages", "nothing to find", "nothing to leave"],
)
def test_too_little_to_learn_from_is_refused_with_what_is_missing(pairs: list[PagePair], said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        check_enough(pairs)
    assert "both ways" in refused.value.hint


def test_the_frozen_arithmetic_is_that_of_the_library(usual: Trained) -> None:
    """scikit-learn's own probabilities, from the weights as they were written."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    scorer = usual.model.read
    fit = LogisticRegression()
    fit.classes_ = np.array([0, 1])
    fit.coef_ = np.array([[one.weight for one in scorer.weights.values()]])
    fit.intercept_ = np.array([scorer.bias])
    for pair in PAIRS.pairs[:20]:
        signals = {**pair.page.signals.before, **pair.page.signals.after}
        row = [[(signals.get(name, 0.0) - one.mean) / one.scale for name, one in scorer.weights.items()]]
        assert scorer.loss(signals) == pytest.approx(float(fit.predict_proba(np.array(row))[0, 1]))
    assert at_threshold([], "auto", 0.5).share == 0.0
