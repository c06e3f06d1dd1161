"""What every command takes besides its own options: settings from a file, a profile and variables, `-q` and `-v`."""

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
from pdfbatch.settings import FILE_NAME, Row, Setting, as_written, found_file, read_settings

OURS = ("config", "profile", "quiet", "verbose", "settings")
PLACES = {"input": str, "output": str}
_CONFIG, _PROFILE = "pdfbatch.config", "pdfbatch.profile"
_NO_DEFAULT = frozenset({"model", "places"})
"""`model` is the default of the engines that have one (`default_model`), `places` is `input` and `output`."""

_NO_SETTINGS = frozenset(
    {
        *("places", "json", "jsonl", "all", "failures", "watch", "follow", "boot", "run"),
        *("yes", "delete", "command", "dry_run", "policy", "show_template", "save", "alias", "curve", "against", "for"),
    }
)
"""Options that say what to do or to show this once: they must be typed. No setting answers a question, deletes anything
or runs a program. `--json` has a variable of its own."""
_TYPED_OUTPUT = frozenset({"down"})
"""Commands whose OUTPUT must be typed, because they stop runs."""

_given: ContextVar[Mapping[str, Setting]] = ContextVar("given", default=MappingProxyType({}))
_options: dict[str, Any] = dict(PLACES)
"""Every option of the commands that are imported, by its setting's name, with its type."""
_defaults: dict[str, dict[str, str]] = {}
"""By setting and command: the default as help shows it."""

ConfigFile = Annotated[
    str,
    typer.Option(
        "--config",
        metavar="FILE",
        envvar="PDFBATCH_CONFIG",
        is_eager=True,
        callback=lambda context, value: context.meta.update({_CONFIG: value}) or value,
        help=f"Settings file, or s3://bucket/key. Default: {FILE_NAME} in this folder or one above it.",
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
        help="Use [profile.NAME] of the settings file before its other settings.",
        show_default=False,
        show_envvar=False,
        rich_help_panel="Settings",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show only results and errors.", rich_help_panel="Settings")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show more details.", rich_help_panel="Settings")]


def _apply(context: typer.Context, value: str) -> str:
    """Makes the settings the defaults of the options; a hidden option, the last of the eager ones."""
    if context.info_name == "config":
        _know_all_commands()
    given = settings_given(context.meta.get(_CONFIG, ""), context.meta.get(_PROFILE, ""))
    _given.set(given)
    names = {_key(parameter): parameter for parameter in context.command.params}
    without_places = "places" in names or context.info_name in _TYPED_OUTPUT
    context.default_map = {
        str(names[key].name): [setting.value] if _takes_one_for_many(names[key], setting.value) else setting.value
        for key, setting in given.items()
        if key in names and key not in _NO_DEFAULT and not (key in PLACES and without_places)
    }
    return value


def _key(parameter: Any) -> str:
    """Returns the name of the setting for a parameter of a command: that of its long option."""
    return _named(parameter.opts) or str(parameter.name)


def _named(options: Iterable[str]) -> str:
    long = next((option for option in options if option.startswith("--")), "")
    return long.partition("/")[0].removeprefix("--").replace("-", "_")


def _takes_one_for_many(parameter: Any, value: object) -> bool:
    return bool(getattr(parameter, "multiple", False)) and not isinstance(value, list)


