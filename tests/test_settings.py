"""Settings: what is given where, and what wins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pdfbatch.errors import UsageError
from pdfbatch.settings import Setting, found_file, read_settings

OPTIONS = {"input": str, "output": str, "workers": int | None, "max_hours": float | None, "on_demand": bool}
OPTIONS |= {"instance_type": list[str] | None}
FILE = "pdfbatch.toml"


def read(content: str = "", profile: str = "", file: str = FILE) -> dict[str, Setting]:
    return read_settings(OPTIONS, file if content else "", content.encode(), profile)


def test_without_a_file_or_a_variable_there_are_no_settings() -> None:
    assert read() == {}


@pytest.mark.parametrize(
    ("content", "profile", "variable", "value", "source"),
    [
        ("workers = 3", "", "", 3, FILE),
        ("workers = 3\n[profile.prod]\nworkers = 7", "", "", 3, FILE),
        ("workers = 3\n[profile.prod]\nworkers = 7", "prod", "", 7, f"profile prod in {FILE}"),
        ("workers = 3\n[profile.prod]\nworkers = 7", "prod", "9", 9, "PDFBATCH_WORKERS"),
        ("workers = 3\n[profile.prod]\nmax_hours = 2", "prod", "", 3, FILE),
    ],
)
def test_a_variable_wins_over_the_profile_and_that_over_the_file(
    monkeypatch: pytest.MonkeyPatch, content: str, profile: str, variable: str, value: int, source: str
) -> None:
    monkeypatch.setenv("PDFBATCH_WORKERS", variable)
    assert read(content, profile)["workers"] == Setting(value, source)


def test_a_list_is_a_list_in_a_file_and_has_commas_in_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read('instance_type = ["g4dn.xlarge", "g5.xlarge"]')["instance_type"].value == ["g4dn.xlarge", "g5.xlarge"]
    monkeypatch.setenv("PDFBATCH_INSTANCE_TYPE", "g5.xlarge, g6.xlarge")
    assert read()["instance_type"].value == ["g5.xlarge", "g6.xlarge"]


def test_buckets_and_prefixes_are_places() -> None:
    found = read(
        json.dumps({"input_bucket": "in", "input_prefix": "pdfs/", "output_bucket": "out"}), file="s3://b/config.json"
    )
    assert found == {
        "input": Setting("s3://in/pdfs/", "s3://b/config.json"),
        "output": Setting("s3://out/", "s3://b/config.json"),
    }


@pytest.mark.parametrize(
    ("content", "profile", "message", "hint"),
    [
        ("max_hour = 3", "", "pdfbatch.toml: there is no setting 'max_hour'.", "Did you mean 'max_hours'?"),
        ("[profile.dev]\nworker = 3", "", "profile dev in pdfbatch.toml: there is no setting 'worker'.", "'workers'"),
        (
            "endpoint_key = 'sk-1'",
            "",
            "there is no setting 'endpoint_key'.",
            "PDFBATCH_ENDPOINT_KEY in the environment",
        ),
        ("inptu_prefix = 'a/'", "", "there is no setting 'inptu_prefix'.", "Did you mean 'input_prefix'?"),
        ("workers = 'many'", "", "pdfbatch.toml: workers is 'many'", "Fix"),
        ('profile = "prod"', "", "pdfbatch.toml: profile is not a table", "[profile.NAME]"),
        ("[profile]\nprod = 3", "", "pdfbatch.toml: profile is not a table", "[profile.NAME]"),
        ("workers = ", "", "pdfbatch.toml cannot be read", "Fix"),
        ("[profile.prod]", "pord", "There is no profile 'pord' in pdfbatch.toml.", "Did you mean 'prod'?"),
        ("", "prod", "There is no profile 'prod': no pdfbatch.toml was found.", "[profile.prod]"),
    ],
)
def test_an_invalid_setting_is_named_with_its_source(content: str, profile: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        read(content, profile)
    assert message in raised.value.message and hint in raised.value.hint


def test_a_bad_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PDFBATCH_WORKERS", "few")
    with pytest.raises(UsageError, match="PDFBATCH_WORKERS: workers is 'few'"):
        read()


def test_the_nearest_file_above_is_found(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert found_file(tmp_path / "a" / "b") is None
    (tmp_path / FILE).touch()
    assert found_file(tmp_path / "a" / "b") == tmp_path / FILE
