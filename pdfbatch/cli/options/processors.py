"""What else is made of the pages that were read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from pdfbatch.errors import UsageError

if TYPE_CHECKING:
    from pdfbatch.records import ProcessorSpec


def _from_settings_only_by_name(context: typer.Context, value: list[str] | None) -> list[str] | None:
    """Refuses a class that is not typed.

    Raises:
        UsageError: a setting names a class.
    """
    source = context.get_parameter_source("also")
    if value and source is not None and source.name == "DEFAULT_MAP":
        from pdfbatch.processors.registry import class_named

        if found := next(filter(None, map(class_named, value)), ""):
            raise UsageError(
                f"A setting names the processor {found}: no file that is found may run programs.",
                "Type --also with the command, or install the processor: then a setting may have its name.",
            )
    return value


Also = Annotated[
    list[str] | None,
    typer.Option(
        "--also",
        metavar="PROCESSOR",
        callback=_from_settings_only_by_name,
        help="Make more files of the pages, beside the Markdown: images, analysis, an installed processor, or "
        "module:Class. Options follow a colon: images:format=png,dpi=200. Repeatable. See the manual.",
    ),
]


AlsoSeconds = Annotated[
    float,
    typer.Option(min=1, metavar="SECONDS", help="Time limit of --also for a document, or for a part of a long one."),
]


def processors_of(also: Sequence[str] | None) -> list[ProcessorSpec]:
    """Returns the processors as a manifest names them.

    Raises:
        UsageError: one is unknown, or an option is wrong.
    """
    if not also:
        return []
    from pdfbatch.processors.registry import processors_named

    return processors_named(also)
