"""Where a model's files come from: a local folder, a folder in S3, or the Hugging Face Hub at a pinned revision."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import urllib.request
from pathlib import Path
from urllib.parse import quote

from pdfbatch.errors import NotFound, NotReady, PdfbatchError, StoreError
from pdfbatch.store import Entry, Store, open_store

DEFAULT_MODEL = "ByteDance/Dolphin-1.5"
_HUB_SECONDS = 10.0
_FILES = ["*.json", "*.safetensors", "*.model", "*.txt"]


def pinned(name: str) -> str:
    """Pins a model's name for the manifest, so that every worker, today and next week, uses the same weights:
    a Hub id gets the commit it stands for now (`ID@COMMIT`), a folder its absolute path; `s3://` stays.

    Raises:
        NotReady: there is no model, or the Hub does not answer.
    """
    if name.startswith("s3://"):
        _listed(name)
        return name
    if _is_folder(name):
        return str(_local(name).resolve())
    model, _, revision = name.partition("@")
    if _is_commit(revision):
        return name
    return f"{model}@{_commit_of(model, revision or 'main')}"


def model_folder(name: str) -> Path:
    """The local folder with the model's files, downloaded first if necessary.

    Raises:
        NotReady: the model is not available; the hint says what to try.
    """
    if name.startswith("s3://"):
        return _from_store(name)
    return _local(name) if _is_folder(name) else _from_hub(name)


def cache_folder() -> Path:
    """The folder where models from S3 are cached: `PDFBATCH_CACHE`, else the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("PDFBATCH_CACHE") or f"{home}/pdfbatch").expanduser() / "models"


def _is_folder(name: str) -> bool:
    return name.startswith((".", "/", "~")) or Path(name).is_dir()


def _local(name: str) -> Path:
    try:
        folder = Path(name).expanduser()
    except RuntimeError as error:  # "~user" with a user that does not exist here
        raise NotReady(f"There is no folder {name}: {error}", "Pass the model's own folder.") from error
    if not (folder / "config.json").is_file():
        raise _no_config(str(folder))
    return folder


def _is_commit(revision: str) -> bool:
    return len(revision) == 40 and all(digit in "0123456789abcdef" for digit in revision)


def _from_store(url: str) -> Path:
    """Downloads a model into a folder named after its contents (keys, sizes, ETags)), so a changed model is new."""
    store, entries = _listed(url)
    contents = "\n".join(f"{entry.key} {entry.size} {entry.etag}" for entry in entries)
    folder = cache_folder() / hashlib.sha256(f"{url}\n{contents}".encode()).hexdigest()[:24]
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        coming = Path(tempfile.mkdtemp(dir=folder.parent, prefix="coming-"))
    except OSError as error:
        raise NotReady(f"The model {url} cannot be stored: {error}", "Set PDFBATCH_CACHE to a folder.") from error
    try:
        for entry in entries:
            store.fetch(entry.key, coming / entry.key)
        if _entries(store) != entries:
            raise _changed(url)
        coming.rename(folder)
    except NotFound as error:
        raise _changed(url) from error
    except StoreError as error:
        raise NotReady(f"The model {url} cannot be downloaded: {error.message}", error.hint) from error
    except OSError:
        if not folder.is_dir():  # otherwise another process was first
            raise
    finally:
        shutil.rmtree(coming, ignore_errors=True)
    return folder


def _listed(url: str) -> tuple[Store, list[Entry]]:
    try:
        store = open_store(url)
        entries = _entries(store)
    except PdfbatchError as error:
        raise NotReady(f"The model {url} cannot be read: {error.message}", error.hint) from error
    if "config.json" not in {entry.key for entry in entries}:
        raise _no_config(url)
    return store, entries


def _no_config(place: str) -> NotReady:
    return NotReady(f"There is no model in {place}: it holds no config.json.", "Pass the model's own folder.")


def _entries(store: Store) -> list[Entry]:
    return sorted(entry for entry in store.list() if "/" not in entry.key)


def _changed(url: str) -> NotReady:
    return NotReady(f"The model {url} changed during the download.", "Start the command again.")


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download

    model, _, revision = name.partition("@")
    try:
        return Path(snapshot_download(model, revision=revision or None, allow_patterns=_FILES))
    except Exception as error:
        raise _no_model(name, error) from error


def _commit_of(model: str, revision: str) -> str:
    try:
        from huggingface_hub import HfApi, snapshot_download
    except ModuleNotFoundError:
        return _commit_by_web(model, revision)
    try:
        return str(HfApi().model_info(model, revision=revision).sha)
    except Exception as error:
        try:  # what is in the cache already is named by its commit
            kept = snapshot_download(model, revision=revision, allow_patterns=_FILES, local_files_only=True)
            return Path(kept).name
        except Exception:
            raise _no_model(f"{model}@{revision}", error) from error


def _commit_by_web(model: str, revision: str) -> str:
    """The commit of a revision, for a laptop that only launches, without huggingface_hub. Source: Hub API,
    `/api/models/ID/revision/REVISION`."""
    hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    address = f"{hub}/api/models/{quote(model)}/revision/{quote(revision, safe='')}"
    try:
        with urllib.request.urlopen(address, timeout=_HUB_SECONDS) as answer:
            return str(json.load(answer)["sha"])
    except (OSError, ValueError, KeyError) as error:
        raise _no_model(f"{model}@{revision}", error) from error


def _no_model(name: str, error: Exception) -> NotReady:
    return NotReady(
        f"The model {name} could not be downloaded from the Hugging Face Hub ({type(error).__name__}).",
        "Check the name and network, or set --model to a folder or s3://bucket/folder/ with the model's files.",
    )
