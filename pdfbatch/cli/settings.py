"""What every command takes besides its own options: settings from file, profile and variables, `-q` and `-v`."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import typer

from pdfbatch.cli import console
from pdfbatch.errors import PdfbatchError, UsageError
from pdfbatch.settings import FILE_NAME, Setting, found_file, read_settings

OURS = ("config", "profile", "quiet", "verbose", "settings")
PLACES = {"input": str, "output": str}
_CONFIG, _PROFILE = "pdfbatch.config", "pdfbatch.profile"
_NO_DEFAULT = frozenset({"model", "places"})
"""`model` is the default of the engines that have one (`default_model`), `places` is `input` and `output`."""

_OWN_VARIABLE = frozenset({"places", "json", "delete"})
"""Options that are no settings; `--json` has its variable by itself, and nothing is deleted unasked."""
_TYPED_OUTPUT = frozenset({"down"})
"""Commands whose OUTPUT must be typed: they end what runs there."""

_given: ContextVar[Mapping[str, Setting]] = ContextVar("given", default=MappingProxyType({}))
_options: dict[str, Any] = dict(PLACES)
"""Every option of every command by name, with its type."""

ConfigFile = Annotated[
    str,
    typer.Option(
        "--config",
        metavar="FILE",
        envvar="PDFBATCH_CONFIG",
        is_eager=True,
        callback=lambda context, value: context.meta.update({_CONFIG: value}) or value,
        help=f"Settings: a file, or s3://bucket/key. {FILE_NAME} is found here or in a folder above.",
        show_default=False,
        show_envvar=False,
        rich_help_panel="Settings",
    ),
]
Profile = Annotated[
    str,
    typer.Option(
        "--profile",
        metavar="NAME",
        envvar="PDFBATCH_PROFILE",
        is_eager=True,
        callback=lambda context, value: context.meta.update({_PROFILE: value}) or value,
        help="Settings of [profile.NAME] in the file, before the others.",
        show_default=False,
        show_envvar=False,
        rich_help_panel="Settings",
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Show results and errors alone.", rich_help_panel="Settings")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show details.", rich_help_panel="Settings")]


def _apply(context: typer.Context, value: str) -> str:
    """The last of the eager options, never typed: makes the settings the defaults of the options that follow."""
    given = settings_given(context.meta.get(_CONFIG, ""), context.meta.get(_PROFILE, ""))
    _given.set(given)
    names = {parameter.name for parameter in context.command.params}
    without_places = "places" in names or context.info_name in _TYPED_OUTPUT
    context.default_map = {
        name: setting.value
        for name, setting in given.items()
        if name in names - _NO_DEFAULT and not (name in PLACES and without_places)
    }
    return value


Hidden = Annotated[str, typer.Option("--settings", hidden=True, is_eager=True, callback=_apply)]


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """The command with `--config`, `--profile`, `-q` and `-v`, and the settings as defaults of its options."""
    own = inspect.signature(command, eval_str=True)
    _options.update(
        {name: _bare(kind.annotation) for name, kind in own.parameters.items() if name not in _OWN_VARIABLE}
    )

    @functools.wraps(command)
    def run(*, quiet: bool, verbose: bool, **options: Any) -> None:
        console.set_verbosity(quiet=quiet, verbose=verbose)
        command(**{name: value for name, value in options.items() if name not in OURS})

    kinds = {"config": ConfigFile, "profile": Profile, "settings": Hidden, "quiet": Quiet, "verbose": Verbose}
    defaults = {"quiet": False, "verbose": False}
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own.parameters.values()]
    parameters += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(name, ""), annotation=kind)
        for name, kind in kinds.items()
    ]
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]  # PEP 362
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _bare(annotation: Any) -> Any:
    """The type itself, without what Typer wants to know and without None."""
    return typing.get_args(annotation)[0] if typing.get_origin(annotation) is Annotated else annotation


def settings_given(config: str, profile: str) -> dict[str, Setting]:
    """What variables, the profile and the file give for any option of any command."""
    path = found_file(Path.cwd()) if not config else None
    file = config or (str(path) if path else "")
    return read_settings(_options, file, _content(file) if file else b"", profile)


def _content(file: str) -> bytes:
    try:
        if not file.startswith("s3://"):
            return Path(file).expanduser().read_bytes()
        from pdfbatch.store import open_store

        folder, _, name = file.rpartition("/")
        return open_store(f"{folder}/").get(name)
    except (OSError, PdfbatchError) as error:
        raise UsageError(f"The settings {file} cannot be read: {error}.", "Check --config FILE.") from error


def all_options() -> Iterable[str]:
    """The names of all settings there are."""
    return sorted(set(_options) - set(OURS))


def source_of(name: str) -> str:
    """Where an option's value came from that nobody typed; "" if it is no setting."""
    setting = _given.get().get(name)
    return setting.source if setting else ""


def default_places(typed: list[str] | None, output: str) -> tuple[list[str], str]:
    """INPUT and OUTPUT as typed; what is missing from the settings. With a single place typed it is INPUT."""
    given = _given.get()
    places = list(typed or [])
    if "output" in given and not output and len(places) < 2:
        output = given["output"].value
    if not places and "input" in given:
        places = [given["input"].value]
    if not places:
        raise UsageError(
            "Missing argument 'INPUT... OUTPUT'.",
            f"Name the PDFs and where the Markdown goes, or set input and output in {FILE_NAME}.",
        )
    return places, output


def default_model() -> str:
    """The model that the settings name, for engines that have the choice."""
    setting = _given.get().get("model")
    return str(setting.value) if setting else ""


def config(
    everything: Annotated[bool, typer.Option("--all", help="Also the settings that are not given.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")] = False,
) -> None:
    """Show each setting, its value, and where it comes from: a variable, a profile, the file."""
    from pdfbatch.views.settings import settings_json, settings_screen

    given = _given.get()
    names = all_options() if everything or json else sorted(given)
    rows = {name: given.get(name) for name in names}
    console.finish(settings_json(rows) if json else settings_screen(rows))
