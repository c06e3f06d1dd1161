"""The layers of pdfbatch: imports only go down, wings never meet, each third-party library has one owner."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pdfbatch"

# From bottom to top; packages of one floor may import one another unless they are wings.
FLOORS = [
    {"errors", "records", "paragraphs", "visible"},
    {"markdown", "assembly", "demo", "languages"},
    {"config", "settings", "aws", "secret_text", "http_pools"},
    {"store", "documents"},
    {"runs", "engines", "processors"},
    {"worker", "fleet", "export", "delivery", "triage"},
    {"views", "web"},
    {"cli"},
    {"__main__"},
]
WINGS = {"worker", "fleet", "export", "delivery", "triage"}
DOCUMENT_FLOORS = [{"pdf", "sandbox", "judgement"}, {"textlayer"}, {"layout", "ocr"}, {"sight"}]
"""Floors inside documents/; its other modules are above them all."""
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def room_of(path: Path, package: Path) -> str:
    return path.relative_to(package).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Yields the packages that a module imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "pdfbatch":
            names = [f"pdfbatch.{alias.name}" for alias in node.names if alias.name != "__version__"]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        for name in names:
            if name.startswith("pdfbatch."):
                yield name.split(".")[1]


def faults(package: Path) -> list[str]:
    """Lists violations, one line each."""
    found = []
    for path in sorted(package.rglob("*.py")):
        room = room_of(path, package)
        if room == "__init__":
            continue
        if room not in FLOOR_OF:
            found.append(f"{path.name}: {room} has no floor; give it one in FLOORS")
            continue
        for other in imports(path):
            if other not in FLOOR_OF:
                found.append(f"{path.name}: imports {other}, which has no floor")
            elif FLOOR_OF[other] > FLOOR_OF[room]:
                found.append(f"{path.name}: {room} looks up to {other}")
            elif other != room and {other, room} <= WINGS:
                found.append(f"{path.name}: the wings {room} and {other} meet")
    return found


def test_imports_go_strictly_down() -> None:
    assert faults(PACKAGE) == []


def test_imports_inside_documents_go_down() -> None:
    floor_of = {room: number for number, rooms in enumerate(DOCUMENT_FLOORS) for room in rooms}
    looks_up = [
        f"{path.name}: {room} looks up to {other}"
        for path in (PACKAGE / "documents").rglob("*.py")
        if (room := room_of(path, PACKAGE / "documents")) in floor_of
        for other in document_rooms(path)
        if floor_of.get(other, len(DOCUMENT_FLOORS)) > floor_of[room]
    ]
    assert looks_up == []


def document_rooms(path: Path) -> Iterator[str]:
    """Yields the packages of documents/ that a module imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pdfbatch.documents."):
            yield (node.module or "").split(".")[2]


@pytest.mark.parametrize(
    ("room", "line", "fault"),
    [
        ("store/s3.py", "from pdfbatch.worker import loop", "store looks up to worker"),
        ("records.py", "def f():\n    import pdfbatch.aws", "records looks up to aws"),
        ("fleet/plan.py", "from pdfbatch.worker.loop import Job", "the wings fleet and worker meet"),
        ("cellar.py", "", "cellar has no floor"),
        ("cli.py", "from pdfbatch import cellar", "imports cellar, which has no floor"),
    ],
)
def test_a_violation_is_found(tmp_path: Path, room: str, line: str, fault: str) -> None:
    (tmp_path / room).parent.mkdir(exist_ok=True)
    (tmp_path / room).write_text(line + "\n")
    assert fault in "\n".join(faults(tmp_path))


@pytest.mark.parametrize(
    ("room", "line", "rule"),
    [
        ("pdfbatch/worker/loop.py", "import boto3", "TID251"),
        ("pdfbatch/store/s3.py", "from botocore.exceptions import ClientError", "TID251"),
        ("pdfbatch/runs/verify.py", "import pymupdf", "TID251"),
        ("pdfbatch/engines/cpu.py", "from rapidocr import RapidOCR", "TID251"),
        ("pdfbatch/runs/report.py", "import rich.table", "TID251"),
        ("pdfbatch/worker/loop.py", "import typer", "TID251"),
        ("pdfbatch/engines/cpu.py", "def f():\n    import torch", "TID251"),
        ("pdfbatch/engines/dolphin/model.py", "import torch", "TID253"),
        ("pdfbatch/export/dolma.py", "import zstandard", "TID251"),
        ("pdfbatch/runs/report.py", "import pyarrow", "TID251"),
        ("pdfbatch/delivery/sns.py", "import urllib3", "TID251"),
        ("pdfbatch/delivery/courier.py", "import confluent_kafka", "TID251"),
        ("pdfbatch/triage/curve.py", "import mlflow", "TID251"),
        ("pdfbatch/runs/scores.py", "import sklearn", "TID251"),
        ("pdfbatch/runs/report.py", "print(1)", "T201"),
    ],
)
def test_the_linter_rejects_a_second_owner(room: str, line: str, rule: str) -> None:
    checked = _ruff(room, line)
    assert rule in checked.stdout


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("pdfbatch/aws/__init__.py", "import boto3\n\nprinted = boto3"),
        ("pdfbatch/documents/judge.py", "import pymupdf\n\nused = pymupdf"),
        ("pdfbatch/engines/dolphin/model.py", "def f():\n    import torch\n\n    return torch"),
    ],
)
def test_the_linter_accepts_the_owner(room: str, line: str) -> None:
    assert _ruff(room, line + "\n").returncode == 0


def test_pymupdf_is_imported_only_where_its_threads_are_set_first() -> None:
    importers = {
        path.name
        for path in (PACKAGE / "documents").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "pymupdf" for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "pymupdf")
    }
    assert importers == {"mupdf.py"}


def _ruff(room: str, line: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "ruff", "check", "--output-format=concise", "--stdin-filename", room, "-"]
    return subprocess.run(command, input=line, cwd=ROOT, capture_output=True, text=True)


def test_the_command_line_loads_no_heavy_library() -> None:
    code = "import sys, pdfbatch.cli; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {
        "torch",
        "transformers",
        "pymupdf",
        "onnxruntime",
        "rapidocr",
        "numpy",
        "boto3",
        "pebble",
        "pyarrow",
        "urllib3",
        "confluent_kafka",
        "mlflow",
        "sklearn",
    } & set(loaded)
