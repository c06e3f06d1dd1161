"""What an event looks like: CloudEvents 1.0, with the same id each time."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdfbatch.delivery.cloud_event import batch_json, of_end, of_outcome
from pdfbatch.records import Counts, DoneMark, Outcome, Reason
from pdfbatch.runs.progress import Records, summarise
from tests.delivery.stores import MANIFEST, NOW, RUN

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)


def outcome(key: str = "a/b.pdf", **fields: Any) -> Outcome:
    known: dict[str, Any] = {"outcome": "ok", "pages": 3, "etag": "e1", "output": "a/b.md", "at": NOW, "worker": 2}
    return Outcome(key=key, **known | fields)


def test_an_outcome_is_a_cloud_event() -> None:
    event = json.loads(of_outcome(outcome(), MANIFEST).json())
    data = event.pop("data")
    assert event == {
        "specversion": "1.0",
        "id": event["id"],
        "source": "/out/",
        "type": "pdfbatch.document.converted",
        "subject": "a/b.pdf",
        "datacontenttype": "application/json",
        "time": "2026-01-01T12:00:00.000Z",
    }
    wanted = {"run": RUN, "key": "a/b.pdf", "outcome": "ok", "reason": None, "output": "/out/a/b.md", "pages": 3}
    assert {name: data[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, "pdfbatch.document.converted"),
        ({"outcome": "partial", "reason": Reason.TIMEOUT}, "pdfbatch.document.partly_converted"),
        ({"outcome": "failed", "reason": Reason.ENCRYPTED, "output": None}, "pdfbatch.document.failed"),
    ],
)
def test_the_type_tells_how_it_ended(fields: dict[str, Any], kind: str) -> None:
    event = of_outcome(outcome(**fields), MANIFEST)
    assert event.type == kind
    assert event.data["reason"] == fields.get("reason")


@given(KEYS)
def test_any_key_makes_attributes_of_printable_ascii(key: str) -> None:
    event = of_outcome(outcome(key), MANIFEST)
    assert all(value.isascii() and value.isprintable() for value in event.attributes.values())
    assert json.loads(event.json())["data"]["key"] == key
    assert event.json().isascii()


@pytest.mark.parametrize(
    ("fields", "is_same"),
    [
        ({"seconds": 9.0, "worker": 5, "at": None, "detail": "other"}, True),
        ({"key": "c.pdf"}, False),
        ({"etag": "e2"}, False),
        ({"digest": "d"}, False),
        ({"attempt": 2}, False),
        ({"outcome": "failed"}, False),
    ],
)
def test_the_id_is_of_the_run_the_document_its_version_the_attempt_and_the_outcome(
    fields: dict[str, Any], is_same: bool
) -> None:
    ids = [of_outcome(outcome(**given), MANIFEST).id for given in ({}, fields)]
    assert (ids[0] == ids[1]) is is_same
    other = MANIFEST.model_copy(update={"run": "other"})
    assert of_outcome(outcome(), other).id != ids[0]
    assert re.fullmatch("[0-9a-f]{32}", ids[0])


def test_an_event_is_small_whatever_failed() -> None:
    long = outcome(
        "x" * 10_000,
        failed_pages=[(n, Reason.TIMEOUT) for n in range(1, 20_000)],
        detail="y" * 10_000,
        outcome="partial",
    )
    event = of_outcome(long, MANIFEST)
    assert len(event.json()) < 40_000
    assert event.data["failed_pages"] == 19_999 and len(event.data["failed_page_numbers"]) == 100


def test_a_batch_is_a_list_of_events() -> None:
    events = [of_outcome(outcome(key), MANIFEST) for key in ("a", "b")]
    assert [each["subject"] for each in json.loads(batch_json(events))] == ["a", "b"]


def test_the_end_of_a_run_is_an_event_and_another_one_if_it_ends_again() -> None:
    status = summarise(MANIFEST, Records((), ()), NOW)
    marks = [DoneMark(worker=0, why="done", at=NOW, counts=Counts(ok=3))]
    event = of_end(status, marks, MANIFEST)
    assert event.type == "pdfbatch.run.finished" and event.subject == RUN
    assert datetime.fromisoformat(event.time) == NOW
    later = [marks[0].model_copy(update={"at": datetime.fromisoformat("2026-02-01T00:00:00Z")})]
    assert of_end(status, later, MANIFEST).id == event.id
    again = [DoneMark(worker=0, why="done", at=NOW, counts=Counts(ok=4))]
    assert of_end(status, again, MANIFEST).id != event.id
