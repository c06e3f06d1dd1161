"""The commands and options that README, manual and other pages name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from docs.generate.commands import all_commands
from pdfbatch.cli.app import program

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*(ROOT / "docs").glob("*.md"), *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"))]
)
FENCE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LOCAL = {"local-run", "status", "report", "verify", "runs", "retry-failures", "demo"}

tree: Any = typer.main.get_command(program())


def prompts(text: str) -> Iterator[str]:
    """Yields the lines after a `$` in console blocks, without comments, with continued lines joined."""
    for block in FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$ "):
                yield shlex.join(shlex.split(line.removeprefix("$ "), comments=True))


def inline(text: str) -> Iterator[str]:
    """Yields the inline code outside of blocks."""
    yield from (
        code.replace("\\|", "|") for code in INLINE.findall(re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    )


def calls(text: str) -> Iterator[list[str]]:
    """Yields the arguments of each call of pdfbatch in a page, also of a bare `pdfbatch NAME`."""
    spans = [code for code in inline(text) if code.startswith("pdfbatch ") and "…" not in code]
    for line in [*prompts(text), *spans]:
        words = shlex.split(line)
        if "pdfbatch" in words and words[0] in ("pdfbatch", "docker", "uvx"):
            yield words[len(words) - words[::-1].index("pdfbatch") :]


def check(arguments: list[str]) -> None:
    """Parses the arguments without running the command."""
    command, (name, *rest) = tree, arguments
    command = command.commands[name]
    while rest and hasattr(command, "commands"):
        name, *rest = rest
        command = command.commands[name]
    if rest:
        command.make_context(name, rest)


def is_local(arguments: list[str]) -> bool:
    """Returns whether a call needs only this computer and a folder."""
    on_fleet = arguments[0] == "retry-failures" and "--local" not in arguments
    return arguments[0] in LOCAL and not on_fleet and not any(word.startswith(("s3:", "/")) for word in arguments)


def options() -> set[str]:
    """Returns all options of all commands."""
    commands = [tree, *all_commands().values()]
    params = [param for command in commands for param in command.params]
    return {option for param in params for option in (*param.opts, *param.secondary_opts)} | {"--help"}