Hidden = Annotated[str, typer.Option("--settings", hidden=True, is_eager=True, callback=_apply)]


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Adds `--config`, `--profile`, `-q` and `-v` to a command, and uses the settings as defaults of its options."""
    own = inspect.signature(command, eval_str=True)
    for parameter in own.parameters.values():
        name = _setting_name(parameter)
        if name not in {*_NO_SETTINGS, *PLACES} and _is_option(parameter):
            _options[name] = _bare(parameter.annotation)
            _defaults.setdefault(name, {})[command.__name__.strip("_").replace("_", "-")] = _default_of(parameter)

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


def _setting_name(parameter: inspect.Parameter) -> str:
    """Returns `_key` of a parameter that Typer has not processed yet: within Annotated, its default is a name too."""
    for info in getattr(parameter.annotation, "__metadata__", ()):
        names = [name for name in (getattr(info, "default", ""), *(getattr(info, "param_decls", ()) or ())) if name]
        if named := _named(name for name in names if isinstance(name, str)):
            return named
    return parameter.name


def _is_option(parameter: inspect.Parameter) -> bool:
    """Whether a parameter is an option, not an argument."""
    infos = getattr(parameter.annotation, "__metadata__", ())
    return not any(isinstance(info, typer.models.ArgumentInfo) for info in infos)


def _default_of(parameter: inspect.Parameter) -> str:
    """Returns a parameter's default as help shows it; "" if there is none."""
    infos = getattr(parameter.annotation, "__metadata__", ())
    shown = next((info.show_default for info in infos if isinstance(info, typer.models.OptionInfo)), True)
    if isinstance(shown, str):
        return shown
    return "" if parameter.default in (None, "") else as_written(parameter.default)


def default_of(name: str) -> str:
    """Returns a setting's default, for each command if they differ; "" if it has none."""
    commands: dict[str, list[str]] = {}
    for command, default in _defaults.get(name, {}).items():
        if default:
            commands.setdefault(default, []).append(command)
    if len(commands) < 2:
        return "".join(commands)
    return "; ".join(f"{', '.join(names)}: {default}" for default, names in commands.items())


def _bare(annotation: Any) -> Any:
    """Returns the type without Typer's annotations."""
    return typing.get_args(annotation)[0] if typing.get_origin(annotation) is Annotated else annotation


def settings_given(config: str, profile: str) -> dict[str, Setting]:
    """Reads the settings in variables, the profile and the file, for all commands."""
    path = found_file(Path.cwd()) if not config else None
    file = config or (str(path) if path else "")
    if file:
        _know_all_commands()
    return read_settings(_options, file, _content(file) if file else b"", profile)


def _know_all_commands() -> None:
    """Imports the commands that this process does not run: a file may set their options."""
    from pdfbatch.cli.app import program

    program()


def _content(file: str) -> bytes:
    try:
        if not file.startswith("s3://"):
            return Path(file).expanduser().read_bytes()
        from pdfbatch.store import open_store

        folder, _, name = file.rpartition("/")
        return open_store(f"{folder}/").get(name)
    except (OSError, PdfbatchError) as error:
        why = str(error).rstrip(".")
        raise UsageError(f"The settings {file} cannot be read: {why}.", "Check --config FILE.") from error


def all_options() -> Iterable[str]:
    """Returns the names of all settings."""
    return sorted(set(_options) - set(OURS))


def source_of(parameter: object) -> str:
    """Returns where the value of a command's parameter came from; "" if it is not from a setting."""
    setting = _given.get().get(_key(parameter)) if parameter else None
    return setting.source if setting else ""


def default_places(typed: list[str] | None, output: str) -> tuple[list[str], str]:
    """Returns INPUT and OUTPUT as typed, or from the settings. A single typed place is INPUT."""
    given = _given.get()
    places = list(typed or [])
    if "output" in given and not output and len(places) < 2:
        output = given["output"].value
    if not places and "input" in given:
        places = [given["input"].value]
    if not places:
        raise UsageError(
            "INPUT and OUTPUT are missing.",
            f"Name the PDFs and a place for the Markdown, or set input and output in {FILE_NAME}.",
        )
    return places, output


def default_model() -> str:
    """Returns the model in the settings, for engines that can use one."""
    setting = _given.get().get("model")
    return str(setting.value) if setting else ""


def config(
    everything: Annotated[
        bool, typer.Option("--all", help="List the other settings too, with their defaults.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")] = False,
) -> None:
    """Show each setting, its value, and where it comes from: a variable, a profile or the file."""
    from pdfbatch.views.settings import settings_json, settings_screen

    given = _given.get()
    names = all_options() if everything or json else sorted(given)
    rows = {name: Row(given.get(name), default_of(name)) for name in names}
    console.finish(settings_json(rows) if json else settings_screen(rows))
