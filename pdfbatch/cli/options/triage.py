"""The option that says what decides which pages the model reads."""

import os
from typing import Annotated

import typer

from pdfbatch.records import Triage

Named = Annotated[
    str,
    typer.Option(
        "--triage",
        metavar="MODEL|FILE",
        help="Decide by a trained triage, in place of the rules, which pages the model or the fallback reads: "
        "models:/NAME@ALIAS in MLflow, or a file of `pdfbatch triage train`.",
        show_default="the rules: an untrusted text layer, or a low score",
    ),
]


def triage_of(named: str) -> Triage | None:
    """Returns the triage that was named, as it is frozen in the manifest; None if none was."""
    if not named:
        return None
    from pdfbatch.triage.registry import resolve

    return resolve(named, os.environ)
