"""The arguments and options that several commands share."""

import inspect
from collections.abc import Callable, Set
from typing import Annotated, Literal

import typer

from pdfbatch.errors import UsageError
from pdfbatch.records import PageSet, ReadOptions, Reason
from pdfbatch.runs.scores import DOUBTFUL


def _checked_pages(text: str) -> str:
    try:
        return str(PageSet.read(text))
    except ValueError as error:
        raise typer.BadParameter(f"{error} (write 1-3,7 or 5-)") from None


Places = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUT... OUTPUT",
        help="INPUT: folders, s3://bucket/prefix/, PDFs, patterns (`papers/**/*.pdf`, `s3://b/2024/*.pdf`), @FILE with "
        "a path a line, - for such a list on stdin. A folder gives its PDFs; pictures (PNG, JPEG, TIFF) are read where "
        "they are named, or matched by a pattern or --include. OUTPUT: folder or s3://bucket/prefix/ for the Markdown.",
    ),
]
OutputOption = Annotated[
    str,
    typer.Option(
        "--output", "-o", metavar="OUTPUT", help="OUTPUT; then every argument is an INPUT.", show_default=False
    ),
]
Include = Annotated[
    list[str] | None,
    typer.Option(
        "--include",
        metavar="PATTERN",
        help="Only what matches, pictures too: `*.png`, `2024/**`; repeatable. Without a / it is matched with names, "
        "else with the path below INPUT.",
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="PATTERN", help="Nothing that matches: `drafts/`, `*-old.pdf`; repeatable."),
]
Pages = Annotated[
    str,
    typer.Option(
        "--pages",
        metavar="1-3,7",
        callback=_checked_pages,
        help="Only these pages of each document; 5- is from the fifth on.",
        show_default="all",
    ),
]
RetryPages = Annotated[
    str,
    typer.Option(
        "--pages",
        metavar="1-3,7",
        callback=_checked_pages,
        help="Only these pages of each document.",
        show_default="those of the run before",
    ),
]
PasswordFile = Annotated[
    str,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help="Passwords of encrypted PDFs, one a line, tried in turn. They stay on this machine, in no file of a run.",
        show_default=False,
    ),
]
PasswordSecret = Annotated[
    str,
    typer.Option(
        "--password-secret",
        metavar="ARN",
        help="Secrets Manager secret or SSM parameter with the passwords of encrypted PDFs, one a line; the instances "
        "read it by their role.",
        show_default=False,
    ),
]
Output = Annotated[str, typer.Argument(metavar="OUTPUT", help="Folder or s3://bucket/prefix/ for the Markdown.")]
EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="cpu|dolphin|auto|null",
        help="What reads the pages. dolphin: the model, best on a GPU. auto: text layers, and the model for what they "
        "lack or have not right. null: a dry run.",
        show_default="dolphin with a GPU and torch, else cpu",
    ),
]
FleetEngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="cpu|dolphin|auto|null",
        help="What reads the pages. dolphin: the model. auto: text layers, and the model for what they lack or have "
        "not right: cheaper. cpu: text layers and OCR, for instances without a GPU. null: a dry run.",
    ),
]
RetryEngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="cpu|dolphin|auto|null",
        help="What reads the pages, perhaps another one than before.",
        show_default="on a fleet that of the run before, here dolphin with a GPU and torch, else cpu",
    ),
]
Model = Annotated[
    str,
    typer.Option(
        help="Dolphin 1.0 or 1.5: Hub id (with @revision), folder or s3:// folder.",
        show_default="PDFBATCH_MODEL, else ByteDance/Dolphin-1.5",
    ),
]
Dpi = Annotated[int, typer.Option(min=50, max=600, help="Resolution at which the model reads a page's elements.")]
AsPublished = Annotated[
    bool, typer.Option("--as-published", help="Give the model its pictures as its authors' programs do.")
]
KeepHidden = Annotated[
    bool, typer.Option("--keep-hidden", help="Keep text that no viewer shows, such as white on white.")
]
JoinTables = Annotated[bool, typer.Option("--join-tables/--no-join-tables", help="Join tables that go on over pages.")]
Json = Annotated[
    bool,
    typer.Option(
        "--json", envvar="PDFBATCH_JSON", show_envvar=False, help="Print one JSON document instead of a table."
    ),
]
JsonLines = Annotated[
    bool, typer.Option("--jsonl", help="Print one JSON object a line for each document that has an outcome.")
]
Processes = Annotated[int | None, typer.Option(min=1, help="Child processes that read.", show_default="one per core")]
KeepHeaders = Annotated[bool, typer.Option("--keep-headers", help="Keep page headers, footers and page numbers.")]
PageSeconds = Annotated[float, typer.Option(min=1, help="A page that takes longer is given up.")]
MaxRetries = Annotated[int, typer.Option(min=0, help="Times a page is tried again when its reader died or ran late.")]
FailuresInARow = Annotated[
    int,
    typer.Option(
        "--max-failures-in-a-row",
        metavar="N",
        min=0,
        help="A worker stops if its first N documents all fail for one reason that is not theirs; 0: never.",
    ),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Convert at most this many documents.")]
Changed = Annotated[bool, typer.Option("--changed", help="Convert again what changed since.")]
Below = Annotated[
    float,
    typer.Option(
        "--below",
        min=0,
        max=DOUBTFUL,  # better pages are counted by tenths alone
        help="Also documents with a page whose score is lower than this.",
    ),
]
AllFailures = Annotated[
    bool,
    typer.Option("--all-failures", help="Also try what failed for a reason that no other try mends, as encrypted."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Run = Annotated[str | None, typer.Option(help="The run that is meant.", show_default="the latest")]
Reasons = Annotated[
    list[Reason] | None, typer.Option("--reason", metavar="REASON", help="Only failures for this reason; repeatable.")
]
Workers = Annotated[int, typer.Option(min=1, max=1000, help="Instances, each with a slice of its own.")]
LaunchWorkers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        max=1000,
        help="Instances, each with a slice of its own.",
        show_default="5, or as many as the work needs",
    ),
]
OnDemand = Annotated[
    bool, typer.Option("--on-demand", help="On-demand instances instead of Spot: never interrupted, at full price.")
]
MaxPrice = Annotated[
    float | None,
    typer.Option(
        "--max-price",
        min=0.001,
        metavar="DOLLARS",
        help="Spot price an hour of one instance above which AWS interrupts it.",
        show_default="1.5 times today's dearest zone",
    ),
]
EbsKey = Annotated[
    str, typer.Option("--ebs-key", metavar="KEY", help="KMS key, alias or ARN that encrypts the instances' disks.")
]
InstanceTypes = Annotated[
    list[str] | None,
    typer.Option(
        "--instance-type",
        metavar="TYPE",
        help="EC2 type; give it several times to let AWS choose.",
        show_default="g4dn.xlarge",
    ),
]
FleetModel = Annotated[
    str,
    typer.Option(
        help="Dolphin 1.0 or 1.5: Hub id (with @revision), s3:// folder, or /model for the weights in the image.",
        show_default="ByteDance/Dolphin-1.5",
    ),
]
AmiName = Annotated[
    str,
    typer.Option(
        "--ami",
        metavar="ID",
        help="Machine image with NVIDIA's driver, Docker and aws: id or SSM parameter.",
        show_default="AWS's newest Deep Learning Base image",
    ),
]
KeyName = Annotated[str, typer.Option(help="EC2 key pair for SSH.", show_default="none")]
Stack = Annotated[str, typer.Option(help="Name of the CloudFormation stack that `setup` made.")]
OptionalOutput = Annotated[str, typer.Argument(metavar="[OUTPUT]", help="Where the runs write their Markdown.")]
MaxHours = Annotated[
    float | None,
    typer.Option(
        min=0.5,
        max=720,
        help="All instances are terminated after so many hours.",
        show_default="3 times the expected time, 2 to 48",
    ),
]
MaxCost = Annotated[
    float | None, typer.Option(min=0.01, metavar="DOLLARS", help="Ends the machines before they can cost more.")
]
Image = Annotated[str, typer.Option(help="The worker image.", show_default="the newest one in your ECR repository")]
Subnets = Annotated[
    list[str] | None,
    typer.Option(
        "--subnet", metavar="ID", help="Use this subnet; repeatable.", show_default="those of the default VPC"
    ),
]
Tags = Annotated[
    list[str] | None, typer.Option("--tag", metavar="KEY=VALUE", help="A tag on everything made; repeatable.")
]
Pace = Annotated[
    float | None,
    typer.Option("--pages-per-second", min=0.001, help="What one worker does, if you know better than the estimate."),
]
Wait = Annotated[
    bool, typer.Option("--wait", help="Follow the run until it is over; the exit code is that of local-run.")
]
KeepPartial = Annotated[
    bool, typer.Option("--keep-partial", help="Keep what was launched if not every worker could be.")
]


Print = Literal["screen", "json", "jsonl"]
"""How a command's result is printed."""


def how_to_print(json: bool, jsonl: bool = False) -> Print:
    """
    What `--json` and `--jsonl` ask for.

    Raises:
        UsageError: both are given.
    """
    if json and jsonl:
        raise UsageError("--json and --jsonl do not go together.", "Give one of them.")
    return "json" if json else "jsonl" if jsonl else "screen"


def with_options_of(
    model: Callable[..., None], command: Callable[..., None], help_text: str, without: Set[str]
) -> Callable[..., None]:
    """`command` with the arguments and options of `model`, but for some: Typer reads them off a signature."""
    signature = inspect.signature(model, eval_str=True)
    kept = [parameter for name, parameter in signature.parameters.items() if name not in without]
    command.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]  # PEP 362
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in kept}
    command.__doc__ = help_text
    return command


def read_options(
    keep_headers: bool,
    page_seconds: float,
    max_retries: int,
    dpi: int,
    as_published: bool,
    keep_hidden: bool,
    join_tables: bool,
    failures_in_a_row: int,
    pages: str = "",
) -> ReadOptions:
    return ReadOptions(
        keep_headers=keep_headers,
        page_seconds=page_seconds,
        max_retries=max_retries,
        dpi=dpi,
        as_published=as_published,
        keep_hidden=keep_hidden,
        join_tables=join_tables,
        failures_in_a_row=failures_in_a_row,
        pages=pages,
    )
