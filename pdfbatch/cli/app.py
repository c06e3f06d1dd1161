"""The Typer application, and the one place where errors become text and exit codes."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Annotated, NoReturn

import typer

import pdfbatch
from pdfbatch import views
from pdfbatch.cli import (
    account,
    demo,
    events,
    export,
    fleet,
    inspect,
    instances,
    local,
    retry,
    scale,
    settings,
    triage,
    view,
    worker,
)
from pdfbatch.cli.console import show, stderr
from pdfbatch.cli.examples import epilog
from pdfbatch.cli.panels import Command, Group
from pdfbatch.errors import ExitCode, PdfbatchError, UsageError, did_you_mean

HELP = {"help_option_names": ["-h", "--help"]}


app = typer.Typer(
    name="pdfbatch",
    context_settings=HELP,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    cls=Group,
    help="Convert thousands of PDFs to clean Markdown: nothing lost, nothing done twice.",
)

_COMMANDS: dict[str, dict[str, Callable[..., None]]] = {
    "On EC2 Spot": {
        "plan": fleet.plan,
        "launch": fleet.launch,
        "scale": scale.scale,
        "down": instances.down,
        "ls": instances.ls,
        "logs": instances.logs,
    },
    "AWS account": {"doctor": account.doctor, "setup": account.setup},
    "On your own computer": {"local-run": local.local_run, "demo": demo.demo},
    "Runs, on EC2 or your own computer": {
        "status": inspect.status,
        "retry-failures": retry.retry_failures,
        "verify": inspect.verify,
        "report": inspect.report,
        "runs": inspect.runs,
        "view": view.view,
        "export": export.export,
        "events": events.events,
    },
    "General": {"config": settings.config},
}
_GROUPS: dict[str, dict[str, Callable[..., None]]] = {
    "triage": {"train": triage.train, "score": triage.score},
}
for panel, commands in _COMMANDS.items():
    for name, command in commands.items():
        app.command(name, cls=Command, rich_help_panel=panel, context_settings=HELP)(settings.with_settings(command))
app.command("worker", hidden=True)(worker.worker)
for registered in app.registered_commands:
    registered.epilog = epilog(registered.name or "")
for group, commands in _GROUPS.items():
    within = typer.Typer(cls=Group, context_settings=HELP, no_args_is_help=True, rich_markup_mode="markdown")
    for name, command in commands.items():
        added = within.command(name, cls=Command, context_settings=HELP, epilog=epilog(f"{group} {name}"))
        added(settings.with_settings(command))
    about, panel = "Train what decides which pages need the model, and try it.", "Runs, on EC2 or your own computer"
    app.add_typer(within, name=group, help=about, rich_help_panel=panel)


@app.command("help", cls=Command, rich_help_panel="General", context_settings=HELP)
def show_help(
    command: Annotated[str, typer.Argument(metavar="COMMAND", help="The command to explain.")] = "",
) -> None:
    """Show help for a command, or the list of commands."""
    app([*([command] if command else []), "--help"], prog_name="pdfbatch", standalone_mode=False)


def _version(asked: bool) -> None:
    if asked:
        show(f"pdfbatch {pdfbatch.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> NoReturn:
    """Runs the console script. With `--json` an error is one JSON document on stdout, otherwise two lines on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an ASCII-only terminal must not raise
    _be_the_program()
    try:
        code = app(sys.argv[1:] or ["--help"], prog_name="pdfbatch", standalone_mode=False)
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
