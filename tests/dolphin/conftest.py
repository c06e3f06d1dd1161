"""The tiny models, trained once for a session where torch is installed."""

from __future__ import annotations

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
    """Kept in pytest's cache under a name made of the sources: trained again when these or torch change."""
    reason = "needs torch and transformers, see the extra [dolphin]"
    torch = pytest.importorskip("torch", reason=reason)
    transformers = pytest.importorskip("transformers", reason=reason)
    from . import cards, networks, tiny

    sources = "".join(Path(str(module.__file__)).read_text() for module in (cards, networks, tiny))
    told = f"{sources}{torch.__version__}{transformers.__version__}{grammar}"
    folder = Path(config.cache.mkdir("tiny-dolphin")) / hashlib.sha256(told.encode()).hexdigest()[:16]
    if not folder.is_dir():
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # more only get into each other's way with so small a model
        built = tiny.build(Path(tempfile.mkdtemp(dir=folder.parent)), grammar)
        torch.set_num_threads(threads)
        built.rename(folder)
    return folder
