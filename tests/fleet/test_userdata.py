"""An instance's user data: every value arrives unchanged, it fits into EC2's limit, and it contains no secret."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdfbatch.errors import PdfbatchError
from pdfbatch.fleet import userdata
from pdfbatch.records import FleetRecord, Manifest

ROOT = Path(__file__).parents[2]
BOOT = (ROOT / "userdata" / "boot.sh").read_text()
WITHOUT_COMMENTS = "\n".join(line for n, line in enumerate(BOOT.split("\n")) if n == 0 or not line.startswith("#"))
AFTER_THE_FIRST_LINE = WITHOUT_COMMENTS.split("\n", 1)[1]
REPOSITORY = "123456789012.dkr.ecr.us-east-1.amazonaws.com/pdfbatch"
PREFIXES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)


def manifest(source: str = "s3://papers/in/", output: str = "s3://papers/out/") -> Manifest:
    return Manifest(
        run="20261125-194500-abcdef",
        created="2026-11-25T19:45:00Z",
        input=source,
        output=output,
        total_workers=5,
        engine="dolphin",
        slices=[0] * 5,
    )


RECORD = FleetRecord(
    run="20261125-194500-abcdef",
    region="us-east-1",
    launched="2026-11-25T19:45:00Z",
    deadline="2026-11-27T19:35:00Z",
    end="2026-11-27T19:40:00Z",
    expiry="2026-11-27T19:45:00Z",
    instance_types=["g4dn.xlarge"],
    worst_price=0.25,
    image=f"{REPOSITORY}@sha256:{'a' * 64}",
    ami="ami-0123456789abcdef0",
    log_group="/aws/ec2/pdf-workers/pdfbatch",
    topic="arn:aws:sns:us-east-1:123456789012:pdfbatch",
)


def values(source: str = "s3://papers/in/", output: str = "s3://papers/out/") -> dict[str, str]:
    return userdata.values_of(manifest(source, output), RECORD, 3, True, {})


def header_of(text: str) -> str:
    assert text.endswith(AFTER_THE_FIRST_LINE)
    return text.removesuffix(AFTER_THE_FIRST_LINE)


@settings(max_examples=50, deadline=None)
@given(PREFIXES, PREFIXES)
def test_bash_reads_every_prefix_unchanged(source: str, output: str) -> None:
    wanted = values(f"s3://papers/{source}", f"s3://papers/{output}")
    script = header_of(userdata.render(wanted)) + "env -0\n"
    said = subprocess.run(["bash"], input=script.encode(), env={"PATH": "/usr/bin:/bin"}, capture_output=True)
    found = dict(line.split("=", 1) for line in said.stdout.decode().split("\0") if line)
    assert {name: found.get(name) for name in wanted} == wanted
    assert said.stderr == b""


@pytest.mark.parametrize(
    ("url", "bucket", "prefix"),
    [
        ("s3://papers", "papers", ""),
        ("s3://papers/", "papers", ""),
        ("s3://papers/a/b", "papers", "a/b/"),
        ("s3://papers/a/b/", "papers", "a/b/"),
    ],
)
def test_a_prefix_is_empty_or_ends_with_a_slash(url: str, bucket: str, prefix: str) -> None:
    found = values(url, url)
    assert (found["S3_INPUT_BUCKET"], found["S3_INPUT_PREFIX"]) == (bucket, prefix)
    assert (found["S3_OUTPUT_BUCKET"], found["S3_OUTPUT_PREFIX"]) == (bucket, prefix)


def test_the_values_are_those_of_the_worker_and_of_the_run() -> None:
    assert values() == {
        "WORKER_ID": "3",
        "TOTAL_WORKERS": "5",
        "S3_INPUT_BUCKET": "papers",
        "S3_INPUT_PREFIX": "in/",
        "S3_OUTPUT_BUCKET": "papers",
        "S3_OUTPUT_PREFIX": "out/",
        "AWS_DEFAULT_REGION": "us-east-1",
        "PDFBATCH_RUN": "20261125-194500-abcdef",
        "PDFBATCH_DEADLINE": "2026-11-27T19:35:00.000Z",
        "PDFBATCH_END": "2026-11-27T19:40:00.000Z",
        "PDFBATCH_IMAGE": f"{REPOSITORY}@sha256:{'a' * 64}",
        "PDFBATCH_GPUS": "all",
        "PDFBATCH_LOG_GROUP": "/aws/ec2/pdf-workers/pdfbatch",
        "PDFBATCH_TOPIC": "arn:aws:sns:us-east-1:123456789012:pdfbatch",
        "PDFBATCH_MAX_BOOTS": "5",
    }


def test_only_a_custom_endpoint_is_passed_on_from_the_launchers_environment() -> None:
    environment = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9000",
        "AWS_ACCESS_KEY_ID": "AKIASECRETSECRET",
        "AWS_SECRET_ACCESS_KEY": "very secret",
        "AWS_SESSION_TOKEN": "very secret too",
        "HF_TOKEN": "hf_secret",
    }
    found = userdata.values_of(manifest(), RECORD, 0, False, environment)
    assert {name: found[name] for name in found.keys() - values().keys()} == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9000"
    }
    text = userdata.render(found).lower()
    assert [word for word in ("akia", "secret", "session_token", "hf_") if word in text] == []


def test_with_the_longest_s3_prefixes_it_fits_into_ec2s_limit() -> None:
    longest = "x" * 1020  # of a key's 1,024 bytes
    text = userdata.render(values(f"s3://{'b' * 63}/{longest}/", f"s3://{'b' * 63}/{longest}/"))
    assert len(text.encode()) < userdata.LIMIT


def test_user_data_above_ec2s_limit_is_refused_with_a_hint() -> None:
    with pytest.raises(PdfbatchError, match="16,384") as refused:
        userdata.render({"S3_INPUT_PREFIX": "é" * 8_192})
    assert "shorter" in refused.value.hint


def test_shellcheck_finds_nothing_in_the_rendered_script(tmp_path: Path) -> None:
    script = tmp_path / "user-data.sh"
    script.write_text(userdata.render(values(output="s3://papers/it's/")))
    assert script.read_text().startswith("#!/bin/bash\n")
    shellcheck = Path(sys.executable).with_name("shellcheck")
    checked = subprocess.run([shellcheck, script], capture_output=True, text=True)
    assert checked.stdout + checked.stderr == ""


def test_the_installed_package_contains_the_script(tmp_path: Path) -> None:
    included = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    for source, target in {"pdfbatch": "pdfbatch", **included["force-include"]}.items():
        shutil.copytree(ROOT / source, tmp_path / target)
    code = "from pdfbatch.fleet import userdata; print(userdata.__file__, len(userdata.render({})))"
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout.split()
    assert said == [str(tmp_path / "pdfbatch/fleet/userdata.py"), str(len(WITHOUT_COMMENTS))]
