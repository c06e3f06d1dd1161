"""Which processors there are: built in, installed with an entry point, or a class by its name. Imports no more than the
processors that are named."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import NamedTuple

from pydantic import BaseModel, ValidationError

from pdfbatch.errors import NotReady, PdfbatchError, UsageError, did_you_mean
from pdfbatch.processors.base import Processor
from pdfbatch.records import OptionValue, ProcessorSpec

GROUP = "pdfbatch.processors"
BUILT_IN = {"analysis": "pdfbatch.processors.analysis:Analysis", "images": "pdfbatch.processors.images:Images"}
_TAKEN = frozenset({"figures"})
"""Folders beside a document's Markdown that are not a processor's."""
_WRITTEN = re.compile(r"(?P<name>[^:,=\s]+(?::[A-Za-z_]\w*)?)(?::(?P<options>[^:=,]+=.*))?", re.DOTALL)
_FOLDER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_HELP = "See docs/processors.md."


class ReadyProcessor(NamedTuple):
    """A processor that can be run here."""

    spec: ProcessorSpec
    target: str
    """`module:Class`."""
    pages_per_task: int

    @property
    def module(self) -> str:
        return self.target.partition(":")[0]


def class_named(written: str) -> str:
    """Returns the `module:Class` that a processor is named as; "" for an installed one."""
    match = _WRITTEN.fullmatch(written.strip())
    return match["name"] if match and ":" in match["name"] else ""


def processors_named(written: Iterable[str]) -> list[ProcessorSpec]:
    """Returns the processors as a person wrote them: `NAME`, `NAME:key=value,key=value`, `module:Class:key=value`, in
    their installed versions, with all their options.

    Raises:
        UsageError: there is no such processor, an option is wrong, or two of them have one folder.
    """
    found = [_spec(text) for text in _joined(written)]
    for number, spec in enumerate(found):
        if spec.folder in {other.folder for other in found[:number]}:
            raise UsageError(
                f"Two of --also write to the folder {spec.folder!r} of each document.", "Name each processor once."
            )
    return found


def ready(specs: Iterable[ProcessorSpec]) -> list[ReadyProcessor]:
    """Returns the processors of a manifest as they are installed here.

    Raises:
        NotReady: one is missing, or has another version.
    """
    return [_ready(spec) for spec in specs]


def _ready(spec: ProcessorSpec) -> ReadyProcessor:
    try:
        target = _target(spec.name)
        found = _loaded(spec.name, target)
        _options(spec.name, found, spec.options)
    except UsageError as error:
        raise NotReady(
            f"This run needs the processor {spec.name!r} in version {spec.version}. {error.message}",
            "Install its package here, or in the worker image. " + _HELP,
        ) from error
    if found.version != spec.version:
        raise NotReady(
            f"This run needs the processor {spec.name!r} in version {spec.version}, and version {found.version} is "
            "installed here.",
            "Install that version, here or in the worker image; or start a new run. " + _HELP,
        )
    found.check_installed()
    return ReadyProcessor(spec, target, found.pages_per_task)


def _joined(written: Iterable[str]) -> list[str]:
    """Puts together what a settings variable divides at its commas: no name has a `=` before its first colon."""
    parts: list[str] = []
    for text in written:
        if parts and "=" in text.partition(":")[0]:
            parts[-1] += f",{text}"
        else:
            parts.append(text.strip())
    return parts


def _spec(written: str) -> ProcessorSpec:
    match = _WRITTEN.fullmatch(written)
    if match is None:
        raise UsageError(
            f"--also {written!r} is not a processor.", "Write NAME, or NAME:key=value,key=value. " + _choices()
        )
    name = match["name"]
    found = _loaded(name, _target(name))
    given = dict(_pair(name, pair) for pair in match["options"].split(",")) if match["options"] else {}
    options = _options(name, found, given)
    spec = ProcessorSpec(name=name, version=found.version, options=options.model_dump(mode="json"))
    if spec.folder in _TAKEN or not _FOLDER.fullmatch(spec.folder):
        raise UsageError(
            f"--also {name}: {spec.folder!r} cannot be the name of its folder.",
            "Give the entry point another name: letters, digits, '.', '_' and '-'.",
        )
    return spec


def _pair(name: str, written: str) -> tuple[str, str]:
    key, equals, value = written.partition("=")
    if not equals:
        raise UsageError(f"--also {name}: {written!r} is not an option.", "Write key=value,key=value without blanks.")
    return key.strip(), value.strip()


def _target(name: str) -> str:
    """Returns the `module:Class` of a processor."""
    if name in BUILT_IN:
        return BUILT_IN[name]
    if class_named(name):
        module = name.partition(":")[0]
        if module in BUILT_IN or _installed(module):
            raise UsageError(
                f"--also {name}: the options of {module} are written key=value.", f"Options: {_option_names(module)}."
            )
        return name
    found = _installed(name)
    if not found:
        raise UsageError(
            f"There is no processor {name!r} here.", f"{did_you_mean(name, _names())} {_choices()}".lstrip()
        )
    if len({each.value for each in found}) > 1:
        where = ", ".join(sorted(each.value for each in found))
        raise UsageError(f"Several packages have a processor {name!r}: {where}.", "Name one as module:Class.")
    return found[0].value


def _installed(name: str = "") -> Sequence[EntryPoint]:
    group = entry_points(group=GROUP)
    return [*(group.select(name=name) if name else group)]


def _names() -> list[str]:
    return sorted({*BUILT_IN, *(each.name for each in _installed())})


def _choices() -> str:
    return f"Processors here: {', '.join(_names())}; a class of your own: module:Class. {_HELP}"


def _option_names(name: str) -> str:
    return ", ".join(_loaded(name, _target(name)).Options.model_fields) or "none"


def _loaded(name: str, target: str) -> type[Processor]:
    module, _, attribute = target.partition(":")
    try:
        found: type[Processor] = getattr(importlib.import_module(module), attribute)
    except PdfbatchError:
        raise
    except Exception as error:
        raise UsageError(
            f"The processor {name!r} cannot be loaded: {type(error).__name__}: {error}.",
            f"Fix {module}, or put it where Python finds it: install it, or PYTHONPATH=FOLDER. {_HELP}",
        ) from error
    is_one = isinstance(found, type) and issubclass(found, Processor) and isinstance(getattr(found, "version", 0), str)
    if not is_one:
        raise UsageError(
            f"{target} is not a processor.",
            f"Derive the class from pdfbatch.processors.Processor, with a version as text. {_HELP}",
        )
    return found


def _options(name: str, found: type[Processor], given: Mapping[str, OptionValue]) -> BaseModel:
    try:
        return found.Options.model_validate(given)
    except ValidationError as error:
        fault = error.errors()[0]
        option = ".".join(map(str, fault["loc"])) or "options"
        names = ", ".join(found.Options.model_fields) or "none"
        if fault["type"] == "extra_forbidden":
            message = f"--also {name} has no option {option!r}."
        elif fault["type"] == "missing":
            message = f"--also {name} needs the option {option}."
        else:
            said = fault["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
            message = f"--also {name}: {option} is {fault['input']!r}; it should be {said}."
        meant = "" if option in found.Options.model_fields else did_you_mean(option, found.Options.model_fields)
        hint = f"{meant} Options of {name}: {names}.".lstrip()
        raise UsageError(message, hint) from error
