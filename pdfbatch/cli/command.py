"""`--command`: what it means for the other options."""

from __future__ import annotations

from pdfbatch.errors import UsageError
from pdfbatch.records import Chosen, Command

COMMAND = "command"
"""The engine that runs it."""


def with_command(engine: str, command: Command) -> str:
    """Returns the engine to use: `command` if there is one.

    Raises:
        UsageError: the engine and the command contradict each other, or the command is incomplete.
    """
    if not command.line:
        if engine == COMMAND:
            raise UsageError("--engine command needs a command.", "Add --command 'TOOL {in} {out}'.")
        return engine
    if engine not in ("", COMMAND):
        raise UsageError(f"--command and --engine {engine} contradict each other.", "Leave out one of them.")
    if lacks := command.lacks:
        raise UsageError(
            f"--command lacks {' and '.join(lacks)}.",
            "Write 'TOOL {in} {out}': the folders of its inputs and of its outputs.",
        )
    return COMMAND


def chosen_for(engine: str, chosen: Chosen) -> Chosen:
    """Returns the selection of documents: for a command, files of any kind that match a pattern or --include."""
    return chosen.model_copy(update={"any_kind": True}) if engine == COMMAND else chosen
