"""Where a model comes from: a folder, S3, the Hub; and the errors if it is not available."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import boto3
import pytest

from pdfbatch.engines.dolphin.source import cache_folder, model_folder, pinned
from pdfbatch.errors import NotReady
from tests.conftest import tell_s3

COMMIT, NEWER_COMMIT = "a" * 40, "b" * 40
FILES = {"config.json": b"{}", "model.safetensors": b"weights" * 1000, "tokenizer.json": b'{"a": 1}'}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PDFBATCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# ── folders ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_folder_is_taken_as_it_is_and_pinned_by_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home" / "mine").mkdir(parents=True)
    (tmp_path / "home" / "mine" / "config.json").write_text("{}")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "home")
    for name in ("~/mine", "./mine", "mine", str(tmp_path / "home" / "mine")):
        assert (model_folder(name) / "config.json").is_file()
        assert pinned(name) == str(tmp_path / "home" / "mine")


@pytest.mark.parametrize("name", ["/no/such/folder", "./nothing", "~/nothing", "~nobody-of-this-name/model"])
def test_a_folder_without_a_model_is_refused_with_a_hint(name: str) -> None:
    with pytest.raises(NotReady) as error:
        model_folder(name)
    assert "nothing" in error.value.message or "no" in error.value.message
    assert error.value.hint


def test_models_are_kept_in_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PDFBATCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "pdfbatch" / "models"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "pdfbatch" / "models"


# ── S3 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def put(s3_endpoint: str, bucket: str) -> Callable[..., str]:
    """Puts files into the bucket; gives back the model's name."""
    client = boto3.client("s3", endpoint_url=s3_endpoint)

    def put_files(files: dict[str, bytes]) -> str:
        for key, content in files.items():
            client.put_object(Bucket=bucket, Key=f"models/d/{key}", Body=content)
        return f"s3://{bucket}/models/d/"

    return put_files


def test_a_model_in_s3_is_fetched_once(put: Callable[..., str], s3_endpoint: str, cache: Path) -> None:
    name = put({**FILES, "onnx/model.onnx": b"not at the top"})
    assert pinned(name) == name
    folder = model_folder(name)
    assert contents(folder) == FILES
    tell_s3(s3_endpoint, "_faults", [{"method": "GET", "key": "config.json", "status": "500 Error", "code": "X"}] * 9)
    assert model_folder(name) == folder
    tell_s3(s3_endpoint, "_faults", [])
    assert list(cache.iterdir()) == [folder]


def test_a_changed_model_is_another_folder(put: Callable[..., str]) -> None:
    old = model_folder(put(FILES))
    new = model_folder(put({"model.safetensors": b"retrained" * 1000}))
    assert new != old
    assert contents(old) == FILES
    assert contents(new) == FILES | {"model.safetensors": b"retrained" * 1000}


@pytest.mark.parametrize(
    "fault",
    [
        {"status": "403 Forbidden", "code": "AccessDenied"},
        {"status": "404 Not Found", "code": "NoSuchKey"},
    ],
)
def test_a_broken_download_leaves_nothing_and_can_be_repeated(
    put: Callable[..., str], s3_endpoint: str, cache: Path, fault: dict[str, str]
) -> None:
    name = put(FILES)
    tell_s3(s3_endpoint, "_faults", [{"method": "GET", "key": "model.safetensors", **fault}])
    with pytest.raises(NotReady) as error:
        model_folder(name)
    assert name in error.value.message
    assert error.value.hint
    assert list(cache.iterdir()) == []
    assert contents(model_folder(name)) == FILES


def test_a_store_without_a_model_is_refused_with_a_hint(put: Callable[..., str], bucket: str) -> None:
    name = put({"readme.txt": b"no model", "deeper/config.json": b"{}"})
    with pytest.raises(NotReady, match=r"holds no config\.json") as error:
        model_folder(name)
    assert error.value.hint
    with pytest.raises(NotReady, match="cannot be read"):
        model_folder(f"s3://{bucket}-that-is-not-there/x/")


