"""How `--help` is laid out: options in panels, flags without a type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from typer.core import TyperCommand, TyperGroup

PANELS = {
    "Input": (
        "include exclude pages password_file password_secret reason below limit changed all_failures "
        "total_workers worker_id"
    ),
    "Engine": "engine model triage dpi as_published processes",
    "Endpoint": (
        "endpoint_url endpoint_model endpoint_prompt endpoint_side endpoint_tokens endpoint_requests endpoint_price "
        "endpoint_secret fallback fallback_below fallback_elements"
    ),
    "Command": "command batch batch_seconds batch_memory",
    "Markdown": "keep_hidden join_tables keep_headers",
    "Processors": "also also_seconds",
    "Events": "events events_secret",
    "Limits": "page_seconds max_retries max_failures_in_a_row",
    "Fleet": (
        "on workers pool watch_input instance_type on_demand max_price max_hours max_cost ebs_key image ami subnet "
        "security_group network_isolation output_key key_name tag stack pages_per_second keep_partial wait"
    ),
}
"""Options by parameter name. A panel with only one option is not shown."""


class Commands(NamedTuple):
    """Commands that share their first word, which is no command by itself, and what they are for."""

    about: str
    commands: Mapping[str, Callable[..., None]]


class Command(TyperCommand):
    """A command with its options in panels, and each argument in its usage line as people type it."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        arguments = [each for each in self.get_params(ctx) if each.param_type_name == "argument"]
        return ["[OPTIONS]", *map(_typed, arguments)]

    def get_params(self, ctx: Any) -> list[Any]:
        return _arranged(super().get_params(ctx))


class Group(TyperGroup):
    """The list of commands, with plain flags."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _arranged(super().get_params(ctx))


def _typed(argument: Any) -> str:
    """Returns an argument for the usage line: `INPUT... OUTPUT`, `OUTPUT`, `[WORKER]`."""
    name = str(argument.metavar or argument.name.upper())
    return name if argument.required or argument.nargs == -1 else f"[{name}]"


def _no_type(**_: Any) -> None:
    """Stands for the type of an argument."""


def _arranged(parameters: list[Any]) -> list[Any]:
    """Puts options into their panels, and takes the types from flags and arguments: `<bool>` or `<list[str]>` says
    nothing to a reader."""
    for each in parameters:
        if getattr(each, "is_flag", False):
            each.metavar = ""
        if each.param_type_name == "argument":
            each.display_type_rich = _no_type
    for panel, names in PANELS.items():
        found = [each for each in parameters if each.name in names.split()]
        for each in found if len(found) > 1 else []:
            each.rich_help_panel = panel
    return parameters
