"""What reads pages: the protocol, and the engines by name."""

import importlib.util
from pathlib import Path

from pdfbatch.engines.base import Engine
from pdfbatch.engines.cpu import CpuEngine
from pdfbatch.engines.dolphin import AutoEngine, DolphinEngine
from pdfbatch.engines.null import NullEngine
from pdfbatch.errors import UsageError

__all__ = ["ENGINES", "Engine", "default_engine", "engine_named"]

_WITH_MODEL: dict[str, type[DolphinEngine]] = {"dolphin": DolphinEngine, "auto": AutoEngine}
_WITHOUT_MODEL: dict[str, type[CpuEngine] | type[NullEngine]] = {"cpu": CpuEngine, "null": NullEngine}
ENGINES = (*_WITHOUT_MODEL, *_WITH_MODEL)


def default_engine() -> str:
    """The model where there is an NVIDIA GPU and torch to use it, else `cpu`."""
    return "dolphin" if Path("/dev/nvidiactl").exists() and importlib.util.find_spec("torch") else "cpu"


def engine_named(name: str, model: str = "", default_model: str = "") -> Engine:
    """`model`: a Hub id, a folder or an s3:// URL, for the engines that have the choice; "" is the default, or theirs.

    Raises:
        UsageError: there is no such engine, or it has no model.
        NotReady: this installation lacks what the engine needs.
    """
    if name in _WITH_MODEL:
        return _WITH_MODEL[name](model or default_model)
    if name not in _WITHOUT_MODEL:
        raise UsageError(f"There is no engine {name!r}.", f"Engines: {', '.join(ENGINES)}.")
    if model:
        raise UsageError(f"The engine {name!r} has no model to choose.", "--model goes with --engine dolphin or auto.")
    return _WITHOUT_MODEL[name]()
