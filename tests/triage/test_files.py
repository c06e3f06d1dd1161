"""A triage in a file: what is frozen of it, and what is said where it is none."""

from pathlib import Path

import pytest

from pdfbatch.errors import UsageError
from pdfbatch.triage.files import as_file, frozen, read_file
from pdfbatch.triage.registry import checked_address, resolve
from tests.triage.pages import triage_of

MODEL = triage_of({"doubt": 1.0}).model


def test_a_file_is_frozen_with_its_digest(tmp_path: Path) -> None:
    file = tmp_path / "triage.json"
    file.write_bytes(as_file(MODEL))
    found = resolve(str(file), {})
    assert found.model == MODEL and found.source == str(file)
    assert found.name == f"{file} ({found.sha256[:12]})" and found == frozen(read_file(str(file)), str(file))


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[1]", b"\xff\xfe", as_file(MODEL).replace(b"pdfbatch-triage", b"other")]
)
def test_what_is_no_triage_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "t.json").write_bytes(data)
    with pytest.raises(UsageError, match="is not a triage") as refused:
        resolve(str(tmp_path / "t.json"), {})
    assert "triage train" in refused.value.hint


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_bytes(as_file(MODEL.model_copy(update={"signals": 99})))
    with pytest.raises(UsageError, match="other signals"):
        resolve(str(tmp_path / "t.json"), {})


def test_a_file_that_is_not_there_and_one_that_is_far_too_large_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        resolve(str(tmp_path / "t.json"), {})
    (tmp_path / "t.json").write_bytes(bytes(2 << 20))
    with pytest.raises(UsageError, match="1 MiB"):
        resolve(str(tmp_path / "t.json"), {})


def test_a_name_in_a_registry_needs_an_address_and_a_version() -> None:
    with pytest.raises(UsageError, match="not a registered model"):
        resolve("models:/pdfbatch-triage", {})
    with pytest.raises(UsageError, match="address of MLflow") as unknown:
        resolve("models:/pdfbatch-triage@champion", {})
    assert "MLFLOW_TRACKING_URI" in unknown.value.hint
    with pytest.raises(UsageError, match="not a registry"):
        checked_address("./mlruns")
