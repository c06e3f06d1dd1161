"""What reads pages. An engine names the task that a child process runs for each page."""

from pdfbatch.engines.base import Engine
from pdfbatch.engines.cpu import CpuEngine
from pdfbatch.engines.null import NullEngine
from pdfbatch.errors import UsageError

__all__ = ["DEFAULT", "ENGINES", "Engine", "engine_named"]

ENGINES: dict[str, type[Engine]] = {"cpu": CpuEngine, "null": NullEngine}
DEFAULT = "cpu"


def engine_named(name: str) -> Engine:
    if name not in ENGINES:
        raise UsageError(f"There is no engine {name!r}.", f"Engines: {', '.join(ENGINES)}.")
    return ENGINES[name]()
