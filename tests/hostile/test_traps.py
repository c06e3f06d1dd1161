"""Hostile documents, read by the real children of a worker: each has its outcome, and the others are converted."""

from __future__ import annotations

import re
import resource
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from pdfbatch.documents.page_read import PageRead
from pdfbatch.documents.tasks import read_page
from pdfbatch.engines.base import ChildEngine
from pdfbatch.records import Chosen, Outcome, ReadOptions, Reason
from pdfbatch.runs.begin import Request, begin
from pdfbatch.runs.ledger import newest
from pdfbatch.runs.partition import Slice
from pdfbatch.runs.verify import verify
from pdfbatch.store import open_store
from pdfbatch.worker.loop import SliceRun
from pdfbatch.worker.slice_config import SliceConfig
from pdfbatch.worker.stop import Stop
from samples import odd
from samples.many import many_pdfs
from tests.hostile import traps
from tests.worker.begun import now

pytestmark = pytest.mark.slow

MEMORY_MIB = 1024
SECONDS = 8.0
LIBRARIES_MIB = 900
"""What the mapped libraries and models of a child take besides its own memory."""
FINE = 6
OK, TIMEOUT = "ok", Reason.TIMEOUT

EXPECTED: Mapping[str, tuple[str | Reason, ...]] = {
    "deflate_bomb": (Reason.TOO_LARGE,),
    "nested_deflate_bomb": (Reason.TOO_LARGE,),
    "a_bomb_shared_by_many_pages": (Reason.TOO_LARGE,),
    "picture_bomb": (Reason.TOO_LARGE,),
    "object_stream_bomb": (OK,),
    "page_tree_cycle": (Reason.CORRUPT,),
    "page_tree_of_two_that_hold_each_other": (Reason.CORRUPT,),
    "page_that_is_its_own_parent": (OK,),
    "form_that_draws_itself": (OK,),
    "forms_that_double": (TIMEOUT,),
    "arrays_in_arrays": (Reason.CORRUPT,),
    "arrays_in_arrays_of_the_drawing": (Reason.CORRUPT,),
    "object_stream_that_holds_itself": (OK,),
    "outline_that_never_ends": (OK,),
    "name_tree_that_never_ends": (OK,),
    "font_that_draws_itself": (OK,),
    "pattern_that_paints_itself": (Reason.CORRUPT,),
    "length_that_refers_to_itself": (OK,),
    "javascript": (OK,),
    "launch_action": (OK,),
    "remote_go_to": (OK,),
    "links_of_bad_schemes": (OK,),
    "content_in_an_outside_file": (Reason.CORRUPT,),
    "reference_to_another_document": (OK,),
    "embedded_files": (OK,),
    "embedded_name_that_steers": (OK,),
    "a_million_objects": (OK,),
    "a_million_paths": (OK, TIMEOUT),
    "many_annotations": (OK, TIMEOUT),
    "a_page_of_200_inches": (OK,),
    "a_page_of_miles": (OK,),
    "a_page_without_an_end": (OK,),
    "a_page_inside_out": (OK,),
    "very_many_letters": (OK, TIMEOUT),
    "jpeg_in_a_page_that_lies": (Reason.TOO_LARGE,),
    "jbig2_that_lies": (Reason.CORRUPT,),
    "jpx_that_lies": (Reason.CORRUPT,),
    "fax_that_lies": (Reason.TOO_LARGE,),
    "png_that_lies": (Reason.TOO_LARGE,),
    "png_that_inflates": (Reason.TOO_LARGE,),
    "jpeg_that_lies": (Reason.TOO_LARGE,),
    "tiff_that_lies": (Reason.TOO_LARGE,),
    "tiff_that_never_ends": (Reason.TOO_LARGE,),
}
"""How each may end. One that takes long may time out or not, by the speed of the computer."""


