"""`--jsonl`: one JSON object a line for each document, as the ledger has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pdfbatch.cli.console import show

if TYPE_CHECKING:
    from pdfbatch.store import Store


def show_lines(store: Store, run: str, *, failed_only: bool = False) -> None:
    """Those of a run, by key; with `failed_only` the failed and the partial ones alone."""
    from pdfbatch.runs.ledger import outcomes_of_run

    for outcome in outcomes_of_run(store, run):
        if not (failed_only and outcome.outcome == "ok"):
            show(outcome.model_dump_json())
