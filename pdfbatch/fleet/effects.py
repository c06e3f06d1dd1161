"""What a launch touches and what it makes, whichever way its workers run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

from pdfbatch.errors import PdfbatchError
from pdfbatch.fleet.clients import Clients
from pdfbatch.runs import manifest
from pdfbatch.store import Store


class Effects(NamedTuple):
    """The outside world that a launch touches."""

    clients: Clients
    output: Store
    environment: Mapping[str, str]
    tell: Callable[[str], None]
    """Shows one line for each event or problem."""
    sleep: Callable[[float], None]
    clock: Callable[[], datetime]


class Making(Protocol):
    """A launch in progress: what it has created so far."""

    fleets: dict[int, str]
    """The id of each worker's fleet or job."""
    missing: dict[int, str]
    """Why other workers could not be launched."""

    def make(self, keep_partial: bool) -> None:
        """Launches all workers. `keep_partial`: keep those that launched if others fail."""


def check_not_ended(output: Store, run: str) -> None:
    """Checks that no `down` ran meanwhile. It marks the run first, then deletes what AWS lists, so anything created
    after the mark would survive it.

    Raises:
        PdfbatchError: `down` ended the run.
    """
    record = manifest.load_fleet(output, run)
    if record is None or record.ended is not None:
        raise PdfbatchError("`pdfbatch down` ended the run while it was being launched.", "Launch it again.")
