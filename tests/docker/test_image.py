"""The worker image as people and the fleet start it; PDFBATCH_IMAGE names the one to test (`bench.sh` builds one)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from pdfbatch.demo.pdfs import DEMO
from samples.many import long_pdf, many_pdfs
from tests.program import NO_ACCOUNT

IMAGE = os.environ.get("PDFBATCH_IMAGE", "")
PAGES = 100
DRAIN_SECONDS = 100


def docker(*arguments: str, good_codes: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode in good_codes, done.stderr
    return done.stdout


def daemon_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not IMAGE, reason="PDFBATCH_IMAGE names no image"),
    pytest.mark.skipif(bool(IMAGE) and not daemon_answers(), reason="no Docker daemon answers"),
]


def inside(program: str, *arguments: str) -> str:
    """What a program in the image prints, without network."""
    return docker("run", "--rm", "--network", "none", "--entrypoint", program, IMAGE, *arguments)


def python(code: str) -> str:
    return inside("python", "-c", code).strip()


@pytest.fixture
def pdfs(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Iterator[Path]:
    """A folder that anybody may write to; emptied by root at the end, for what is in it is not the test's to remove."""
    folder = tmp_path / "out"
    folder.mkdir()
    folder.chmod(0o777)
    yield folder
    empty = ["--user", "0", "--volume", f"{folder}:/out", "--entrypoint", "find"]
    docker("run", "--rm", *empty, IMAGE, "/out", "-mindepth", "1", "-delete")


@pytest.fixture
def torch_inside() -> None:
    if python("import importlib.util as u; print(u.find_spec('torch'))") == "None":
        pytest.skip("an image without torch (ENGINE=cpu)")


@pytest.fixture
def name() -> Iterator[str]:
    """The name of a container; whatever becomes of it, it is removed."""
    name = f"pdfbatch-test-{uuid.uuid4().hex[:12]}"
    yield name
    docker("rm", "--force", name, good_codes=(0, 1))


def folders(pdfs: Path, out: Path) -> list[str]:
    return ["--network", "none", "--volume", f"{pdfs}:/in:ro", "--volume", f"{out}:/out"]


DOLPHIN = ["local-run", "--engine", "dolphin", "--model", "/model"]
HARDENED = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
HARDENED += ["--tmpfs", "/scratch:mode=1777", "--tmpfs", "/cache:mode=1777"]


@pytest.mark.parametrize(
    "options",
    [[], ["--user", "12345:12345"], HARDENED],
    ids=["as it is", "as a foreign user", "read-only and without capabilities"],
)
def test_a_folder_is_converted_offline_and_nothing_in_it_belongs_to_root(
    pdfs: Path, out: Path, options: list[str]
) -> None:
    samples = [sample for sample in DEMO if sample.outcome == "ok"]
    for sample in samples:
        (pdfs / sample.name).write_bytes(sample.make())
    said = docker("run", "--rm", *folders(pdfs, out), *options, IMAGE, "local-run", "/in", "/out", "--json")
    assert json.loads(said)["documents"]["ok"] == len(samples)
    for sample in samples:
        markdown = " ".join((out / sample.name).with_suffix(".md").read_text().split())
        assert [phrase for phrase in sample.phrases if phrase not in markdown] == []
    assert [path for path in out.rglob("*") if path.stat().st_uid == 0] == []


def test_docker_stop_ends_a_conversion_with_130_and_the_next_start_takes_it_up(
    pdfs: Path, out: Path, name: str
) -> None:
    long_pdf(pdfs / "long.pdf", PAGES)
    docker("run", "--detach", "--name", name, *folders(pdfs, out), IMAGE, "local-run", "/in", "/out")
    wait_for_pages(name)
    docker("stop", "--time", str(DRAIN_SECONDS), name)
    assert docker("inspect", "--format", "{{.State.ExitCode}}", name).strip() == "130"
    assert not (out / "long.md").exists()
    assert list(out.glob(".pdfbatch/*/checkpoints/*/*.json")) != []
    docker("start", name)
    assert docker("wait", name).strip() == "0"
    assert "Resuming run" in subprocess.run(["docker", "logs", name], capture_output=True, text=True).stderr
    markdown = (out / "long.md").read_text()
    assert [page for page in range(1, PAGES + 1) if f"<!-- page {page} -->" not in markdown] == []


