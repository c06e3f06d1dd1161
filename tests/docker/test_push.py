"""`make push` puts the image where `launch` looks for it. Docker is a stub that notes what it hears."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pdfbatch.fleet.aws_queries import newest_image
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.names import Names
from tests.fleet.conftest import ROOT, Account, account, aws_server

__all__ = ["account", "aws_server"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("make") is None, reason="no make here"),
    pytest.mark.skipif(not (ROOT / ".venv" / ".user").exists(), reason="the Makefile's environment is not there"),
]
DOCKER = """#!/bin/sh
case $1 in
  image) echo "${ARCHITECTURE:-amd64}" ;;
  login) echo "$@" >>"$NOTES"; cat >>"$NOTES" ;;
  *) echo "$@" >>"$NOTES" ;;
esac
"""


def push(tmp_path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    docker = tmp_path / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "NOTES": str(tmp_path / "notes")}
    command = ["make", "--old-file=.venv/.user", "push", *more]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)


def test_the_image_goes_where_launch_looks_for_it(account: Account, tmp_path: Path) -> None:
    account.ready()
    pushed = push(tmp_path, "IMAGE=mine")
    assert pushed.returncode == 0, pushed.stderr
    repository = newest_image(Clients(), Names()).partition("@")[0]
    notes = (tmp_path / "notes").read_text().splitlines()
    assert notes[0] == f"login --username AWS --password-stdin {repository.partition('/')[0]}"
    assert f"tag mine {repository}:latest" in notes and notes[-1] == f"push {repository}:latest"


def test_an_image_for_another_processor_is_not_pushed(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.ready()
    monkeypatch.setenv("ARCHITECTURE", "arm64")
    pushed = push(tmp_path)
    assert pushed.returncode != 0 and "DOCKER_DEFAULT_PLATFORM=linux/amd64" in pushed.stdout
    assert not (tmp_path / "notes").exists()


def test_without_a_repository_nothing_is_pushed(account: Account, tmp_path: Path) -> None:
    pushed = push(tmp_path)
    assert pushed.returncode != 0 and "RepositoryNotFound" in pushed.stderr
    assert not (tmp_path / "notes").exists()
