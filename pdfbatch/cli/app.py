"""The Typer application, and the one place where errors become text and exit codes."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any, NoReturn

import typer

import pdfbatch
from pdfbatch import views
from pdfbatch.cli import settings
from pdfbatch.cli.console import show, stderr
from pdfbatch.cli.examples import epilog
from pdfbatch.cli.panels import Command, Commands, Group
from pdfbatch.errors import ExitCode, PdfbatchError, UsageError, did_you_mean
from pdfbatch.records.processing_job import JOB_COMMAND

HELP = {"help_option_names": ["-h", "--help"]}


_PANELS = {
    "On EC2 Spot": {
        "plan": "fleet",
        "launch": "fleet",
        "scale": "scale",
        "down": "instances",
        "ls": "instances",
        "logs": "instances",
    },
    "On AWS Batch or SageMaker": {"schedule": "schedule"},
    "AWS account": {"doctor": "account", "setup": "account"},
    "On your own computer": {"local-run": "local", "demo": "demo"},
    "Runs, on EC2 or your own computer": {
        "status": "inspect",
        "retry-failures": "retry",
        "verify": "inspect",
        "report": "inspect",
        "runs": "inspect",
        "view": "view",
        "triage": "triage",
        "export": "export",
        "events": "events",
    },
    "General": {"config": "settings"},
    "": {"worker": "worker", JOB_COMMAND: "processing_job", "batch-job": "batch_job"},
}
"""Each command's module, by the panel of the list of commands; those without a panel are not listed."""

COMMANDS = [name for commands in _PANELS.values() for name in commands]


def program(commands: Iterable[str] = COMMANDS) -> typer.Typer:
    """Returns the program with these commands, and imports only their modules: a program with one starts faster."""
    wanted = set(commands)
    made = typer.Typer(
        name="pdfbatch",
        context_settings=HELP,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        cls=Group,
        help="Convert thousands of PDFs to clean Markdown: nothing lost, nothing done twice.",
    )
    made.callback()(_options)
    for panel, modules in _PANELS.items():
        for name in filter(wanted.__contains__, modules):
            command = getattr(import_module(f"pdfbatch.cli.{modules[name]}"), name.replace("-", "_"))
            if isinstance(command, Commands):
                made.add_typer(_group(name, command), name=name, help=command.about, rich_help_panel=panel)
            elif panel:
                shown: dict[str, Any] = {"cls": Command, "rich_help_panel": panel, "context_settings": HELP}
                made.command(name, epilog=epilog(name), **shown)(settings.with_settings(command))
            else:
                made.command(name, hidden=True)(command)
    made.command("help", cls=Command, rich_help_panel="General", context_settings=HELP)(_show_help)
    return made


def _group(name: str, group: Commands) -> typer.Typer:
    """Returns commands that share their first word."""
    made = typer.Typer(cls=Group, context_settings=HELP, rich_markup_mode="markdown", no_args_is_help=True)
    for part, command in group.commands.items():
        shown: dict[str, Any] = {"cls": Command, "context_settings": HELP}
        made.command(part, epilog=epilog(f"{name} {part}"), **shown)(settings.with_settings(command))
    return made


def _show_help(
    command: Annotated[str, typer.Argument(metavar="COMMAND", help="The command to explain.")] = "",
) -> None:
    """Show help for a command, or the list of commands."""
    program()([*([command] if command else []), "--help"], prog_name="pdfbatch", standalone_mode=False)


def _version(asked: bool) -> None:
    if asked:
        show(f"pdfbatch {pdfbatch.__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def run() -> NoReturn:
    """Runs the command that was typed. With `--json` an error is one JSON document on stdout, otherwise two lines on
    stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an ASCII-only terminal must not raise
    _be_the_program()
    typed = sys.argv[1:] or ["--help"]
    try:
        made = program(typed[:1] if typed[0] in COMMANDS else COMMANDS)
        code = made(typed, prog_name="pdfbatch", standalone_mode=False)
    except typer.TyperException as error:
        raise SystemExit(_show_error(_usage(error))) from None
    except PdfbatchError as error:
        raise SystemExit(_show_error(error)) from None
    except (typer.Abort, KeyboardInterrupt):
        raise SystemExit(ExitCode.INTERRUPTED) from None
    raise SystemExit(code or (ExitCode.DONE if sys.argv[1:] else ExitCode.USAGE))


def _be_the_program() -> None:
    """Makes this process `python -m pdfbatch`, however it was started: children of multiprocessing import the script
    that started their parent, but never a `__main__` of a package (multiprocessing/spawn.py). Importing the commands
    takes each child 0.3 s and 20 MB."""
    sys.modules["__main__"].__spec__ = find_spec("pdfbatch.__main__")


def _usage(error: typer.TyperException) -> UsageError:
    context = getattr(error, "ctx", None)
    command = " ".join(["pdfbatch", *context.command_path.split()[1:]] if context and context.parent else ["pdfbatch"])
    message = _with_suggestion(error.format_message().replace("Value error, ", ""))
    if source := settings.source_of(getattr(error, "param", None)):
        message = f"{message.rstrip('.')} (from {source})."
    return UsageError(message, f"See `{command} --help`.")


def _with_suggestion(message: str) -> str:
    """Replaces a long list of choices by the one that was probably meant."""
    if not (found := re.match(r"(.*)'([^']+)' is not one of (.+)\.$", message, re.DOTALL)):
        return message
    start, typed, choices = found.groups()
    suggestion = did_you_mean(typed, re.findall(r"'([^']+)'", choices))
    return f"{start}'{typed}' is unknown. {suggestion}" if suggestion else message


def _show_error(error: PdfbatchError) -> ExitCode:
    stderr.quiet = False
    if "--json" in sys.argv:
        show(views.error_json(error))
    else:
        stderr.print(views.error_text(error), soft_wrap=True)
    return error.exit_code
