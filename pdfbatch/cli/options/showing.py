"""How a command asks and prints, and commands that share the options of another."""

import inspect
from collections.abc import Callable, Set
from typing import Annotated, Literal

import typer

from pdfbatch.errors import UsageError

Json = Annotated[
    bool,
    typer.Option(
        "--json", envvar="PDFBATCH_JSON", show_envvar=False, help="Print one JSON document instead of a table."
    ),
]


JsonLines = Annotated[
    bool, typer.Option("--jsonl", help="Print one JSON object per line, one for each finished document.")
]


Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


Print = Literal["screen", "json", "jsonl"]
"""The form in which a command prints its result."""


def how_to_print(json: bool, jsonl: bool = False) -> Print:
    """
    Returns the form that `--json` and `--jsonl` ask for.

    Raises:
        UsageError: both are given.
    """
    if json and jsonl:
        raise UsageError("--json and --jsonl cannot be combined.", "Use one of them.")
    return "json" if json else "jsonl" if jsonl else "screen"


def with_options_of(
    model: Callable[..., None], command: Callable[..., None], help_text: str, without: Set[str]
) -> Callable[..., None]:
    """Gives `command` the arguments and options of `model`, except `without`: Typer reads them from the signature."""
    signature = inspect.signature(model, eval_str=True)
    kept = [parameter for name, parameter in signature.parameters.items() if name not in without]
    command.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]  # PEP 362
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in kept}
    command.__doc__ = help_text
    return command
