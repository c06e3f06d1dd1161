"""Records that anything may have happened to: a named error or a sound answer, never a traceback."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from samples.many import many_pdfs
from tests.program import Program, within

KINDS = {
    "the pointer": "current.json",
    "the manifest": "*/manifest.json.gz",
    "the frozen documents": "*/slices/worker-0.jsonl.gz",
    "a heartbeat": "*/workers/worker-0.json",
    "the ledger": "*/ledger/worker-0/*.jsonl",
    "the failures": "*/failures/worker-0-failures.json",
    "a done mark": "*/done/worker-0.json",
    "the fleet's record": "*/fleet.json",
    "the end of the run": "*/completed.json",
}
COMMANDS = (["status"], ["report", "--failures"], ["verify"], ["runs"])


pytestmark = pytest.mark.slow


class Output:
    """The output of a finished run, to be damaged and mended."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._whole = folder / "out", folder / "whole"
        many_pdfs(folder / "in", 2)
        assert within("local-run", folder / "in", self.folder, "--engine", "null").returncode == 0
        shutil.copytree(self.folder, self._whole)

    def record(self, kind: str) -> Path:
        """The file of a record; of one that a local run does not have, where it would be."""
        state = self.folder / ".pdfbatch"
        run = next(path.parent.name for path in state.glob("*/manifest.json.gz"))
        return next(iter(state.glob(KINDS[kind])), state / KINDS[kind].replace("*", run))

    def damage(self, kind: str, data: bytes) -> None:
        shutil.rmtree(self.folder)
        shutil.copytree(self._whole, self.folder)
        self.record(kind).write_bytes(data)

    def whole(self, kind: str) -> bytes:
        path = self._whole / self.record(kind).relative_to(self.folder)
        return path.read_bytes() if path.exists() else b"{}"


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory, no_account: None, loaded_children: None) -> Iterator[Output]:
    yield Output(tmp_path_factory.mktemp("records"))


DEEP = b"[" * 100_000
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode())
ANY = st.binary(max_size=60) | JSON


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=ANY, packed=st.booleans(), cut=st.integers(0, 200), way=st.sampled_from(["new", "cut", "spliced"]))
@example(data=DEEP, packed=True, cut=0, way="new")
@example(data=DEEP, packed=False, cut=0, way="new")
@example(data=b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xff\xff\xff\xff", packed=False, cut=0, way="new")
@example(data=b'{"version":1}', packed=True, cut=0, way="new")
@example(data=b"\n\n", packed=False, cut=20, way="spliced")
def test_a_damaged_record_is_a_named_error_or_does_no_harm(
    output: Output, kind: str, data: bytes, packed: bool, cut: int, way: str
) -> None:
    whole = output.whole(kind)
    made = {"new": data, "cut": whole[:-cut] if cut else whole, "spliced": whole[:cut] + data + whole[cut:]}[way]
    output.damage(kind, gzip.compress(made) if packed else made)
    for command in COMMANDS:
        ended = within(*command, output.folder)  # fails if it ends with anything but an exit code
        assert ended.returncode in (0, 1, 3), (command, ended)
        if ended.returncode == 1 and command != ["verify"]:
            assert ended.stderr.startswith("error: ") and "try: " in ended.stderr, (command, ended)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_over_a_damaged_record_resumes_or_says_what_to_do(output: Output, kind: str, pdfbatch: Program) -> None:
    for data in (b"", b"null", b"\0\1\2", DEEP):
        output.damage(kind, data)
        ended = pdfbatch("local-run", output.folder.parent / "in", output.folder, "--engine", "null")
        assert ended.returncode in (0, 1), ended
        assert ended.returncode == 0 or "try: " in ended.stderr