def weigh(path: str, number: int, options: ReadOptions, attempt: int = 0) -> PageRead:
    """Reads a page, and notes the most memory that its child ever had, in MiB."""
    try:
        return read_page(path, number, options, attempt)
    finally:
        with (Path(path).parent.parent / "weights").open("a") as log:
            log.write(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}\n")


class Ended(NamedTuple):
    outcomes: Mapping[str, Outcome]
    output: Path
    weights: list[int]
    """The most MiB of each child, after each page."""
    calls: list[socket.socket]
    """Connections that were made to the address that the documents name."""

    def markdown(self, name: str) -> str:
        return (self.output / f"{name}.md").read_text()


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, loaded_children: None) -> Ended:
    """All hostile documents, and a few fine ones between them, converted by one worker of two children."""
    folder = tmp_path_factory.mktemp("traps")
    source, out = folder / "in", folder / "out"
    many_pdfs(source, FINE)
    for name, made in {**{f"{name}.pdf": made for name, made in traps.PDFS.items()}, **traps.PICTURES}.items():
        (source / name).write_bytes(made())
    inputs, output = open_store(str(source)), open_store(str(out))
    engine = ChildEngine("weigh", weigh, places=[folder])
    options = ReadOptions(page_seconds=SECONDS, memory_mib=MEMORY_MIB, max_retries=0)
    wanted = Request(Slice(0, 1), engine.name, options, chosen=Chosen(include=["*"]))
    with listening() as calls:
        begun = begin(inputs, output, wanted, now)
        job = SliceConfig(begun.manifest, begun.documents, 0, inputs, output, engine, 2, 1.0, now)
        SliceRun(job, Stop()).run()
    weights = [int(line) for line in (folder / "weights").read_text().split()]
    return Ended({Path(each.key).stem: each for each in newest(output, None).values()}, out, weights, calls)


@contextmanager
def listening() -> Iterator[list[socket.socket]]:
    """Accepts connections at the address that the documents name, and yields the list of them."""
    calls: list[socket.socket] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                calls.append(server.accept()[0])

    with socket.create_server(("127.0.0.1", traps.PORT)) as server:
        threading.Thread(target=accept, daemon=True).start()
        yield calls


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_hostile_document_ends_as_expected(ended: Ended, name: str) -> None:
    outcome = ended.outcomes[name]
    assert (outcome.reason or outcome.outcome) in EXPECTED[name], outcome.detail
    assert outcome.outcome == "ok" or outcome.detail


def test_every_document_has_an_outcome_and_the_fine_ones_are_converted(ended: Ended) -> None:
    fine = [name for name in ended.outcomes if name.startswith("doc-")]
    assert len(fine) == FINE and set(ended.outcomes) == {*EXPECTED, *fine}
    assert {Path(name).stem for name in (*traps.PDFS, *traps.PICTURES)} == set(EXPECTED)
    assert [ended.outcomes[name].outcome for name in fine] == [OK] * FINE
    assert verify(open_store(str(ended.output))).sound


def test_no_child_took_more_memory_than_its_limit(ended: Ended) -> None:
    assert len(ended.weights) > len(EXPECTED) / 2
    assert max(ended.weights) < MEMORY_MIB + LIBRARIES_MIB


def test_no_document_called_home(ended: Ended) -> None:
    assert ended.calls == []


@pytest.mark.parametrize("name", [name for name, ends in EXPECTED.items() if ends == (OK,)])
def test_what_a_viewer_shows_of_a_hostile_document_is_read(ended: Ended, name: str) -> None:
    assert odd.LINES[0] in ended.markdown(name).replace("\n", " ")


def test_no_hostile_document_puts_an_action_into_its_markdown(ended: Ended) -> None:
    for name in traps.PDFS:
        if (ended.output / f"{name}.md").exists():
            shown = ended.markdown(name)
            assert not re.search(r"\]\((?!figures/|[\w%.-]+/figures/|https?:|mailto:)", shown), name
            assert "<script" not in shown and "root:" not in shown and "submitForm" not in shown
