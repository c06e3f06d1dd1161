"""Engines, which read pages: the protocol, and the engines by name."""

import importlib.util

from pdfbatch.engines.base import Engine
from pdfbatch.engines.command import CommandEngine
from pdfbatch.engines.cpu import CpuEngine
from pdfbatch.engines.dolphin import AutoEngine, DolphinEngine
from pdfbatch.engines.dolphin.device import gpu_system
from pdfbatch.engines.endpoint import EndpointEngine
from pdfbatch.engines.fallback import FallbackEngine
from pdfbatch.engines.null import NullEngine
from pdfbatch.errors import UsageError, did_you_mean
from pdfbatch.records import ReadOptions

__all__ = ["ENGINES", "CommandEngine", "Engine", "check_triage", "engine_for", "engine_named", "has_gpu", "no_engine"]

_WITH_MODEL: dict[str, type[DolphinEngine]] = {"dolphin": DolphinEngine, "auto": AutoEngine}
_WITHOUT_MODEL: dict[str, type[CpuEngine] | type[NullEngine] | type[CommandEngine]] = {
    "cpu": CpuEngine,
    "null": NullEngine,
    "command": CommandEngine,
}
ENGINES = (*_WITHOUT_MODEL, *_WITH_MODEL, EndpointEngine.name)
_WITH_FALLBACK = ("cpu", *_WITH_MODEL)


def no_engine(name: str) -> UsageError:
    """Returns the error for an unknown engine, with a suggestion if one is similar."""
    hint = f"{did_you_mean(name, ENGINES)} Engines: {', '.join(ENGINES)}."
    return UsageError(f"Unknown engine {name!r}.", hint.lstrip())


def has_gpu() -> bool:
    """Whether there is an NVIDIA GPU to be used, and torch. Imports nothing."""
    system = gpu_system()
    return system.is_present and not system.wants_cpu and importlib.util.find_spec("torch") is not None


def engine_for(asked: str, model: str, gpu: bool) -> str:
    """Returns the engine to use if `asked` was requested ("": none was). Pure.

    Without a GPU, `auto` uses the CPU alone, unless a `model` is given explicitly.
    """
    if not asked:
        return "dolphin" if gpu else "cpu"
    return "cpu" if asked == "auto" and not gpu and not model else asked


def check_triage(name: str, options: ReadOptions) -> None:
    """Checks that an engine has pages to share out, if a triage is to do that.

    Raises:
        UsageError: it has none.
    """
    if options.triage and not (name == AutoEngine.name or (name == "cpu" and options.fallback)):
        raise UsageError(
            f"The engine {name!r} has no pages to sort: --triage decides which ones a model reads, and which not.",
            "Use --engine auto with a GPU or --model, or --engine cpu with --fallback endpoint.",
        )


def engine_named(
    name: str,
    model: str = "",
    default_model: str = "",
    options: ReadOptions = ReadOptions(),  # noqa: B008  # frozen
    endpoint_key: str = "",
) -> Engine:
    """Returns the engine of that name, with the fallback that the options name.

    `model`: a Hub id, a folder or an s3:// URL for an engine that runs a model; "" means `default_model`, or the
    engine's own default. `endpoint_key`: the secret for the endpoint in the options.

    Raises:
        UsageError: the engine is unknown, or does not use a model, a fallback or an endpoint as it was asked to.
        NotReady: this installation lacks a requirement of the engine.
    """
    check_triage(name, options)
    first = _first(name, model, default_model, options, endpoint_key)
    if not options.fallback:
        return first
    if name not in _WITH_FALLBACK:
        raise UsageError(
            f"The engine {name!r} has no fallback.", f"Use --fallback with --engine {' or '.join(_WITH_FALLBACK)}."
        )
    return FallbackEngine(first, EndpointEngine(options.endpoint, endpoint_key))


def _first(name: str, model: str, default_model: str, options: ReadOptions, endpoint_key: str) -> Engine:
    if name in _WITH_MODEL:
        return _WITH_MODEL[name](model or default_model)
    if name == EndpointEngine.name:
        if model and (options.endpoint is None or model != options.endpoint.model):
            raise UsageError("--model is Dolphin's.", "Name the endpoint's model with --endpoint-model.")
        return EndpointEngine(options.endpoint, endpoint_key)
    if name not in _WITHOUT_MODEL:
        raise no_engine(name)
    if model:
        raise UsageError(f"The engine {name!r} does not use a model.", "Use --model with --engine dolphin or auto.")
    return _WITHOUT_MODEL[name]()
