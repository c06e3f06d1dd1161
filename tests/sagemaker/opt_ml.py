"""The /opt/ml of a host, as SageMaker makes it, in a folder of the test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def make(root: Path, request: Mapping[str, Any], host: int = 1, hosts: int = 1) -> Path:
    """Writes the two files of host number `host`, from 1, of a job with this request."""
    config = root / "config"
    config.mkdir(parents=True)
    names = [f"algo-{number}" for number in range(1, hosts + 1)]
    (config / "resourceconfig.json").write_text(json.dumps({"current_host": f"algo-{host}", "hosts": names}))
    (config / "processingjobconfig.json").write_text(json.dumps(request))
    return root


def started(tree: Path, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """Starts the image's entry point on this host, as SageMaker runs `ContainerArguments`."""
    command = [sys.executable, "-m", "pdfbatch", "processing-job"]
    variables = {**os.environ, **environment, "PDFBATCH_OPT_ML": str(tree)}
    return subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def message(tree: Path) -> str:
    """What the host left; that it is UTF-8 is part of every test."""
    return (tree / "output/message").read_text("utf-8")
