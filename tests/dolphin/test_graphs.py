"""Recorded steps: one for each shape, and none any more once recording has failed."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from pdfbatch.engines.dolphin.decode import Decoding
from pdfbatch.engines.dolphin.graphs import WARM_UPS, Graphs, Step
from pdfbatch.engines.dolphin.step_shape import StepShape, rounded

from .networks import Abacus, Reading, Replaying, abacus_decoder, picture, plan, random_jobs, tokens, torch


class FailsAt(Replaying):
    """Fails with `error` at the n-th recording."""

    def __init__(self, number: int, error: Exception) -> None:
        super().__init__()
        self._number, self._error = number, error

    def record(self, step: Step) -> Step:
        if self.recorded == self._number:
            self.recorded += 1
            raise self._error
        return super().record(step)


ERRORS = [
    RuntimeError("CUDA error: operation failed due to a previous error during capture"),
    RuntimeError("CUDA error: operation would make the legacy stream depend on a capturing blocking stream"),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB"),
    RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"),
]


def test_a_step_is_recorded_once_and_then_replayed() -> None:
    recorder = Replaying()
    graphs = Graphs(recorder)
    done: list[str] = []

    def saved() -> Callable[[], None]:
        before = len(done)
        return lambda: done.__delitem__(slice(before, None))

    for _ in range(3):
        graphs.run("one", lambda: done.append("one"), saved)
    graphs.run("other", lambda: done.append("other"), saved)
    assert done == ["one", "one", "one", "other"]
    assert (recorder.warm_ups, recorder.recorded) == (2, 2)
    assert WARM_UPS > 0
    graphs.forget()
    graphs.run("one", lambda: done.append("one"), saved)
    assert recorder.recorded == 3


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: str(error)[:40])
@pytest.mark.parametrize("number", [0, 1])
def test_after_a_recording_failed_nothing_is_recorded_and_every_token_is_right(
    error: Exception, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = FailsAt(number, error)
    network = Abacus()
    reading = Reading(abacus_decoder(network, plan(rows=6), how=Decoding(Graphs(recorder), stride=2, ahead=True)))
    said = random_jobs(reading, network, 40, seed=number, most_prompt=300)
    with caplog.at_level(logging.WARNING):
        assert tokens(reading.until_idle()) == said
    assert recorder.recorded == number + 1
    assert reading.decoder.meter.out_of_memory == 0
    assert [record.message.partition(",")[0] for record in caplog.records] == ["CUDA graphs are off from here on"]


def test_rows_with_a_penalty_keep_their_graphs() -> None:
    recorder = Replaying()
    reading = Reading(abacus_decoder(Abacus(), plan(rows=4), how=Decoding(Graphs(recorder))))
    for number in range(4):
        job = reading.add(number, picture(number), limit=3 if number == 2 else 20)
        job.penalty = 1.1 if number == 2 else 1.0
    reading.until_idle()
    assert recorder.recorded == 2, "one shape, with and without a penalty"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (StepShape(1, 10), StepShape(16, 256)),
        (StepShape(17, 257), StepShape(64, 384)),
        (StepShape(64, 2000, 3, 200), StepShape(64, 4096, 8, 256)),
        (StepShape(64, 2000, 33, 200), StepShape(64, 4096)),
        (StepShape(64, 250, 3, 200), StepShape(64, 256)),
        (StepShape(16, 600, 9, 200, 8), StepShape(16, 768, drafting=8)),
        (StepShape(16, 600, 5, 200, 4), StepShape(16, 768, 8, 256, 4)),
    ],
)
def test_recorded_steps_have_few_shapes(wanted: StepShape, expected: StepShape) -> None:
    assert rounded(wanted, 64, 4096, graphs=True) == expected


def test_steps_that_are_not_recorded_have_their_lengths_rounded_only() -> None:
    assert rounded(StepShape(5, 65, 2, 10), 64, 4096, graphs=False) == StepShape(5, 128, 2, 64)
    assert rounded(StepShape(5, 100), 64, 90, graphs=False) == StepShape(5, 90)
