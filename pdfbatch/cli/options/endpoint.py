"""The options of a model behind an address, as the engine and as a fallback."""

from pathlib import Path
from typing import Annotated

import typer

from pdfbatch.errors import UsageError
from pdfbatch.records import KEY_VARIABLE, EndpointOptions, EndpointPrice, Fallback, Secret, checked_url

Url = Annotated[
    str,
    typer.Option(
        "--endpoint-url",
        metavar="URL",
        help="Address of a model that speaks OpenAI's API, as https://HOST/v1; page images are sent there. Its key is "
        f"read from {KEY_VARIABLE} in the environment.",
        show_default=False,
    ),
]
Model = Annotated[
    str,
    typer.Option("--endpoint-model", metavar="NAME", help="The model's name there.", show_default=False),
]
Prompt = Annotated[
    str,
    typer.Option(
        "--endpoint-prompt",
        metavar="TEXT|@FILE",
        help="What the model is asked with each page image; a model for OCR may want a prompt of its own.",
        show_default="a request for Markdown, see docs/endpoint.md",
    ),
]
Side = Annotated[
    int,
    typer.Option(
        "--endpoint-side", min=256, max=4096, metavar="PIXELS", help="Longer side of the page images that are sent."
    ),
]
Tokens = Annotated[
    int,
    typer.Option("--endpoint-tokens", min=16, metavar="N", help="Most tokens of one answer."),
]
Requests = Annotated[
    int,
    typer.Option(
        "--endpoint-requests",
        min=1,
        max=512,
        metavar="N",
        help="Most requests at once, for each worker. It begins with 2 and finds out how many the endpoint takes.",
    ),
]
Price = Annotated[
    str,
    typer.Option(
        "--endpoint-price",
        metavar="IN,OUT",
        help="Dollars per million tokens, read and written; counted against --max-cost.",
        show_default="nothing is counted",
    ),
]
KeySecret = Annotated[
    str,
    typer.Option(
        "--endpoint-secret",
        metavar="ARN",
        help="Secrets Manager secret or SSM parameter with the endpoint's key, for a fleet. Only the instances read "
        "it, with their role.",
        show_default=False,
    ),
]
FallbackName = Annotated[
    str,
    typer.Option(
        "--fallback",
        metavar="ENGINE",
        help="endpoint: pages that the engine could not read, or not well, are read by the model at --endpoint-url.",
        show_default="none",
    ),
]
FallbackBelow = Annotated[
    float,
    typer.Option(
        "--fallback-below", min=0, max=1, metavar="SCORE", help="Pages with a lower score were not read well."
    ),
]
FallbackElements = Annotated[
    bool,
    typer.Option(
        "--fallback-elements",
        help="On all other pages, the fallback reads formulas, paragraphs full of mathematics and unclear tables, each "
        "cut out alone.",
    ),
]
LocalMaxCost = Annotated[
    float | None,
    typer.Option(
        "--max-cost",
        min=0.000001,
        metavar="DOLLARS",
        help="Stop when the endpoint's answers have cost this much, at --endpoint-price. Answers under way are still "
        "paid for; the same command resumes.",
    ),
]


def endpoint_of(url: str, model: str, prompt: str, price: str, secret: str) -> EndpointOptions:
    """Returns the endpoint as it was typed.

    Raises:
        UsageError: a part of it is missing or wrong.
    """
    if not url or not model:
        missing = "--endpoint-model" if url else "--endpoint-url"
        raise UsageError(f"An endpoint needs its address and its model: {missing} is missing.", f"Add {missing}.")
    given = {"prompt": _prompt(prompt)} if prompt else {}
    return EndpointOptions(
        url=checked_url(url),
        model=model,
        price=EndpointPrice.read(price) if price else None,
        secret=Secret.read(secret).arn if secret else "",
        **given,
    )


def _prompt(text: str) -> str:
    """Returns a prompt, read from a file if it is @FILE."""
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).expanduser().read_text("utf-8").strip()
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"The prompt {text[1:]} cannot be read: {reason}.", "Give --endpoint-prompt @FILE.") from None


def fallback_of(name: str) -> Fallback:
    """Returns a fallback by its name; "": none."""
    if name not in ("", "endpoint"):
        raise UsageError(f"{name!r} cannot be a fallback.", "Give --fallback endpoint.")
    return "endpoint" if name else ""
