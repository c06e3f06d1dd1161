"""The arguments and options that several commands share."""

import functools
import inspect
import re
from collections.abc import Callable, Set
from typing import Annotated, Any, Literal

import typer

from pdfbatch.cli import endpoint as endpoints
from pdfbatch.errors import UsageError
from pdfbatch.records import (
    Command,
    PageSet,
    ReadOptions,
    Reason,
)
from pdfbatch.runs.scores import DOUBTFUL


def _checked_pages(text: str) -> str:
    try:
        return str(PageSet.read(text))
    except ValueError as error:
        raise typer.BadParameter(f"{error} (write 1-3,7 or 5-)") from None


def _checked_pages_or_file(text: str) -> str:
    return text if is_file_of_pages(text) else _checked_pages(text)


def is_file_of_pages(text: str) -> bool:
    """Whether the value of `--pages` names a file: it has more than numbers, commas and hyphens."""
    return re.search(r"[^\d\s,–-]", text) is not None


Places = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUT... OUTPUT",
        help="INPUT: folders, s3://bucket/prefix/, PDFs, patterns (`papers/**/*.pdf`, `s3://b/2024/*.pdf`), @FILE with "
        "one path per line, or - to read such a list from stdin. A folder stands for its PDFs; image files (PNG, JPEG, "
        "TIFF) are read only if named or matched by a pattern or --include. OUTPUT: folder or s3://bucket/prefix/ for "
        "the Markdown.",
    ),
]
OutputOption = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="OUTPUT",
        help="Where the Markdown goes. With this option every argument is an INPUT.",
        show_default=False,
    ),
]
Include = Annotated[
    list[str] | None,
    typer.Option(
        "--include",
        metavar="PATTERN",
        help="Read only matching files, images too: `*.png`, `2024/**`; repeatable. A pattern with a / is matched "
        "against the path below INPUT, any other against the file name.",
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="PATTERN", help="Leave out matching files: `drafts/`, `*-old.pdf`; repeatable."),
]
Pages = Annotated[
    str,
    typer.Option(
        "--pages",
        metavar="1-3,7",
        callback=_checked_pages,
        help="Read only these pages of each document; 5- means page 5 and all after it.",
        show_default="all",
    ),
]
RetryPages = Annotated[
    str,
    typer.Option(
        "--pages",
        metavar="1-3,7|FILE",
        callback=_checked_pages_or_file,
        help="Read only these pages of each document. Or a FILE with lines of key, tab and pages, as `view` writes it: "
        "read these documents again, whole, whatever their outcome was.",
        show_default="as in the previous run",
    ),
]
PasswordFile = Annotated[
    str,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help="Passwords for encrypted PDFs, one per line, tried in turn. Never written to disk.",
        show_default=False,
    ),
]
PasswordSecret = Annotated[
    str,
    typer.Option(
        "--password-secret",
        metavar="ARN",
        help="Secrets Manager secret or SSM parameter with passwords for encrypted PDFs, one per line. Only the "
        "instances read it, with their role.",
        show_default=False,
    ),
]
Events = Annotated[
    list[str] | None,
    typer.Option(
        "--events",
        metavar="ADDRESS",
        help="Send an event for each outcome and for the run's end; repeatable: https://HOST/PATH, sns:ARN, events:BUS "
        "(EventBridge), kafka://HOST:PORT/TOPIC.",
        show_default=False,
    ),
]
EventsSecret = Annotated[
    str,
    typer.Option(
        "--events-secret",
        metavar="ARN",
        help="Secrets Manager secret or SSM parameter with the key of webhooks, or Kafka's user name and password. "
        "Only the instances read it, with their role.",
        show_default=False,
    ),
]
Output = Annotated[str, typer.Argument(metavar="OUTPUT", help="Folder or s3://bucket/prefix/ for the Markdown.")]
EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="ENGINE",
        help="How to read pages. cpu: text layers and OCR. dolphin: the model, best on a GPU. auto: text layers, and "
        "the model where they are missing or wrong. endpoint: a model at --endpoint-url. null: dry run, writes "
        "Markdown without text.",
        show_default="dolphin with a GPU and torch, otherwise cpu",
    ),
]
FleetEngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="ENGINE",
        help="How to read pages. dolphin: the model. auto: text layers, and the model where they are missing or wrong; "
        "cheaper. cpu: text layers and OCR, for instances without a GPU. endpoint: a model at --endpoint-url. null: "
        "dry run, writes Markdown without text.",
        show_default="dolphin on instances with a GPU, otherwise cpu",
    ),
]
RetryEngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="ENGINE",
        help="How to read pages: cpu, dolphin, auto, endpoint or null; may differ from the previous run.",
        show_default="on a fleet: as in the previous run; with --local: dolphin with a GPU and torch, otherwise cpu",
    ),
]
Model = Annotated[
    str,
    typer.Option(
        help="Dolphin 1.0 or 1.5: Hub id (with @revision), folder or s3:// folder.",
        show_default="PDFBATCH_MODEL, otherwise ByteDance/Dolphin-1.5",
        metavar="MODEL",
    ),
]
Dpi = Annotated[
    int,
    typer.Option(
        min=50,
        max=600,
        help="Resolution of the page images that the model's elements are cut from.",
        metavar="N",
    ),
]
AsPublished = Annotated[
    bool,
    typer.Option(
        "--as-published", help="Prepare and encode images exactly as the model's authors do, to compare results."
    ),
]
KeepHidden = Annotated[bool, typer.Option("--keep-hidden", help="Keep hidden text, such as white on white.")]
JoinTables = Annotated[
    bool,
    typer.Option("--join-tables/--no-join-tables", help="Join tables that continue on the next page."),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json", envvar="PDFBATCH_JSON", show_envvar=False, help="Print one JSON document instead of a table."
    ),
]
JsonLines = Annotated[
    bool, typer.Option("--jsonl", help="Print one JSON object per line, one for each finished document.")
]
Processes = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Number of child processes that read pages.",
        show_default="one per core",
        metavar="N",
    ),
]
KeepHeaders = Annotated[bool, typer.Option("--keep-headers", help="Keep page headers, footers and page numbers.")]
PageSeconds = Annotated[
    float,
    typer.Option(
        min=1,
        help="Time limit for one page. A page that exceeds it is read in a simpler way; if that takes too long too, it "
        "fails.",
        metavar="SECONDS",
    ),
]
MaxRetries = Annotated[
    int,
    typer.Option(
        min=0,
        help="How many times to try a page again after a crash or a timeout.",
        metavar="N",
    ),
]
FailuresInARow = Annotated[
    int,
    typer.Option(
        "--max-failures-in-a-row",
        metavar="N",
        min=0,
        help="Stop a worker if its first N documents all fail for one reason that is not in the documents, such as too "
        "little memory; 0: never.",
    ),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Convert at most this many documents.", metavar="N")]
Changed = Annotated[
    bool,
    typer.Option(
        "--changed", help="Also convert documents again that have changed, or that were read with other --pages."
    ),
]
Below = Annotated[
    float,
    typer.Option(
        "--below",
        min=0,
        max=DOUBTFUL,  # scores above it are only counted, in tenths
        help="Also retry documents with a page that scored lower than this.",
        metavar="SCORE",
    ),
]
AllFailures = Annotated[
    bool,
    typer.Option("--all-failures", help="Also try documents that would fail again, such as empty or encrypted files."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
Run = Annotated[str | None, typer.Option(help="Run ID.", show_default="the latest", metavar="ID")]
OneRun = Annotated[str | None, typer.Option("--run", help="Only this run.", show_default="all runs", metavar="ID")]
Reasons = Annotated[
    list[Reason] | None,
    typer.Option("--reason", metavar="REASON", help="Retry only failures with this reason; repeatable."),
]
Workers = Annotated[
    int,
    typer.Option(
        min=1,
        max=1000,
        help="Number of instances; each converts a share of the documents.",
        metavar="N",
    ),
]
LaunchWorkers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        max=1000,
        help="Number of instances; each converts a share of the documents.",
        show_default="5, or fewer if the work is small",
        metavar="N",
    ),
]
OnDemand = Annotated[
    bool,
    typer.Option("--on-demand", help="Use on-demand instances instead of Spot: never interrupted, full price."),
]
MaxPrice = Annotated[
    float | None,
    typer.Option(
        "--max-price",
        min=0.001,
        metavar="DOLLARS",
        help="Highest Spot price to pay per instance-hour; AWS interrupts an instance that becomes more expensive.",
        show_default="1.5 times the price in today's most expensive zone",
    ),
]
EbsKey = Annotated[
    str,
    typer.Option("--ebs-key", metavar="KEY", help="KMS key ID, alias or ARN that encrypts the instances' disks."),
]
InstanceTypes = Annotated[
    list[str] | None,
    typer.Option(
        "--instance-type",
        metavar="TYPE",
        help="EC2 instance type; repeat it to let AWS choose among several.",
        show_default="g4dn.xlarge",
    ),
]
FleetModel = Annotated[
    str,
    typer.Option(
        help="Dolphin 1.0 or 1.5: Hub id (with @revision), s3:// folder, or /model for weights inside the image.",
        show_default="ByteDance/Dolphin-1.5",
        metavar="MODEL",
    ),
]
AmiName = Annotated[
    str,
    typer.Option(
        "--ami",
        metavar="ID",
        help="AMI with the NVIDIA driver, Docker and the AWS CLI: ID or SSM parameter.",
        show_default="the newest AWS Deep Learning Base AMI",
    ),
]
KeyName = Annotated[
    str,
    typer.Option(help="Name of the EC2 key pair for SSH.", show_default="none", metavar="NAME"),
]
Stack = Annotated[
    str,
    typer.Option(help="Name of the CloudFormation stack that `setup` created.", metavar="NAME"),
]
OptionalOutput = Annotated[
    str, typer.Argument(metavar="OUTPUT", help="Folder or s3://bucket/prefix/ with the Markdown.")
]
MaxHours = Annotated[
    float | None,
    typer.Option(
        min=0.5,
        max=720,
        help="Terminate all instances after this many hours.",
        show_default="3 times the expected time, from 2 to 48",
        metavar="HOURS",
    ),
]
MaxCost = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        metavar="DOLLARS",
        help="Stop the instances before they, and an endpoint's answers, cost more than this.",
    ),
]
Image = Annotated[
    str,
    typer.Option(
        help="Docker image of the workers.",
        show_default="the newest in the stack's ECR repository",
        metavar="IMAGE",
    ),
]
Subnets = Annotated[
    list[str] | None,
    typer.Option(
        "--subnet", metavar="ID", help="Launch in this subnet; repeatable.", show_default="all of the default VPC"
    ),
]
Tags = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="KEY=VALUE", help="Tag for everything that is created; repeatable."),
]
Pace = Annotated[
    float | None,
    typer.Option(
        "--pages-per-second",
        min=0.001,
        help="Expected speed of one worker; replaces the estimate in the plan.",
        metavar="NUMBER",
    ),
]
Wait = Annotated[
    bool,
    typer.Option("--wait", help="Wait until the run is over; exit codes are those of local-run."),
]
AsPool = Annotated[
    bool,
    typer.Option(
        "--pool",
        help="Hand the work out by an SQS queue: workers can be added and removed with `pdfbatch scale`.",
    ),
]
KeepPartial = Annotated[
    bool,
    typer.Option("--keep-partial", help="Keep the instances that were launched even if some workers could not be."),
]


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