def wait_for_pages(name: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        status = subprocess.run(
            ["docker", "exec", name, "pdfbatch", "status", "/out", "--json"], capture_output=True, check=False
        )
        if status.returncode == 0 and json.loads(status.stdout)["pages"]["read"] > 0:
            return
        assert time.monotonic() < deadline, "no page was read"
        time.sleep(0.5)


def test_the_worker_converts_its_slice_of_a_bucket(tmp_path: Path, bucket: str, s3_endpoint: str) -> None:
    client = boto3.client("s3", endpoint_url=s3_endpoint)
    for path in many_pdfs(tmp_path, 5):
        client.upload_file(str(path), bucket, f"in/{path.name}")
    run_worker(
        {
            **{name: value for name, value in NO_ACCOUNT.items() if not name.endswith("_FILE")},
            "AWS_ENDPOINT_URL": s3_endpoint,
            "WORKER_ID": "1",
            "TOTAL_WORKERS": "2",
            "S3_INPUT_BUCKET": bucket,
            "S3_INPUT_PREFIX": "in/",
            "S3_OUTPUT_BUCKET": bucket,
            "S3_OUTPUT_PREFIX": "out/",
            "PDFBATCH_ENGINE": "cpu",
        }
    )
    made = client.list_objects_v2(Bucket=bucket, Prefix="out/doc-")["Contents"]
    assert [entry["Key"] for entry in made] == ["out/doc-00001.md", "out/doc-00003.md"]
    markdown = client.get_object(Bucket=bucket, Key="out/doc-00003.md")["Body"].read().decode()
    assert "Document 3 sheet 1 of 1" in markdown


def run_worker(environment: dict[str, str]) -> None:
    variables = [word for pair in environment.items() for word in ("--env", "=".join(pair))]
    docker("run", "--rm", "--network", "host", *variables, IMAGE)


def test_the_image_runs_as_nobody_in_particular_and_cannot_change_itself() -> None:
    assert python("import os; print(os.geteuid())") == "10001"
    writable = inside("find", "/opt", "/model", "/usr", "-writable", "-not", "-type", "l")
    assert writable == ""


def test_neither_pip_nor_its_settings_are_left() -> None:
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", IMAGE)
    variables = docker("inspect", "--format", "{{json .Config.Env}}", IMAGE)
    assert "PIP_" not in history + variables
    assert python("import importlib.util as u; print(u.find_spec('pip'))") == "None"


def test_the_licence_is_on_the_label() -> None:
    labels = json.loads(docker("inspect", "--format", "{{json .Config.Labels}}", IMAGE))
    assert labels["org.opencontainers.image.licenses"] == "AGPL-3.0-or-later"


def test_every_library_finds_what_it_was_built_for(torch_inside: None) -> None:
    versions = python("import torch, transformers; print(torch.__version__, transformers.__version__)")
    pinned = python("import importlib.metadata as m; print(m.version('torch'), m.version('transformers'))")
    assert versions == pinned


def test_dolphin_reads_with_weights_from_a_mounted_folder(
    tmp_path: Path, pdfs: Path, out: Path, torch_inside: None
) -> None:
    pytest.importorskip("torch", reason="trains a tiny model, see the extra [dolphin]")
    from tests.dolphin.cards import PAGES, make_pdf
    from tests.dolphin.tiny import build

    weights = build(tmp_path / "weights")
    for file in weights.iterdir():
        file.chmod(0o644)
    make_pdf(pdfs / "cards.pdf", PAGES[:1])
    model = ["--volume", f"{weights}:/model:ro"]
    docker("run", "--rm", *folders(pdfs, out), *model, IMAGE, *DOLPHIN, "/in", "/out")
    markdown = (out / "cards.md").read_text()
    assert "Ada Reed and Tom Mill" in markdown
    assert "A wave is counted when it breaks." in markdown
