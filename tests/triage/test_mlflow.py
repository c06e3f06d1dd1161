"""A training tracked in a real MLflow server with a SQLite file; its triage registered, named by an alias, frozen, and
used by a run without MLflow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pdfbatch.errors import NotReady, UsageError
from pdfbatch.records import DocumentElements
from pdfbatch.runs import manifest
from pdfbatch.store import LocalStore
from pdfbatch.triage.registry import Registry, resolve
from tests.documents.sample_pages import text_pdf
from tests.endpoint.server import MODEL, fake_endpoint
from tests.program import Program
from tests.triage.mlflow_server import mlflow_server
from tests.triage.needs import needs
from tests.triage.pages import two_outputs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # MLflow's libraries have many
    needs("sklearn", "rapidfuzz", "mlflow", "sqlalchemy", "alembic", "flask"),
]

NAME = "models:/pdfbatch-triage"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    with mlflow_server(folder) as address:
        yield address


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("outputs")
    two_outputs(LocalStore(folder / "cpu"), LocalStore(folder / "dolphin"))
    return folder / "cpu", folder / "dolphin"


def train(pdfbatch: Program, outputs: tuple[Path, Path], server: str, *more: str) -> dict[str, object]:
    ended = pdfbatch("triage", "train", *outputs, "--json", *more, MLFLOW_TRACKING_URI=server)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, object] = json.loads(ended.stdout)
    return found


def test_a_training_is_tracked_and_its_version_is_found_by_its_alias_frozen_and_used(
    server: str, outputs: tuple[Path, Path], tmp_path: Path, pdfbatch: Program
) -> None:
    first = train(pdfbatch, outputs, server, "--alias", "champion")
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=server)
    run = client.get_run(first["mlflow"]["run"])  # type: ignore[index]
    assert run.info.status == "FINISHED"
    assert run.data.params["held_out_documents"] == str(first["held_out_documents"])
    policies = first["policies"]
    assert run.data.metrics["fallback.quality"] == policies["fallback"]["chosen"]["quality"]  # type: ignore[index]
    curve = client.get_metric_history(run.info.run_id, "fallback.quality_at_percent")
    assert {point.step: point.value for point in curve} == {
        round(100 * point["share"]): point["triage"]
        for point in policies["fallback"]["curve"]  # type: ignore[index]
    }
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == {
        *("triage", "report.json", "curve-auto.svg", "curve-fallback.svg")
    }

    train(pdfbatch, outputs, server, "--share", "0.5")
    environment = {"MLFLOW_TRACKING_URI": server}
    assert resolve(f"{NAME}@champion", environment).name == f"{NAME}/1", "a new version changes nothing by itself"
    client.set_registered_model_alias("pdfbatch-triage", "champion", "2")
    assert resolve(f"{NAME}@champion", environment).name == f"{NAME}/2"
    assert resolve(f"{NAME}/1", environment).model.thresholds != resolve(f"{NAME}/2", environment).model.thresholds

    scored = pdfbatch("triage", "score", outputs[0], "--triage", f"{NAME}@champion", "--json", **environment)
    assert json.loads(scored.stdout)["by"] == f"{NAME}/2"

    (tmp_path / "in").mkdir()
    text_pdf(tmp_path / "in" / "a.pdf")
    with fake_endpoint() as endpoint:
        address = ["--fallback", "endpoint", "--endpoint-url", endpoint.url, "--endpoint-model", MODEL]
        how = ["--engine", "cpu", *address, "--triage", f"{NAME}@champion"]
        ended = pdfbatch("local-run", tmp_path / "in", tmp_path / "out", *how, **environment)
    assert ended.returncode == 0, ended.stderr
    store = LocalStore(tmp_path / "out")
    frozen = manifest.load(store, manifest.current(store) or "").options.triage
    assert frozen == resolve(f"{NAME}@champion", environment)
    page = DocumentElements.model_validate_json((tmp_path / "out" / "a.json").read_bytes()).pages[0]
    assert page.triage and page.triage.by == f"{NAME}/2"


def test_what_is_not_registered_is_refused_with_the_next_step(server: str) -> None:
    environment = {"MLFLOW_TRACKING_URI": server}
    for named in ("models:/nobody@champion", f"{NAME}@nobody", f"{NAME}/99"):
        with pytest.raises(UsageError, match="is not registered") as refused:
            resolve(named, environment)
        assert "triage train" in refused.value.hint
    registry = Registry(server)
    run = registry.track("others", {}, {}, {"model.bin": b"?"})
    registry.register(run, "others", "champion", {})
    with pytest.raises((UsageError, NotReady), match="cannot be fetched"):
        resolve("models:/others@champion", environment)


def test_a_server_that_does_not_answer_ends_the_command_soon_with_its_address(pdfbatch: Program) -> None:
    gone = "http://127.0.0.1:9"
    with pytest.raises(NotReady, match=gone) as refused:
        resolve(f"{NAME}@champion", {"MLFLOW_TRACKING_URI": gone})
    assert "MLFLOW_TRACKING_URI" in refused.value.hint


def test_a_registry_in_a_file_needs_no_server(
    server: str, folder: Path, outputs: tuple[Path, Path], pdfbatch: Program
) -> None:
    address = f"sqlite:///{folder}/mlflow.db"
    train(pdfbatch, outputs, address, "--alias", "best", "--experiment", "here", "--registered-model", "mine")
    assert resolve("models:/mine@best", {"MLFLOW_TRACKING_URI": address}).name == "models:/mine/1"
    assert (folder / "mlartifacts").is_dir(), "and not in the current folder"
