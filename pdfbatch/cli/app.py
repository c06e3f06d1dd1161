"""The command line as a whole: the application, and the one place where errors become text and exit codes."""

from __future__ import annotations

import io
import sys
from typing import Annotated, NoReturn

import typer
from typer._click.exceptions import (  # Typer has no public name for the root of its usage errors
    ClickException,
    NoArgsIsHelpError,
)

import pdfbatch
from pdfbatch import views
from pdfbatch.cli import account, demo, fleet, local, look, retry, worker
from pdfbatch.cli.examples import epilog
from pdfbatch.cli.outside import show, stderr
from pdfbatch.errors import ExitCode, PdfbatchError, UsageError

app = typer.Typer(
    name="pdfbatch",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Thousands of PDFs in, clean Markdown out; nothing lost, nothing done twice.",
)

app.command("plan", rich_help_panel="On a Spot fleet")(fleet.plan)
app.command("launch", rich_help_panel="On a Spot fleet")(fleet.launch)
app.command("down", rich_help_panel="On a Spot fleet")(fleet.down)
app.command("ls", rich_help_panel="On a Spot fleet")(fleet.ls)
app.command("logs", rich_help_panel="On a Spot fleet")(fleet.logs)
app.command("doctor", rich_help_panel="The AWS account")(account.doctor)
app.command("setup", rich_help_panel="The AWS account")(account.setup)
app.command("local-run", rich_help_panel="On your own machine")(local.local_run)
app.command("demo", rich_help_panel="On your own machine")(demo.demo)
app.command("status", rich_help_panel="Any run")(look.status)
app.command("retry-failures", rich_help_panel="Any run")(retry.retry_failures)
app.command("verify", rich_help_panel="Any run")(look.verify)
app.command("report", rich_help_panel="Any run")(look.report)
app.command("runs", rich_help_panel="Any run")(look.runs)
app.command("worker", hidden=True)(worker.worker)
for command in app.registered_commands:
    command.epilog = epilog(command.name or "")


def _version(asked: bool) -> None:
    if asked:
        show(f"pdfbatch {pdfbatch.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> NoReturn:
    """The console script. With `--json` an error is one JSON document on stdout, else two lines on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows only ASCII is no reason to fail
    try:
        code = app(standalone_mode=False)
    except NoArgsIsHelpError:
        raise SystemExit(ExitCode.USAGE) from None  # the help was printed
    except ClickException as error:
        raise SystemExit(_tell(_usage(error))) from None
    except PdfbatchError as error:
        raise SystemExit(_tell(error)) from None
    except (typer.Abort, KeyboardInterrupt):
        raise SystemExit(ExitCode.INTERRUPTED) from None
    raise SystemExit(code or ExitCode.DONE)


def _usage(error: ClickException) -> UsageError:
    context = getattr(error, "ctx", None)
    command = " ".join(["pdfbatch", *context.command_path.split()[-1:]] if context and context.parent else ["pdfbatch"])
    return UsageError(error.format_message().replace("Value error, ", ""), f"See `{command} --help`.")


def _tell(error: PdfbatchError) -> ExitCode:
    if "--json" in sys.argv:
        show(views.error_json(error))
    else:
        stderr.print(views.error_text(error), soft_wrap=True, highlight=False)
    return error.exit_code
