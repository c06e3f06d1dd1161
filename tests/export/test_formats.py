"""Each format read back by the library that its users use."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pdfbatch.export.content import BETWEEN_PAGES, JoinedText, joined_text
from pdfbatch.export.rows import FINEPDFS, SCHEMA
from pdfbatch.records import DoneMark, FleetRecord, Heartbeat, Machine, Reason, RunKeys, output_key
from pdfbatch.records.run import Counts
from pdfbatch.store import LocalStore, Store
from tests.export.outputs import AT, RUN, Made, a_page, exported, finish, some_documents
from tests.export.rich import RICH

FINEPDFS_COLUMNS = (
    "text string, id string, dump string, url string, date string, file_path string, offset int64, token_count int64, "
    "language string, page_average_lid string, page_average_lid_score double, full_doc_lid string, "
    "full_doc_lid_score double, per_page_languages list<element: string>, is_truncated bool, extractor string, "
    "page_ends list<element: int64>"
)
HOSTILE = [
    Made("null \x01 and\nbreak.pdf", [a_page(1, "a\0b\u2028c\x1b[0m", "\ufffd --- # | `x`")]),
    Made("'quotes\" and \\ and \u202e.pdf", [a_page(1, "---\nkey: value\n---")]),
    Made("emoji \U0001f600 é.PNG", [a_page(1, "<!-- page 7 -->", "{}")]),
    Made("a/" * 20 + "deep.pdf", [a_page(1)]),
]


def tables(dest: Store) -> list[dict[str, Any]]:
    paths = sorted(Path(dest.url).glob("part-*.parquet"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def lines(dest: Store, folder: str = "") -> list[dict[str, Any]]:
    return [json.loads(line) for path in sorted((Path(dest.url) / folder).glob("part-*")) for line in _lines(path)]


def _lines(path: Path) -> Iterator[bytes]:
    opened: Any = {".gz": gzip.open, ".zst": zstandard.open}.get(path.suffix, open)(path, "rb")
    with opened as file:
        yield from file.read().split(b"\n")[:-1]


def test_parquet_has_the_columns_of_finepdfs_first_and_in_their_order(output: Store, dest: Store) -> None:
    finish(output, some_documents(2))
    exported(output, dest, "parquet")
    schema = pq.read_schema(next(Path(dest.url).glob("*.parquet")))
    assert ", ".join(f"{field.name} {field.type}" for field in schema)[: len(FINEPDFS_COLUMNS)] == FINEPDFS_COLUMNS
    assert schema.names[: len(FINEPDFS)] == FINEPDFS.names
    assert schema.equals(SCHEMA)


def test_parquet_is_compressed_with_zstd_and_has_an_index_of_pages(output: Store, dest: Store) -> None:
    finish(output, some_documents(2))
    exported(output, dest, "parquet")
    column = pq.read_metadata(next(Path(dest.url).glob("*.parquet"))).row_group(0).column(0)
    assert (column.compression, column.has_column_index, column.has_offset_index) == ("ZSTD", True, True)


def test_a_row_says_where_its_text_comes_from(output: Store, dest: Store) -> None:
    pages = [a_page(1, "Some words on the first page."), a_page(3, reason=Reason.TIMEOUT, read_by="", score=0.0)]
    partial = {
        "outcome": "partial",
        "reason": Reason.TIMEOUT,
        "failed_pages": [(3, Reason.TIMEOUT)],
        "asked_pages": "1,3",
        "digest": "d1",
    }
    finish(output, [Made("a/b.pdf", pages, partial)], model="org/model@abc123", pdfbatch="9.9")
    exported(output, dest, "parquet")
    (row,) = tables(dest)
    known = {name: row[name] for name in SCHEMA.names if name not in ("id", "token_count", "full_doc_lid_score")}
    score = known.pop("page_average_lid_score")
    assert 0.5 < score <= 1
    assert known == {
        "text": "Some words on the first page.",
        "dump": RUN,
        "url": "s3://papers/pdfs/a/b.pdf",
        "date": AT,
        "file_path": "s3://papers/pdfs/a/b.pdf",
        "offset": None,
        "language": "eng_Latn",
        "page_average_lid": "eng_Latn",
        "full_doc_lid": "eng_Latn",
        "per_page_languages": ["eng_Latn", "unknown"],
        "is_truncated": True,
        "extractor": "cpu",
        "page_ends": [29, 29],
        "key": "a/b.pdf",
        "outcome": "partial",
        "reason": "timeout",
        "sha256": None,
        "etag": "etag",
        "digest": "d1",
        "size": 100,
        "attempt": 1,
        "same_as": None,
        "pages": 2,
        "page_numbers": [1, 3],
        "unread_pages": [3],
        "page_engines": ["text", ""],
        "page_reasons": [None, "timeout"],
        "page_scores": [1.0, 0.0],
        "model": "org/model",
        "model_revision": "abc123",
        "pdfbatch_version": "9.9",
        "seconds": 1.5,
        "dollars": None,
    }


def test_dollars_are_those_of_the_report_divided_by_pages(output: Store, dest: Store) -> None:
    copy = {"same_as": "folder/0000.pdf"}
    finish(output, [*some_documents(2), Made("copy.pdf", [a_page(1, "x"), a_page(2, "y")], copy)])
    _bill(output, pages=4, hours=2.0, price=0.5)
    exported(output, dest, "parquet")
    dollars = {row["key"]: row["dollars"] for row in tables(dest)}
    assert dollars["copy.pdf"] == 0.0
    assert sum(dollars.values()) == pytest.approx(2.0 * 0.5, rel=0.05)
    assert dollars["folder/0000.pdf"] == dollars["folder/0001.pdf"]


def _bill(output: Store, pages: int, hours: float, price: float) -> None:
    """Adds the records of a fleet whose one instance worked for some hours and is done."""
    keys = RunKeys(RUN)
    machine = Machine(instance="i-1", type="g5.xlarge", zone="us-east-1a", booted="2026-01-01T00:00:00Z")
    counts = Counts(total=3, ok=3, pages_read=pages)
    end = f"2026-01-01T{int(hours):02}:00:00Z"
    fleet = FleetRecord(
        run=RUN,
        region="us-east-1",
        launched="2026-01-01T00:00:00Z",
        deadline="2026-01-01T12:00:00Z",
        end="2026-01-01T13:00:00Z",
        expiry="2026-01-01T14:00:00Z",
        instance_types=["g5.xlarge"],
        prices={"g5.xlarge@us-east-1a": price},
        worst_price=price,
        image="image",
        ami="ami",
        log_group="group",
    )
    known: dict[str, Any] = {"worker": 0, "at": end, "session": "s", "counts": counts}
    beat = Heartbeat(state="done", started=machine.booted, machine=machine, **known)
    output.put(keys.fleet, fleet.model_dump_json().encode())
    output.put(keys.heartbeat(0), beat.model_dump_json().encode())
    output.put(keys.done_mark(0), DoneMark(why="done", **known).model_dump_json().encode())


def test_page_ends_cut_the_text_into_the_pages_of_the_markdown(output: Store, dest: Store) -> None:
    finish(output, [*some_documents(3, pages=4), *RICH])
    exported(output, dest, "parquet")
    for row in tables(dest):
        markdown = output.get(output_key(row["key"])).decode()
        ends = row["page_ends"]
        cut = [row["text"][begin:end].strip("\n") for begin, end in zip([0, *ends[:-1]], ends, strict=True)]
        parts = [part.partition(" -->\n")[2].strip("\n") for part in markdown.split("<!-- page ")[1:]]
        assert cut == parts
        assert ends[-1] == len(row["text"])


def test_a_page_without_text_ends_where_it_begins() -> None:
    assert joined_text(["", "ab", "", "c", ""]) == JoinedText("ab\n\nc", [0, 4, 4, 5, 5])
    assert joined_text([]) == JoinedText("", [])


@given(st.lists(st.text("ab \n\u2028é", max_size=6), max_size=8))
def test_the_ends_of_pages_cut_any_text_into_its_pages(pages: list[str]) -> None:
    text, ends = joined_text(pages)
    cut = [text[begin:end] for begin, end in zip([0, *ends[:-1]], ends, strict=True)] if ends else []
    assert all(part in (page, page + BETWEEN_PAGES) for part, page in zip(cut, pages, strict=True))
    assert "".join(cut) == text


def test_datasets_loads_the_parquet_files(output: Store, dest: Store, offline: Path) -> None:
    import datasets

    finish(output, [*some_documents(3), *RICH])
    exported(output, dest, "parquet")
    loaded = datasets.load_dataset(dest.url, split="train", cache_dir=str(offline))
    assert loaded.column_names == SCHEMA.names
    assert list(loaded["key"]) == ["folder/0000.pdf", "folder/0001.pdf", "folder/0002.pdf", "rich.pdf"]


def test_datatrove_reads_the_parquet_files_and_the_lines(output: Store, dest: Store) -> None:
    from datatrove.pipeline.readers import JsonlReader, ParquetReader

    finish(output, some_documents(3))
    for form, folder, reader in (("parquet", "", ParquetReader), ("dolma", "documents", JsonlReader)):
        place = LocalStore(Path(dest.url) / form)
        exported(output, place, form)
        read = list(reader(str(Path(place.url) / folder), glob_pattern="part-*")())
        assert len(read) == 3
        assert {document.text[:14] for document in read} == {"This is page 1"}
        assert all(document.id.startswith("<urn:uuid:") for document in read)


@pytest.mark.parametrize("compression", ["zstd", "gzip", "none"])
def test_dolma_documents_have_attributes_in_the_same_rows(output: Store, dest: Store, compression: str) -> None:
    finish(output, [*some_documents(3, pages=3), *HOSTILE])
    exported(output, dest, "dolma", compression=compression)
    documents, attributes = lines(dest, "documents"), lines(dest, "attributes/pdf_pages")
    assert [one["id"] for one in documents] == [one["id"] for one in attributes]
    folders = [Path(dest.url) / name for name in ("documents", "attributes/pdf_pages")]
    assert [path.name for path in folders[0].iterdir()] == [path.name for path in folders[1].iterdir()]
    for document, attribute in zip(documents, attributes, strict=True):
        _check_dolma(document, attribute)


def _check_dolma(document: dict[str, Any], attribute: dict[str, Any]) -> None:
    """Checks the rules of allenai/dolma, docs/data-format.md."""
    assert {name: type(document[name]) for name in ("id", "text", "source")} == dict.fromkeys(
        ("id", "text", "source"), str
    )
    assert document.keys() <= {"id", "text", "source", "added", "created", "metadata"}
    assert attribute.keys() == {"id", "source", "attributes"}
    assert attribute["source"] == document["source"]
    for spans in attribute["attributes"].values():
        assert all(0 <= begin <= end <= len(document["text"]) for begin, end, _ in spans)
    pages = attribute["attributes"]["pdf_page_numbers"]
    assert "".join(document["text"][begin:end] for begin, end, _ in pages) == document["text"]
    assert [page for *_, page in pages] == document["metadata"]["page_numbers"]


def test_docling_core_loads_every_document(output: Store, dest: Store) -> None:
    from docling_core.types.doc import DoclingDocument

    finish(output, [*some_documents(2), *RICH, *HOSTILE])
    exported(output, dest, "docling")
    loaded = [
        DoclingDocument.model_validate_json(line) for path in Path(dest.url).glob("part-*") for line in _lines(path)
    ]
    assert len(loaded) == 2 + len(RICH) + len(HOSTILE)
    for document in loaded:
        document.validate_tree(document.body)
        document.export_to_markdown()


def test_docling_core_sees_the_structure_of_a_document(output: Store, dest: Store) -> None:
    from docling_core.types.doc import ContentLayer, DoclingDocument

    finish(output, RICH)
    exported(output, dest, "docling", compression="none")
    (line,) = lines(dest)
    document = DoclingDocument.model_validate(line)
    texts = {str(item.label): item for item in document.texts}
    assert (texts["title"].text, texts["section_header"].text) == ("A title", "Results")
    assert texts["section_header"].level == 1
    assert [(item.text, item.marker, item.enumerated) for item in document.texts if item.label == "list_item"] == [
        ("first", "1.", True),
        ("nested", "-", False),
        ("second", "2.", True),
    ]
    assert (texts["formula"].text, texts["code"].text) == ("x^2", "print(1)\nprint(2)")
    (table,), (picture,) = document.tables, document.pictures
    assert (table.data.num_rows, table.data.num_cols, table.caption_text(document)) == (3, 2, "Table 1. Things.")
    assert [(cell.text, cell.col_span, cell.column_header) for cell in table.data.table_cells][:2] == [
        ("both", 2, True),
        ("1", 1, False),
    ]
    assert picture.caption_text(document) == "Figure 1. A curve."
    assert picture.image is not None and str(picture.image.uri).endswith("rich/figures/page-0001-009.png")
    layers = {item.text: item.content_layer for item in document.texts}
    assert (layers["7"], layers["ignore this"]) == (ContentLayer.FURNITURE, ContentLayer.INVISIBLE)
    joined = next(item for item in document.texts if item.text.startswith("A paragraph"))
    assert [(prov.page_no, prov.charspan) for prov in joined.prov] == [(1, (0, 24)), (2, (24, 42))]
    box = joined.prov[0].bbox.to_bottom_left_origin(document.pages[1].size.height)
    assert (box.l, box.t, box.b) == (50, 842 - 300, 842 - 320)


def test_chunks_have_their_headings_pages_and_boxes(output: Store, dest: Store) -> None:
    finish(output, RICH)
    exported(output, dest, "chunks", tokens=40)
    chunks = lines(dest)
    assert all(chunk["tokens"] <= 40 for chunk in chunks)
    assert {tuple(chunk["meta"].get("headings", ())) for chunk in chunks} == {("A title", "Results")}
    joined = next(chunk for chunk in chunks if "A paragraph" in chunk["text"])
    assert joined["pages"] == [1, 2]
    assert {"page": 1, "l": 50, "t": 300, "r": 300, "b": 320} in joined["boxes"]
    table = next(chunk for chunk in chunks if "|1|2|" in chunk["text"])
    assert "|both|both|\n|---|---|" in table["text"]
    assert "ignore this" not in json.dumps([chunk["text"] for chunk in chunks])


def test_the_elements_of_a_chunk_are_items_that_docling_core_knows(output: Store, dest: Store) -> None:
    from docling_core.types.doc import DocumentOrigin
    from docling_core.types.doc.document import DocItem

    finish(output, RICH)
    exported(output, dest, "chunks")
    for chunk in lines(dest):
        meta = chunk["meta"]
        assert meta["schema_name"] == "docling_core.transforms.chunker.DocMeta"
        assert meta.keys() <= {"schema_name", "version", "doc_items", "headings", "origin"}
        items = [DocItem.model_validate(item) for item in meta["doc_items"]]
        assert items and all(item.prov for item in items)
        DocumentOrigin.model_validate(meta["origin"])


def test_text_longer_than_a_chunk_is_split_and_nothing_is_lost(output: Store, dest: Store) -> None:
    long = " ".join(f"Sentence number {number} of a very long paragraph." for number in range(200))
    unbroken = "x" * 5000
    finish(output, [Made("long.pdf", [a_page(1, long, unbroken)])])
    exported(output, dest, "chunks", tokens=64)
    chunks = lines(dest)
    assert max(chunk["tokens"] for chunk in chunks) <= 64
    text = "".join(chunk["text"] for chunk in chunks)
    assert "".join(text.split()) == "".join((long + unbroken).split())


@pytest.mark.parametrize("form", ["parquet", "dolma", "docling", "chunks"])
def test_hostile_names_and_texts_are_exported(form: str, output: Store, dest: Store) -> None:
    finish(output, HOSTILE)
    record = exported(output, dest, form).record
    assert sum(shard.documents for shard in record.shards) == len(HOSTILE)
    rows = tables(dest) if form == "parquet" else lines(dest, "documents" if form == "dolma" else "")
    holders = [row["origin"] if form == "docling" else row["metadata"] if form == "dolma" else row for row in rows]
    keys = {holder["filename"] if form == "docling" else holder["key"] for holder in holders}
    assert keys >= {"emoji \U0001f600 é.PNG", "null \x01 and\nbreak.pdf"}


def test_a_document_without_elements_is_counted(output: Store, dest: Store) -> None:
    finish(output, some_documents(2))
    output.delete(["folder/0000.json"])
    record = exported(output, dest, "docling").record
    assert (record.shards[0].documents, record.shards[0].rows, record.shards[0].lacking) == (2, 1, {"elements": 1})


def test_elements_of_another_version_of_the_document_are_not_used(output: Store, dest: Store) -> None:
    finish(output, some_documents(1))
    output.put("folder/0000.json", output.get("folder/0000.json").replace(b'"etag":"etag"', b'"etag":"newer"'))
    exported(output, dest, "parquet")
    assert tables(dest)[0]["page_engines"] == [None, None]


def test_front_matter_is_yaml(output: Store, dest: Store) -> None:
    made = [*some_documents(1), *RICH, *HOSTILE]
    finish(output, made)
    exported(output, dest, "markdown", front_matter=True)
    for one in made:
        text = dest.get(output_key(one.key)).decode()
        _, head, body = text.split("---\n", 2)
        fields = yaml.safe_load(head)
        assert fields["source"] == f"s3://papers/pdfs/{one.key}"
        assert fields.get("title") == ("A title" if one in RICH else None)
        assert body == "\n" + output.get(output_key(one.key)).decode()


def test_markdown_comes_with_its_figures(output: Store, dest: Store) -> None:
    finish(output, RICH)
    output.put("rich/figures/page-0001-009.png", b"picture")
    exported(output, dest, "markdown")
    assert dest.get("rich/figures/page-0001-009.png") == b"picture"
    assert dest.get("rich.md") == output.get("rich.md")


def test_every_column_of_pages_is_a_feature_of_datasets(output: Store) -> None:
    from pdfbatch.export.page_rows import SCHEMA as PAGES

    features = json.loads((PAGES.metadata or {})[b"huggingface"])["info"]["features"]
    assert list(features) == PAGES.names
    assert PAGES.field("image").type == pa.struct([("bytes", pa.binary()), ("path", pa.string())])
