"""The tiny models, trained once for a session where torch is installed."""

from __future__ import annotations

import fcntl
import hashlib
import tempfile
from pathlib import Path

import pytest

from .cards import Grammar


@pytest.fixture(scope="session")
def tiny_model(request: pytest.FixtureRequest) -> Path:
    """A folder with a model that lays out pages as Dolphin 1.5 does."""
    return _built(request.config, "1.5")


@pytest.fixture(scope="session")
def tiny_model_1_0(request: pytest.FixtureRequest) -> Path:
    """A folder with a model that lays out pages as Dolphin 1.0 does."""
    return _built(request.config, "1.0")


def _built(config: pytest.Config, grammar: Grammar) -> Path:
    """Kept in pytest's cache under a name made of the sources: trained again when these or torch change.

    While another process trains it, this one trains the other grammar's.
    """
    reason = "needs torch and transformers, see the extra [dolphin]"
    pytest.importorskip("torch", reason=reason)
    pytest.importorskip("transformers", reason=reason)
    folder = _folder(config, grammar)
    if not folder.is_dir() and not _train_once(folder, grammar, waits=False):
        other: Grammar = "1.0" if grammar == "1.5" else "1.5"
        _train_once(_folder(config, other), other, waits=False)
        _train_once(folder, grammar, waits=True)
    return folder


def _folder(config: pytest.Config, grammar: Grammar) -> Path:
    import torch
    import transformers

    from . import cards, networks, tiny

    sources = "".join(Path(str(module.__file__)).read_text() for module in (cards, networks, tiny))
    sources_key = f"{sources}{torch.__version__}{transformers.__version__}{grammar}"
    return Path(config.cache.mkdir("tiny-dolphin")) / hashlib.sha256(sources_key.encode()).hexdigest()[:16]


def _train_once(folder: Path, grammar: Grammar, waits: bool) -> bool:
    """Whether the folder is there now: made by this process, or by another before. Not while another makes it, unless
    this one `waits` for it."""
    import torch

    from . import tiny

    with folder.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        if not folder.is_dir():
            threads = torch.get_num_threads()
            torch.set_num_threads(1)  # more only get into each other's way with so small a model
            built = tiny.build(Path(tempfile.mkdtemp(dir=folder.parent)), grammar)
            torch.set_num_threads(threads)
            built.rename(folder)
    return True
