"""What reads pages: the protocol, and the engines by name."""

import importlib.util
from difflib import get_close_matches
from pathlib import Path

from pdfbatch.engines.base import Engine
from pdfbatch.engines.cpu import CpuEngine
from pdfbatch.engines.dolphin import AutoEngine, DolphinEngine
from pdfbatch.engines.null import NullEngine
from pdfbatch.errors import UsageError

__all__ = ["ENGINES", "Engine", "engine_for", "engine_named", "has_gpu", "no_engine"]

_WITH_MODEL: dict[str, type[DolphinEngine]] = {"dolphin": DolphinEngine, "auto": AutoEngine}
_WITHOUT_MODEL: dict[str, type[CpuEngine] | type[NullEngine]] = {"cpu": CpuEngine, "null": NullEngine}
ENGINES = (*_WITHOUT_MODEL, *_WITH_MODEL)


def no_engine(name: str) -> UsageError:
    """That there is no such engine, and which one may be meant."""
    close = get_close_matches(name, ENGINES, n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    return UsageError(f"There is no engine {name!r}.", f"{hint}Engines: {', '.join(ENGINES)}.")


def has_gpu() -> bool:
    """Whether there is an NVIDIA GPU, and torch to use it. Loads nothing."""
    return Path("/dev/nvidiactl").exists() and importlib.util.find_spec("torch") is not None


def engine_for(asked: str, model: str, gpu: bool) -> str:
    """The engine that reads where `asked` was asked for, "" if none was. Pure.

    Without a GPU `auto` reads by the CPU alone, unless somebody names the `model` that it is to run all the same.
    """
    if not asked:
        return "dolphin" if gpu else "cpu"
    return "cpu" if asked == "auto" and not gpu and not model else asked


def engine_named(name: str, model: str = "", default_model: str = "") -> Engine:
    """`model`: a Hub id, a folder or an s3:// URL, for the engines that have the choice; "" is the default, or theirs.

    Raises:
        UsageError: there is no such engine, or it has no model.
        NotReady: this installation lacks what the engine needs.
    """
    if name in _WITH_MODEL:
        return _WITH_MODEL[name](model or default_model)
    if name not in _WITHOUT_MODEL:
        raise no_engine(name)
    if model:
        raise UsageError(f"The engine {name!r} has no model to choose.", "--model goes with --engine dolphin or auto.")
    return _WITHOUT_MODEL[name]()
