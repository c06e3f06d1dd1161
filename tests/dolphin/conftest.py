"""The tiny models, trained once for a session where torch is installed."""

from __future__ import annotations

import fcntl
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from tests.program import Program

from .cards import Grammar
from .local_runs import LocalRun, words

Kind = Grammar | Literal["odd"]
_OTHER: dict[Kind, Kind] = {"1.5": "1.0", "1.0": "odd", "odd": "1.5"}
"""What is trained while another process trains the one that is needed."""


@pytest.fixture(scope="session")
def tiny_model(request: pytest.FixtureRequest) -> Path:
    """A folder with a model that lays out pages as Dolphin 1.5 does."""
    return _built(request.config, "1.5")


@pytest.fixture(scope="session")
def tiny_model_1_0(request: pytest.FixtureRequest) -> Path:
    """A folder with a model that lays out pages as Dolphin 1.0 does."""
    return _built(request.config, "1.0")


@pytest.fixture(scope="session")
def tiny_model_odd(request: pytest.FixtureRequest) -> Path:
    """A folder with a model of odd_cards.py: odd layouts, and digits, tags and CJK as special tokens."""
    return _built(request.config, "odd")


def _built(config: pytest.Config, kind: Kind) -> Path:
    """Kept in pytest's cache under a name made of the sources: trained again when these or torch change.

    While another process trains it, this one trains another.
    """
    reason = "needs torch and transformers, see the extra [dolphin]"
    pytest.importorskip("torch", reason=reason)
    pytest.importorskip("transformers", reason=reason)
    folder = _folder(config, kind)
    if not folder.is_dir() and not _train_once(folder, kind, waits=False):
        _train_once(_folder(config, _OTHER[kind]), _OTHER[kind], waits=False)
        _train_once(folder, kind, waits=True)
    return folder


def _folder(config: pytest.Config, kind: Kind) -> Path:
    import torch
    import transformers

    from . import cards, muon, networks, odd_cards, tiny

    modules = (cards, muon, networks, odd_cards, tiny)
    sources = "".join(Path(str(module.__file__)).read_text() for module in modules)
    sources_key = f"{sources}{torch.__version__}{transformers.__version__}{kind}"
    return Path(config.cache.mkdir("tiny-dolphin")) / hashlib.sha256(sources_key.encode()).hexdigest()[:16]


def _train_once(folder: Path, kind: Kind, waits: bool) -> bool:
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
            made = Path(tempfile.mkdtemp(dir=folder.parent))
            built = tiny.build(made, deck=tiny.ODD) if kind == "odd" else tiny.build(made, kind)
            torch.set_num_threads(threads)
            built.rename(folder)
    return True


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """More threads of torch only get into each other's way with so small a model."""
    torch = pytest.importorskip("torch", reason="needs torch and transformers, see the extra [dolphin]")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def local_run(one_thread: None, pdfbatch: Program) -> LocalRun:
    """Converts within this process, which imports torch once for all tests; some tests use a process of its own."""
    return lambda *given: pdfbatch(*words(*given), "--json")
