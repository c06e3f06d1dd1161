"""`--command`: what it means for the other options."""

from __future__ import annotations

from pdfbatch.errors import UsageError
from pdfbatch.records import Chosen, ReadOptions

COMMAND = "command"
"""The engine that runs it."""


def with_command(engine: str, options: ReadOptions) -> str:
    """Returns the engine to use: `command` if there is one.

    Raises:
        UsageError: the engine, the command and other options contradict each other, or the command is incomplete.
    """
    command = options.command
    if not command.line:
        if engine == COMMAND:
            raise UsageError("--engine command needs a command.", "Add --command 'TOOL {in} {out}'.")
        return engine
    if engine not in ("", COMMAND):
        raise UsageError(f"--command and --engine {engine} contradict each other.", "Leave out one of them.")
    if options.also:
        raise UsageError(
            "--also works on pages that pdfbatch has read, and --command reads documents by itself.",
            "Leave out --also, and let the command write these files too.",
        )
    if lacks := command.lacks:
        raise UsageError(
            f"--command lacks {' and '.join(lacks)}.",
            "Write 'TOOL {in} {out}': the folders of its inputs and of its outputs.",
        )
    return COMMAND


def chosen_for(engine: str, chosen: Chosen) -> Chosen:
    """Returns the selection of documents: for a command, files of any kind that match a pattern or --include."""
    return chosen.model_copy(update={"any_kind": True}) if engine == COMMAND else chosen
