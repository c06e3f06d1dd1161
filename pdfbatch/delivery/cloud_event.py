"""What happened, as CloudEvents 1.0 in their JSON format. Pure.

Source: CloudEvents specification 1.0.2, with its JSON event format. Ids are made of what happened: the same outcome,
delivered twice, has the same id both times.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from pdfbatch.records import DoneMark, Manifest, Outcome, OutcomeKind, text_of
from pdfbatch.runs.progress import RunStatus

SPEC_VERSION = "1.0"
MEDIA_TYPE = "application/cloudevents+json"
BATCH_MEDIA_TYPE = "application/cloudevents-batch+json"

TYPES: dict[OutcomeKind, str] = {
    "ok": "pdfbatch.document.converted",
    "partial": "pdfbatch.document.partly_converted",
    "failed": "pdfbatch.document.failed",
}
RUN_FINISHED = "pdfbatch.run.finished"

_MOST_PAGES = 100
"""Failed pages that are listed; `failed_pages` counts all."""
_MOST_DETAIL = 1000
_MOST_KEY = 4096


class CloudEvent(NamedTuple):
    id: str
    type: str
    source: str
    """A URI reference: the output."""
    subject: str
    """The document's key, or the run; percent-encoded."""
    time: str
    """When it happened, UTC; "" if the record does not say."""
    data: dict[str, Any]
    group: str = ""
    """What is in order among itself: a slice of a run."""

    @property
    def attributes(self) -> dict[str, str]:
        """Everything but the data."""
        known = {
            "specversion": SPEC_VERSION,
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "subject": self.subject,
            "datacontenttype": "application/json",
        }
        return known | ({"time": self.time} if self.time else {})

    def json(self) -> str:
        """Returns the event in the structured JSON format; only ASCII, and the same text each time."""
        return _text(self.attributes | {"data": self.data})


def batch_json(events: Sequence[CloudEvent]) -> str:
    """Returns events in the JSON batch format."""
    return f"[{','.join(event.json() for event in events)}]"


def of_outcome(outcome: Outcome, manifest: Manifest) -> CloudEvent:
    """Returns the event for a line of the ledger."""
    return CloudEvent(
        id=_id(manifest.run, outcome.key, outcome.digest or outcome.etag, outcome.attempt, outcome.outcome),
        type=TYPES[outcome.outcome],
        source=_source(manifest),
        subject=quote(outcome.key[:_MOST_KEY]),
        time=text_of(outcome.at) if outcome.at else "",
        data=_data(outcome, manifest),
        group=f"{manifest.run}/{outcome.worker}",
    )


def _data(outcome: Outcome, manifest: Manifest) -> dict[str, Any]:
    reason = outcome.reason
    return {
        "run": manifest.run,
        "key": outcome.key[:_MOST_KEY],
        "outcome": outcome.outcome,
        "reason": reason.value if reason else None,
        "retryable": reason.retryable if reason else None,
        "detail": outcome.detail[:_MOST_DETAIL],
        "input": manifest.input,
        "output": manifest.output + outcome.output if outcome.output else None,
        "pages": outcome.pages,
        "failed_pages": len(outcome.failed_pages),
        "failed_page_numbers": [number for number, _ in outcome.failed_pages[:_MOST_PAGES]],
        "lowest_score": min((page.score for page in outcome.doubtful), default=None),
        "asked_pages": outcome.asked_pages[:_MOST_DETAIL],
        "read_by": outcome.read_by,
        "engine": outcome.engine,
        "model": manifest.model,
        "seconds": outcome.seconds,
        "etag": outcome.etag,
        "digest": outcome.digest,
        "size": outcome.size,
        "attempt": outcome.attempt,
        "worker": outcome.worker,
        "same_as": outcome.same_as[:_MOST_KEY],
    }


def of_end(status: RunStatus, marks: Sequence[DoneMark], manifest: Manifest) -> CloudEvent:
    """Returns the event for the end of a run. Its id is of the run and of how each slice ended: a run that is resumed
    after that ends again, with another id."""
    documents = status.documents
    ends = sorted((mark.worker, mark.why, mark.counts.ok, mark.counts.partial, mark.counts.failed) for mark in marks)
    at = max((mark.at for mark in marks), default=None)
    return CloudEvent(
        id=_id(manifest.run, "finished", ends),
        type=RUN_FINISHED,
        source=_source(manifest),
        subject=quote(manifest.run),
        time=text_of(at) if at else "",
        data={
            "run": manifest.run,
            "state": status.state,
            "input": manifest.input,
            "output": manifest.output,
            "engine": manifest.engine,
            "model": manifest.model,
            "documents": documents.model_dump(),
            "pages": {"read": status.pages.read, "failed": status.pages.failed},
            "reasons": status.reasons,
            "workers": len(status.workers),
            "seconds": status.seconds,
            "dollars": status.dollars,
        },
        group=manifest.run,
    )


def _source(manifest: Manifest) -> str:
    """Returns the output as a URI reference: `s3://bucket/md/`, or a path."""
    return quote(manifest.output, safe="/:")


def _id(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
