"""How pages are read, and the value that these options make up."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from pdfbatch.cli.options import endpoint as endpoints
from pdfbatch.cli.options import processors
from pdfbatch.cli.options import triage as triages
from pdfbatch.records import (
    Command,
    ReadOptions,
)

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
    triage: triages.Named = "",
    command: CommandLine = "",
    batch: Batch = 20,
    batch_seconds: BatchSeconds = 3600.0,
    batch_memory: BatchMemory = 0,
    also: processors.Also = None,
    also_seconds: processors.AlsoSeconds = 600.0,
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
        triage=triages.triage_of(triage),
        command=Command(line=command, batch=batch, seconds=batch_seconds, memory_mib=batch_memory),
        also=processors.processors_of(also),
        also_seconds=also_seconds,
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
