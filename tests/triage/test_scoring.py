"""A triage as a value: a few lines of arithmetic, small, and only for the signals that this program computes."""

import json
import math
import subprocess
import sys

import pytest

from pdfbatch.errors import UsageError
from pdfbatch.records import SIGNALS, SIGNALS_VERSION, ReadOptions, Scorer, Weight, resumed_triage
from tests.triage.pages import scorer_of, signals_of, triage_of


def test_the_expected_loss_is_a_logistic_function_of_scaled_signals() -> None:
    scorer = Scorer(weights={"formulas": Weight(0.2, 0.1, 1.5), "doubt": Weight(0.0, 0.5, -1.0)}, bias=-2.0)
    odds = -2.0 + 1.5 * (0.4 - 0.2) / 0.1 - 1.0 * 0.25 / 0.5
    assert scorer.loss({"formulas": 0.4, "doubt": 0.25}) == pytest.approx(1 / (1 + math.exp(-odds)))
    assert 0.0 <= scorer_of({"doubt": -1e9}).loss({"doubt": 1.0}) <= scorer_of({"doubt": 1e9}).loss({"doubt": 1.0}) <= 1


def test_a_signal_that_is_not_there_is_zero() -> None:
    scorer = scorer_of({"formulas": 2.0}, bias=-1.0)
    assert scorer.loss({}) == scorer.loss({"formulas": 0.0})


def test_the_verdict_says_which_signals_spoke_for_the_model_the_strongest_first() -> None:
    triage = triage_of({"formulas": 4.0, "doubt": 9.0, "text": -1.0}, bias=-1.0)
    verdict = triage.verdict(signals_of(formulas=0.5, doubt=0.1), "fallback")
    assert verdict.to_model and verdict.why == ["formulas", "doubt"] and verdict.by == triage.name
    assert not triage.verdict(signals_of(), "fallback").to_model


def test_without_a_scorer_for_untrusted_layers_all_of_them_go_to_the_model() -> None:
    scan = signals_of(scan=True)
    assert triage_of({}, bias=-9.0).verdict_before_ocr(scan).to_model
    kind = triage_of({}, unread=scorer_of({"implausible": 50.0}, bias=-2.0))
    assert not kind.verdict_before_ocr(scan).to_model
    assert kind.verdict_before_ocr(signals_of(scan=True, implausible=0.1)).to_model


@pytest.mark.parametrize(
    ("change", "age"), [({"signals": SIGNALS_VERSION + 1}, "newer"), ({"signals": SIGNALS_VERSION - 1}, "older")]
)
def test_one_trained_on_other_signals_is_refused(change: dict[str, int], age: str) -> None:
    model = triage_of({"doubt": 1.0}).model
    model.refuse_other_signals("t.json")
    with pytest.raises(UsageError, match=age) as refused:
        model.model_copy(update=change).refuse_other_signals("t.json")
    assert "triage train" in refused.value.hint


def test_a_signal_that_nobody_computes_is_refused() -> None:
    with pytest.raises(UsageError, match="other signals"):
        triage_of({"moon_phase": 1.0}).model.refuse_other_signals("t.json")


def test_frozen_into_options_it_is_small_and_comes_back_the_same() -> None:
    every = dict.fromkeys(SIGNALS, 0.123456)
    options = ReadOptions(triage=triage_of(every, unread=scorer_of(every)))
    text = options.model_dump_json()
    assert ReadOptions.model_validate_json(text) == options
    assert len(text) < 8_000


def test_a_resumed_run_goes_on_with_what_it_froze_unless_another_is_named() -> None:
    frozen = triage_of({"doubt": 1.0})
    moved = frozen.model_copy(update={"name": "t.json (another)", "sha256": "1" * 64})
    other = moved.model_copy(update={"source": "models:/pdfbatch-triage@champion"})
    assert resumed_triage(moved, frozen) == frozen
    assert resumed_triage(other, frozen) == other
    assert resumed_triage(None, frozen) is None and resumed_triage(moved, None) == moved


def test_scoring_imports_nothing_that_a_worker_does_not_have() -> None:
    code = (
        "import sys, json; from pdfbatch.records import ReadOptions, Signals;"
        "options = ReadOptions.model_validate_json(sys.stdin.read());"
        "options.triage.verdict(Signals(version=1), 'auto');"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    given = ReadOptions(triage=triage_of({"doubt": 1.0})).model_dump_json()
    done = subprocess.run([sys.executable, "-c", code], input=given, capture_output=True, text=True, check=True)
    assert not {"mlflow", "sklearn", "numpy", "rapidfuzz"} & set(json.loads(done.stdout))
