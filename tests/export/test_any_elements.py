"""Whatever elements a reader returns, docling-core loads the document, and chunks keep their promises."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdfbatch.export.catalogue import Item, RunBook
from pdfbatch.export.chunks import chunks_of
from pdfbatch.export.content import Content
from pdfbatch.export.docling import built
from pdfbatch.export.lines import json_row
from pdfbatch.records import Cell, Element, Label, Outcome, Page, Span
from pdfbatch.store import LocalStore

_TEXT = st.text(alphabet=st.sampled_from("ab |$<#-\n\0\u202e\ud800é中\U0001f600"), max_size=12)
_SPANS = st.lists(st.builds(Span, text=_TEXT, math=st.booleans(), bold=st.booleans()), max_size=2)
_SMALL = st.integers(min_value=0, max_value=3)
_CELLS = st.lists(
    st.builds(
        Cell,
        row=_SMALL,
        column=_SMALL,
        rows=st.integers(1, 5),
        columns=st.integers(1, 5),
        header=st.booleans(),
        spans=_SPANS,
    ),
    max_size=5,
)
_ELEMENTS = st.lists(
    st.builds(
        Element,
        label=st.sampled_from(Label),
        box=st.tuples(*[st.floats(0, 800)] * 4),
        spans=_SPANS,
        cells=_CELLS,
        level=st.integers(0, 6),
        marker=st.sampled_from(["", "-", "1.", "(a)", "[x]", "[ ]"]),
        figure=st.sampled_from(["", "page-0001-001.png"]),
        dropped=st.sampled_from(["", "", "repeated", "hidden"]),
        continues=st.booleans(),
    ),
    max_size=8,
)
_PAGES = st.lists(_ELEMENTS, max_size=3).map(
    lambda pages: [Page(number=n, width=595, height=842, elements=page) for n, page in enumerate(pages, start=1)]
)
_KEYS = st.sampled_from(["a.pdf", "a b/ü #?.PDF", "x/y.png", "\u202e%2F\n.pdf"])


def content_of(key: str, folder: Path) -> Content:
    """Returns a document of a run whose manifest is lost."""
    line = Outcome(key=key, outcome="ok", etag="e").model_dump_json()
    return Content(Item(key, "run", line, "e", "e"), RunBook(LocalStore(folder), {}), b"", None)


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_PAGES, _KEYS)
def test_docling_core_loads_a_document_of_any_elements(tmp_path: Path, pages: list[Page], key: str) -> None:
    from docling_core.types.doc import DoclingDocument

    made = built(content_of(key, tmp_path), pages, "s3://papers/out/")
    document = DoclingDocument.model_validate_json(json_row(made.document).value)
    assert document.validate_tree(document.body)
    assert len(document.pages) == len(pages)


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_PAGES, st.integers(16, 40))
def test_chunks_of_any_elements_fit_and_have_their_places(tmp_path: Path, pages: list[Page], most: int) -> None:
    from pdfbatch.export.tokens import count_tokens

    for chunk in chunks_of(content_of("a.pdf", tmp_path), pages, "s3://papers/out/", most):
        assert count_tokens(chunk.whole) <= most
        assert chunk.text.strip()
        assert all(placed.boxes for placed in chunk.placed)
