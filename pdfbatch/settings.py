"""Settings from environment variables, a profile and a file, each with its source.

A setting is an option's long name with underscores: `max_hours` is `--max-hours` and `PDFBATCH_MAX_HOURS`.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, ValidationError, create_model
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from pdfbatch.errors import UsageError, did_you_mean

FILE_NAME = "pdfbatch.toml"
PREFIX = "PDFBATCH_"
_PROFILES = "profile"
_PLACES = ("input", "output")
_PLACE_PARTS = tuple(f"{place}_{part}" for place in _PLACES for part in ("bucket", "prefix"))
_TYPED_ONLY = {
    "yes": "Type --yes with the command: no setting may answer a question.",
    "command": "Type --command with the command: no file that is found may run programs.",
    "endpoint_key": "Set PDFBATCH_ENDPOINT_KEY in the environment: no file holds keys.",
    "delete": "Type --delete with the command: no setting may delete anything.",
}


class Setting(NamedTuple):
    value: Any
    source: str
    """The variable, the profile and its file, or the file."""


class Row(NamedTuple):
    """A setting as `config` shows it."""

    setting: Setting | None
    """None: it is not set."""
    default: str
    """Its default in words; "": none."""


def as_written(value: object) -> str:
    """Returns a value as it would be written in the file."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


class _Options(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="forbid")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # the signature is pydantic-settings'
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Uses only the values passed in: each source is checked separately, so that an error can name it."""
        return (init_settings,)


def _by_commas(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def found_file(start: Path) -> Path | None:
    """Returns `pdfbatch.toml` in a folder or its nearest parent folder; None if there is none."""
    return next((path for folder in (start, *start.parents) if (path := folder / FILE_NAME).is_file()), None)


def read_settings(
    options: Mapping[str, Any], file: str = "", content: bytes = b"", profile: str = ""
) -> dict[str, Setting]:
    """Returns all settings: variables override the profile, the profile overrides the file.

    `options` are the types by name. `file` is the name of `content`: JSON if it ends in .json, else TOML.

    Raises:
        UsageError: the file cannot be parsed, a key is unknown, a value is invalid, or there is no such profile.
    """
    model = _model_of(options)
    values = _parsed(file, content) if file else {}
    profiles = _profiles(values.pop(_PROFILES, {}), file)
    if profile and profile not in profiles:
        raise UsageError(
            f"There is no profile {profile!r}" + (f" in {file}." if file else f": no {FILE_NAME} was found."),
            did_you_mean(profile, profiles) or f"Add [{_PROFILES}.{profile}] to {file or FILE_NAME}.",
        )
    for name, part in profiles.items():
        _checked(model, _with_places(part), f"profile {name} in {file}")
    parts = [(values, file)] + ([(profiles[profile], f"profile {profile} in {file}")] if profile else [])
    found: dict[str, Setting] = {}
    for part, source in parts:
        found |= {name: Setting(value, source) for name, value in _checked(model, _with_places(part), source).items()}
    variables = EnvSettingsSource(model)()
    for name, value in variables.items():
        variable = f"{PREFIX}{name.upper()}"
        found[name] = Setting(_checked(model, {name: value}, variable)[name], variable)
    return found


def _profiles(found: object, file: str) -> dict[str, dict[str, Any]]:
    if isinstance(found, dict) and all(isinstance(part, dict) for part in found.values()):
        return found
    raise UsageError(
        f"{file}: {_PROFILES} is not a table of profiles.",
        f"Write [{_PROFILES}.NAME] above a profile's settings; choose one with --profile NAME.",
    )


def _model_of(options: Mapping[str, Any]) -> type[_Options]:
    fields: dict[str, Any] = {
        name: (Annotated[kind | None, NoDecode, BeforeValidator(_by_commas)] if _is_list(kind) else kind | None, None)
        for name, kind in options.items()
    }
    return create_model("Options", __base__=_Options, **fields)


def _is_list(kind: object) -> bool:
    return "list[" in str(kind)


def _parsed(file: str, content: bytes) -> dict[str, Any]:
    try:
        text = content.decode("utf-8")
        values = json.loads(text) if file.endswith(".json") else tomllib.loads(text)
    except ValueError as error:  # the errors of JSON, TOML and UTF-8
        raise UsageError(f"{file} cannot be read: {error}.", "Fix that line.") from error
    if not isinstance(values, dict):
        raise UsageError(f"{file} is not a JSON object.", 'Write {"input_bucket": …, "output_bucket": …}.')
    return values


def _with_places(values: dict[str, Any]) -> dict[str, Any]:
    """Joins `input_bucket` and `input_prefix` to `input`; the same for `output`."""
    values = dict(values)
    for place in _PLACES:
        bucket, prefix = values.pop(f"{place}_bucket", None), values.pop(f"{place}_prefix", "")
        if bucket:
            values.setdefault(place, f"s3://{bucket}/{prefix}")
    return values


def _checked(model: type[_Options], values: dict[str, Any], source: str) -> dict[str, Any]:
    try:
        return model(**values).model_dump(exclude_unset=True)
    except ValidationError as error:
        fault = error.errors()[0]
        name = str(fault["loc"][0])
        if fault["type"] == "extra_forbidden":
            hint = (
                _TYPED_ONLY.get(name)
                or did_you_mean(name, [*model.model_fields, *_PLACE_PARTS])
                or "`pdfbatch config --all` lists all settings."
            )
            raise UsageError(f"{source}: there is no setting {name!r}.", hint) from error
        raise UsageError(f"{source}: {name} is {fault['input']!r}: {fault['msg']}.", "Fix the value.") from error
