"""`local-run --triage`, `triage train` and `triage score` as a user types them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pdfbatch.records import DocumentElements
from pdfbatch.runs import manifest
from pdfbatch.store import LocalStore
from pdfbatch.triage.files import as_file
from tests.endpoint.cards import number_in
from tests.endpoint.server import MODEL, FakeEndpoint, Order, fake_endpoint, saying
from tests.program import Program
from tests.triage.corpus import make_documents
from tests.triage.needs import needs
from tests.triage.pages import triage_of, two_outputs


@pytest.fixture
def endpoint() -> Iterator[FakeEndpoint]:
    with fake_endpoint() as server:
        yield server


def number_of(request: dict[str, Any]) -> int:
    url = next(part["image_url"]["url"] for part in request["messages"][0]["content"] if part["type"] != "text")
    return number_in(base64.b64decode(url.partition(",")[2]))


@pytest.mark.slow
def test_triage_decides_which_pages_a_fallback_reads_and_the_run_freezes_it(
    endpoint: FakeEndpoint, tmp_path: Path, pdfbatch: Program
) -> None:
    truth = make_documents(tmp_path / "in", [["text", "formulas"]])

    def answer(request: dict[str, Any]) -> Order:
        return saying(truth[number_of(request)])

    endpoint.always = answer
    file, out = tmp_path / "triage.json", tmp_path / "out"
    file.write_bytes(as_file(triage_of({"formulas": 20.0}, bias=-2.0).model))
    address = ["--endpoint-url", endpoint.url, "--endpoint-model", MODEL, "--endpoint-side", "600"]
    fallback = ["--engine", "cpu", "--fallback", "endpoint", "--triage", file]
    ended = pdfbatch("local-run", tmp_path / "in", out, *fallback, *address, "--json")
    assert ended.returncode == 0, ended.stderr
    assert [number_of(request) for request in endpoint.asked] == [2]
    assert "which pages the model reads is decided by" in ended.stderr
    pages = DocumentElements.model_validate_json((out / "000.json").read_bytes()).pages
    assert [(page.read_by, page.triage.to_model, page.triage.why) for page in pages if page.triage] == [
        ("text", False, []),
        ("endpoint", True, ["formulas"]),
    ]
    store = LocalStore(out)
    run = manifest.current(store)
    assert run and (frozen := manifest.load(store, run).options.triage)
    assert frozen.source == str(file) and frozen.model.read.weights.keys() == {"formulas"}


def test_an_engine_without_a_model_refuses_it_before_anything_is_written(tmp_path: Path, pdfbatch: Program) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "triage.json").write_bytes(as_file(triage_of({"doubt": 1.0}).model))
    ended = pdfbatch(
        "local-run", tmp_path / "in", tmp_path / "out", "--triage", tmp_path / "triage.json", "--engine", "cpu"
    )
    assert ended.returncode == 2 and "no pages to sort" in ended.stderr
    assert not (tmp_path / "out").exists()


@pytest.fixture
def outputs(tmp_path: Path) -> tuple[Path, Path]:
    two_outputs(LocalStore(tmp_path / "cpu"), LocalStore(tmp_path / "dolphin"))
    return tmp_path / "cpu", tmp_path / "dolphin"


@pytest.mark.slow
@needs("sklearn", "rapidfuzz")
def test_a_training_shows_the_curve_and_writes_a_file_that_scores_an_output(
    outputs: tuple[Path, Path], tmp_path: Path, pdfbatch: Program
) -> None:
    file, curve, pages = tmp_path / "t.json", tmp_path / "c.svg", tmp_path / "pages.tsv"
    places = ["--save", file.name, "--curve", curve.name, "--quality", "0.98"]
    ended = pdfbatch("triage", "train", *outputs, *places, folder=tmp_path, COLUMNS="80")
    assert ended.returncode == 0, ended.stderr
    assert "rule: untrusted layers" in ended.stdout and "triage, as good as the rule" in ended.stdout
    assert max(map(len, ended.stdout.splitlines())) <= 80
    assert curve.read_text().startswith("<svg") and curve.read_text().count("<polyline") == 3

    scored = pdfbatch(
        "triage", "score", outputs[0], "--triage", file, "--against", outputs[1], "--save", pages, "--json"
    )
    found = json.loads(scored.stdout)
    assert (found["pages"], found["documents"], found["by_rule"]) == (96, 16, 0)
    assert (
        found["report"]["policies"]["fallback"]["chosen"]["quality"] >= found["report"]["policies"]["fallback"]["none"]
    )
    assert len(found["worst"]) == 10 and found["worst"][0]["verdict"]["why"] == ["formulas"]
    assert pages.read_text().splitlines()[0] == f"# pages for the model, by {found['by']}"
    how = ["--triage", file.name, "--for", "auto"]
    screen = pdfbatch("triage", "score", outputs[0], *how, folder=tmp_path, COLUMNS="80").stdout
    assert "untrusted layers" in screen and max(map(len, screen.splitlines())) <= 80


@needs("sklearn", "rapidfuzz")
def test_a_training_without_a_place_to_keep_the_triage_says_so(outputs: tuple[Path, Path], pdfbatch: Program) -> None:
    said = pdfbatch("triage", "train", *outputs).stderr
    assert "was not kept" in said and "more is possible with --quality or --share" in said


@needs("sklearn", "rapidfuzz")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--share", "0.1", "--quality", "0.9"], "both choose the threshold"),
        (["--alias", "champion"], "names a version in MLflow"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    words: list[str], said: str, tmp_path: Path, pdfbatch: Program
) -> None:
    ended = pdfbatch("triage", "train", tmp_path, tmp_path, *words, MLFLOW_TRACKING_URI="")
    assert ended.returncode == 2 and said in ended.stderr


def test_an_output_without_signals_cannot_be_scored(
    outputs: tuple[Path, Path], tmp_path: Path, pdfbatch: Program
) -> None:
    (tmp_path / "t.json").write_bytes(as_file(triage_of({"doubt": 1.0}).model))
    ended = pdfbatch("triage", "score", outputs[1], "--triage", tmp_path / "t.json")
    assert ended.returncode == 1 and "has signals for a triage" in ended.stderr
    assert "--triage is missing" in pdfbatch("triage", "score", outputs[0]).stderr
