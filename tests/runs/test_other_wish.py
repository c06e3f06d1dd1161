"""A run is resumed only by a request for the same files and the same pages."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pdfbatch.records import Chosen, ReadOptions
from pdfbatch.runs.begin import Request, begin, followed
from pdfbatch.runs.partition import Slice
from pdfbatch.store import open_store

AT = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = Request(Slice(0, 1), "null", ReadOptions(pages="1-3"), chosen=Chosen(named=["a.pdf"]))


@pytest.mark.parametrize(
    ("wanted", "how"),
    [
        (FIRST, "resumed"),
        (FIRST._replace(options=ReadOptions(pages=" 1-2,3 ")), "resumed"),
        (FIRST._replace(options=ReadOptions(pages="4-")), "new"),
        (FIRST._replace(options=ReadOptions()), "new"),
        (FIRST._replace(chosen=Chosen(named=["a.pdf", "b.pdf"])), "new"),
        (FIRST._replace(chosen=Chosen()), "new"),
    ],
)
def test_a_run_is_resumed_by_the_same_wish_alone(tmp_path: Path, wanted: Request, how: str) -> None:
    for name in ("a.pdf", "b.pdf"):
        (tmp_path / name).write_bytes(b"")
    source, output = open_store(str(tmp_path)), open_store(str(tmp_path / "out"))
    first = begin(source, output, FIRST, lambda: AT)
    again = begin(source, output, wanted, lambda: AT + timedelta(hours=1))
    assert again.how == how
    assert (again.manifest.run == first.manifest.run) == (how == "resumed")
    assert followed("null", "", wanted.options, first.manifest, None) == (
        first.manifest.run if wanted.options == FIRST.options else None
    )
