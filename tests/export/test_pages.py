"""Pages with their pictures, drawn from real PDFs in child processes."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pymupdf
import pytest
from PIL import Image

from pdfbatch.records import Reason
from pdfbatch.store import LocalStore, Store
from tests.export.outputs import Made, a_page, exported, finish


@pytest.fixture
def papers(tmp_path: Path) -> LocalStore:
    """Inputs: one of two pages, the second turned; one damaged beyond drawing; one replaced since it was read."""
    folder = tmp_path / "papers"
    folder.mkdir()
    document = pymupdf.open()
    noise = pymupdf.Pixmap(pymupdf.csRGB, 100, 100, random.Random(1).randbytes(30_000), False)
    for turn in (0, 90):
        page = document.new_page(width=300, height=400)
        page.insert_image(pymupdf.Rect(50, 50, 150, 150), pixmap=noise)
        page.set_rotation(turn)
    document.save(folder / "two.pdf")
    document.save(folder / "replaced.pdf")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\n")
    return LocalStore(folder)


def rows_of(dest: Store) -> list[dict[str, Any]]:
    return [row for path in sorted(Path(dest.url).glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def finish_with(output: Store, papers: LocalStore) -> None:
    etags = {entry.key: entry.etag for entry in papers.list()} | {"replaced.pdf": "another"}
    pages = {
        "two.pdf": [a_page(1, "first"), a_page(2, "second", rotation=90, width=400.0, height=300.0)],
        "replaced.pdf": [a_page(1, "old")],
        "broken.pdf": [a_page(1, reason=Reason.CORRUPT)],
    }
    finish(output, [Made(key, pages[key], {"etag": etag}) for key, etag in etags.items()], input=papers.url)


def test_a_page_has_its_picture_and_its_markdown(output: Store, dest: Store, papers: LocalStore) -> None:
    finish_with(output, papers)
    record = exported(output, dest, "pages", dpi=72).record
    rows = {row["id"].rpartition(">")[2] + row["key"]: row for row in rows_of(dest)}
    first, second = rows["#page=1two.pdf"], rows["#page=2two.pdf"]
    assert (first["markdown"], first["total_pages"], first["read_by"], first["score"]) == ("first", 2, "text", 1.0)
    assert Image.open(io.BytesIO(first["image"]["bytes"])).size == (300, 400)
    assert Image.open(io.BytesIO(second["image"]["bytes"])).size == (400, 300)
    assert json.loads(first["inference_info"])["model"] == "org/model"
    assert rows["#page=1broken.pdf"]["image"] is None
    assert rows["#page=1replaced.pdf"]["image"] is None
    assert record.shards[0].lacking == {"some pictures": 1, "the input that was read": 1}


def test_datasets_shows_the_pictures(output: Store, dest: Store, papers: LocalStore, offline: Path) -> None:
    import datasets

    finish_with(output, papers)
    exported(output, dest, "pages", dpi=72)
    loaded = datasets.load_dataset(dest.url, split="train", cache_dir=str(offline))
    assert isinstance(loaded.features["image"], datasets.Image)
    sizes = {(row["key"], row["page"]): row["image"] and row["image"].size for row in loaded}
    assert sizes == {
        ("broken.pdf", 1): None,
        ("replaced.pdf", 1): None,
        ("two.pdf", 1): (300, 400),
        ("two.pdf", 2): (400, 300),
    }


def test_a_document_larger_than_a_file_continues_in_the_next(output: Store, dest: Store, papers: LocalStore) -> None:
    finish_with(output, papers)
    record = exported(output, dest, "pages", dpi=72, shard_mb=0.08).record
    sizes = [size for shard in record.shards for size in shard.files.values()]
    assert len(sizes) > 1 and max(sizes) <= 80_000
    assert len(rows_of(dest)) == 4


def test_the_inputs_are_hashed_if_asked_for(output: Store, dest: Store, papers: LocalStore) -> None:
    import hashlib

    finish_with(output, papers)
    record = exported(output, dest, "parquet", sha256=True).record
    found = {row["key"]: row["sha256"] for row in rows_of(dest)}
    assert found["two.pdf"] == hashlib.sha256(papers.get("two.pdf")).hexdigest()
    assert found["replaced.pdf"] is None
    assert record.shards[0].lacking == {"the input that was read": 1}
