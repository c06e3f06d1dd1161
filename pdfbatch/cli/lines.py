"""`--jsonl`: one JSON object per line, for each document, as in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pdfbatch.cli.console import show

if TYPE_CHECKING:
    from pdfbatch.store import Store


def show_lines(store: Store, run: str, *, failed_only: bool = False) -> None:
    """Prints a run's documents by key; with `failed_only` only the failed and partial ones."""
    from pdfbatch.runs.ledger import outcomes_of_run

    for outcome in outcomes_of_run(store, run):
        if not (failed_only and outcome.outcome == "ok"):
            show(outcome.model_dump_json())
