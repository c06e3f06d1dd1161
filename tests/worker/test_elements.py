"""A document's elements are beside its Markdown, and the Markdown is written from them alone."""

import json
from pathlib import Path

import jsonschema
import pytest

from pdfbatch.demo import pdfs as demo
from pdfbatch.engines import engine_named
from pdfbatch.markdown.document import document_markdown
from pdfbatch.records import DocumentElements
from tests.worker.conftest import RunSlice


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cpu", "null"])
def test_every_engine_returns_elements_that_fit_the_schema_and_give_the_markdown(
    name: str, pdfs: Path, out: Path, run_slice: RunSlice
) -> None:
    demo.write_demo(pdfs)
    run_slice(engine_named(name))
    told = sorted(path for path in out.glob("*.json"))
    assert len(told) == len(list(out.glob("*.md"))) > 3
    for path in told:
        jsonschema.validate(json.loads(path.read_text()), DocumentElements.model_json_schema())
        document = DocumentElements.model_validate_json(path.read_text())
        assert document_markdown(document) == path.with_suffix(".md").read_text()
        assert all(page.width > 0 for page in document.pages) or name == "null"
