"""onnxruntime sends telemetry unless that is disabled before it is imported."""

import subprocess
import sys
from pathlib import Path

SOCKETS = """
import os
from pdfbatch.documents.reading import warm
warm()
assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
def target(fd):
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return ""
print([target(fd) for fd in os.listdir("/proc/self/fd") if target(fd).startswith("socket:")])
"""


def test_a_reading_process_opens_no_socket() -> None:
    ended = subprocess.run([sys.executable, "-c", SOCKETS], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_the_image_disables_telemetry_too() -> None:
    dockerfile = Path(__file__).parents[2] / "docker" / "Dockerfile"
    assert "ORT_DISABLE_TELEMETRY=1" in dockerfile.read_text()
