"""Which engine reads, by what was asked for and what there is."""

from __future__ import annotations

import pytest

from pdfbatch.engines import engine_for


@pytest.mark.parametrize(
    ("asked", "model", "gpu", "engine"),
    [
        ("", "", True, "dolphin"),
        ("", "", False, "cpu"),
        ("auto", "", True, "auto"),
        ("auto", "", False, "cpu"),
        ("auto", "~/model", False, "auto"),
        ("dolphin", "", False, "dolphin"),
        ("cpu", "", True, "cpu"),
        ("null", "", False, "null"),
        ("magic", "", False, "magic"),
    ],
)
def test_without_a_gpu_auto_reads_by_the_cpu_unless_a_model_is_named(
    asked: str, model: str, gpu: bool, engine: str
) -> None:
    assert engine_for(asked, model, gpu) == engine