CommandLine = Annotated[
    str,
    typer.Option(
        "--command",
        metavar="'TOOL {in} {out}'",
        help="Convert with this shell command instead: it reads a batch of documents in the folder {in}, and writes "
        "2024/a.md for 2024/a.pdf to the folder {out}. See the manual.",
        show_default=False,
    ),
]
Batch = Annotated[int, typer.Option(min=1, metavar="N", help="Documents that --command gets at a time.")]
BatchSeconds = Annotated[float, typer.Option(min=1, metavar="SECONDS", help="Time limit of --command for one batch.")]
BatchMemory = Annotated[
    int,
    typer.Option(min=0, metavar="MIB", help="Memory limit of each process of --command; 0: none."),
]


def _read_options(
    dpi: Dpi = 200,
    as_published: AsPublished = False,
    keep_hidden: KeepHidden = False,
    join_tables: JoinTables = True,
    keep_headers: KeepHeaders = False,
    page_seconds: PageSeconds = 120.0,
    max_retries: MaxRetries = 2,
    max_failures_in_a_row: FailuresInARow = 20,
    endpoint_url: endpoints.Url = "",
    endpoint_model: endpoints.Model = "",
    endpoint_prompt: endpoints.Prompt = "",
    endpoint_side: endpoints.Side = 1540,
    endpoint_tokens: endpoints.Tokens = 8192,
    endpoint_requests: endpoints.Requests = 32,
    endpoint_price: endpoints.Price = "",
    endpoint_secret: endpoints.KeySecret = "",
    fallback: endpoints.FallbackName = "",
    fallback_below: endpoints.FallbackBelow = 0.9,
    fallback_elements: endpoints.FallbackElements = False,
    command: CommandLine = "",
    batch: Batch = 20,
    batch_seconds: BatchSeconds = 3600.0,
    batch_memory: BatchMemory = 0,
) -> ReadOptions:
    endpoint = None
    if endpoint_url or endpoint_model:
        asked = (endpoint_url, endpoint_model, endpoint_prompt, endpoint_price, endpoint_secret)
        most = {"side": endpoint_side, "most_tokens": endpoint_tokens, "most_requests": endpoint_requests}
        endpoint = endpoints.endpoint_of(*asked).model_copy(update=most)
    return ReadOptions(
        keep_headers=keep_headers,
        page_seconds=page_seconds,
        max_retries=max_retries,
        dpi=dpi,
        as_published=as_published,
        keep_hidden=keep_hidden,
        join_tables=join_tables,
        failures_in_a_row=max_failures_in_a_row,
        endpoint=endpoint,
        fallback=endpoints.fallback_of(fallback),
        fallback_below=fallback_below,
        fallback_elements=fallback_elements,
        command=Command(line=command, batch=batch, seconds=batch_seconds, memory_mib=batch_memory),
    )


def with_read_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command, in place of its parameter `read`, the options that make up this value. Pages are not among
    them."""
    own = inspect.signature(command, eval_str=True)
    parts = inspect.signature(_read_options, eval_str=True).parameters

    @functools.wraps(command)
    def run(**given: Any) -> None:
        read = _read_options(**{name: given.pop(name) for name in parts if name in given})
        command(read=read, **given)

    parameters = [
        part
        for name, parameter in own.parameters.items()
        for part in (parts.values() if name == "read" else [parameter])
    ]
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]  # PEP 362
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