def test_a_cache_that_cannot_be_written_is_reported(
    put: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PDFBATCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(NotReady) as error:
        model_folder(put(FILES))
    assert "PDFBATCH_CACHE" in error.value.hint


def _fetch(name: str, start: Any, answers: Any) -> None:
    start.wait()
    answers.put(str(model_folder(name)))


@pytest.mark.slow
def test_processes_that_fetch_at_once_come_to_the_same_whole_folder(put: Callable[..., str], cache: Path) -> None:
    name = put({**FILES, "model.safetensors": b"weights" * 200_000})
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(3), context.SimpleQueue()
    workers = [context.Process(target=_fetch, args=(name, start, answers)) for _ in range(3)]
    for worker in workers:
        worker.start()
    found = {answers.get() for _ in workers}
    for worker in workers:
        worker.join()
    assert len(found) == 1
    assert [str(path) for path in cache.iterdir()] == list(found)
    assert len(contents(Path(found.pop()))["model.safetensors"]) == 7 * 200_000


# ── the Hub ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Hub(BaseHTTPRequestHandler):
    """A Hub that knows one model, at two commits; `refusing` makes it answer with that status alone."""

    refusing: ClassVar[int] = 0
    head: ClassVar[str] = COMMIT
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        Hub.asked.append(path)
        if self.refusing:
            self._answer(self.refusing, b"{}")
        elif path.startswith("/api/models/some/model/revision/"):
            self._answer(200, json.dumps(self._info(path.rsplit("/", 1)[1])).encode())
        elif path.startswith("/api/models/some/model/tree/"):
            files = [{"type": "file", "path": name, "size": len(held), "oid": name} for name, held in FILES.items()]
            self._answer(
                200, json.dumps([*files, {"type": "file", "path": "model.bin", "size": 1, "oid": "x"}]).encode()
            )
        elif path.startswith("/some/model/resolve/") and path.rsplit("/", 1)[1] in FILES:
            revision, name = path.split("/")[4:]
            self._answer(200, FILES[name], {"X-Repo-Commit": revision, "ETag": f'"{revision}-{name}"'})
        else:
            self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    do_HEAD = do_GET

    def _info(self, revision: str) -> dict[str, Any]:
        siblings = [{"rfilename": name} for name in [*FILES, "model.bin"]]
        sha = self.head if revision == "main" else revision
        return {"_id": "1", "id": "some/model", "modelId": "some/model", "sha": sha, "siblings": siblings, "tags": []}

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[Hub]]:
    """On loopback; processes that are started meanwhile ask it, with an empty cache of their own."""
    pytest.importorskip("huggingface_hub", reason="needs torch and transformers, see the extra [dolphin]")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in [name for name in os.environ if name.startswith("HF_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    Hub.refusing, Hub.head, Hub.asked = 0, COMMIT, []
    yield Hub
    server.shutdown()
    server.server_close()


_CALLS = """
import json, sys
from pdfbatch.engines.dolphin import source
from pdfbatch.errors import NotReady
for call, name in json.loads(sys.argv[1]):
    try:
        print(json.dumps(["ok", str(getattr(source, call)(name))]))
    except NotReady as error:
        print(json.dumps([error.message, error.hint]))
"""


def called(*calls: tuple[str, str], **environment: str) -> list[list[str]]:
    """What these calls of the module gave in a new process: huggingface_hub reads its environment when imported."""
    done = subprocess.run(
        [sys.executable, "-c", _CALLS, json.dumps(calls)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_a_models_name_is_pinned_to_the_commit_that_it_stands_for(hub: type[Hub]) -> None:
    named = [f"some/model@{COMMIT}", f"some/model@{NEWER_COMMIT}"]
    assert called(("pinned", "some/model"), ("pinned", "some/model@main")) == [["ok", named[0]]] * 2
    hub.head = NEWER_COMMIT
    asked = len(hub.asked)
    assert called(("pinned", named[0])) == [["ok", named[0]]]
    assert len(hub.asked) == asked
    assert called(("pinned", "some/model")) == [["ok", named[1]]]


@pytest.mark.slow
def test_a_pinned_model_is_fetched_at_its_commit_and_found_again_without_a_network(hub: type[Hub]) -> None:
    hub.head = NEWER_COMMIT
    name = f"some/model@{COMMIT}"
    [[said, folder]] = called(("model_folder", name))
    assert said == "ok"
    assert contents(Path(folder)) == FILES
    assert not [path for path in hub.asked if "resolve" in path and COMMIT not in path]
    assert called(("model_folder", name), HF_HUB_OFFLINE="1") == [["ok", folder]]
    hub.refusing = 500
    assert called(("model_folder", name), ("pinned", name)) == [["ok", folder], ["ok", name]]


def test_without_a_network_a_name_is_pinned_to_the_commit_that_was_fetched(hub: type[Hub]) -> None:
    called(("model_folder", "some/model"))
    assert called(("pinned", "some/model"), HF_HUB_OFFLINE="1") == [["ok", f"some/model@{COMMIT}"]]


@pytest.mark.parametrize(
    ("name", "refusing", "environment"),
    [
        ("some/other", 0, {}),
        ("some/model", 500, {}),
        ("some/model", 401, {}),
        ("some/model", 0, {"HF_HUB_OFFLINE": "1"}),
        ("some/model", 0, {"HF_ENDPOINT": "http://127.0.0.1:9"}),
        ("not a name/at/all", 0, {}),
    ],
)
def test_an_unavailable_model_is_reported_with_what_to_try(
    hub: type[Hub], name: str, refusing: int, environment: dict[str, str]
) -> None:
    hub.refusing = refusing
    for message, hint in called(("pinned", name), ("model_folder", name), **environment):
        assert name in message
        assert "--model" in hint
