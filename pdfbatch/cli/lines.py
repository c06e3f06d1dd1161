"""`--jsonl`: one JSON object per line, for each document, as in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pdfbatch.cli.console import show

if TYPE_CHECKING:
    from pdfbatch.store import Store


def show_lines(store: Store, run: str | None, *, failed_only: bool = False) -> None:
    """Prints documents by key: those of a run, or (None) the final outcome of every document over all runs. With
    `failed_only` only the failed and partial ones."""
    from pdfbatch.runs.ledger import newest

    for outcome in newest(store, run).values():
        if not (failed_only and outcome.outcome == "ok"):
            show(outcome.model_dump_json())
