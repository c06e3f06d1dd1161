"""What reads pages: the protocol, and the engines by name."""

from pdfbatch.engines.base import Engine
from pdfbatch.engines.cpu import CpuEngine
from pdfbatch.engines.dolphin import AutoEngine, DolphinEngine
from pdfbatch.engines.null import NullEngine
from pdfbatch.errors import UsageError

__all__ = ["DEFAULT", "ENGINES", "Engine", "engine_named"]

_WITH_MODEL: dict[str, type[DolphinEngine]] = {"dolphin": DolphinEngine, "auto": AutoEngine}
_WITHOUT_MODEL: dict[str, type[CpuEngine] | type[NullEngine]] = {"cpu": CpuEngine, "null": NullEngine}
ENGINES = (*_WITHOUT_MODEL, *_WITH_MODEL)
DEFAULT = "cpu"


def engine_named(name: str, model: str = "") -> Engine:
    """`model`: a Hub id, a folder or an s3:// URL, for the engines that have the choice; "" is their default.

    Raises:
        UsageError: there is no such engine, or it has no model.
        NotReady: this installation lacks what the engine needs.
    """
    if name in _WITH_MODEL:
        return _WITH_MODEL[name](model)
    if name not in _WITHOUT_MODEL:
        raise UsageError(f"There is no engine {name!r}.", f"Engines: {', '.join(ENGINES)}.")
    if model:
        raise UsageError(f"The engine {name!r} has no model to choose.", "--model goes with --engine dolphin or auto.")
    return _WITHOUT_MODEL[name]()
