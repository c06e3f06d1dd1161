"""What pdfbatch has in a region: the values that `ls` and `down` exchange with the ways to run workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain, repeat
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from pdfbatch.errors import PdfbatchError
from pdfbatch.fleet.names import TAG_OUTPUT, TAG_PLACE, TAG_RUN, TAG_WORKER

POLL_SECONDS = (0.5, 1.0, 2.0, 5.0)
"""Between looks, the last again and again: most instances are ending at the second or third."""


class Resource(NamedTuple):
    """A resource in AWS with pdfbatch's tags."""

    id: str
    tags: dict[str, str]
    created: datetime | None
    state: str = ""
    expires: datetime | None = None
    """Of a fleet: when it stops launching."""
    trouble: str = ""
    """Of a job: why it waits, as AWS reports it."""

    @property
    def run(self) -> str:
        return self.tags.get(TAG_RUN, "")

    @property
    def output(self) -> str:
        return self.tags.get(TAG_OUTPUT, "")

    @property
    def place(self) -> str:
        return self.tags.get(TAG_PLACE, "")

    @property
    def worker(self) -> int:
        return int(self.tags.get(TAG_WORKER, "-1"))

    @property
    def is_ending(self) -> bool:
        """Whether an instance is shutting down; it is no longer billed. Source: EC2 guide, "Instance lifecycle"."""
        return self.state == "shutting-down"


class Resources(NamedTuple):
    """The resources of some runs."""

    fleets: Sequence[Resource] = ()
    instances: Sequence[Resource] = ()
    templates: Sequence[Resource] = ()
    queues: Sequence[Resource] = ()
    jobs: Sequence[Resource] = ()
    """Those that have not ended."""
    definitions: Sequence[Resource] = ()
    """Definitions of jobs; they cost nothing."""

    @property
    def is_nothing(self) -> bool:
        return not any(self)

    def only(self, wanted: Callable[[Resource], bool]) -> Resources:
        return Resources(*([each for each in group if wanted(each)] for group in self))

    def runs(self) -> list[str]:
        return sorted({each.run for group in self for each in group})

    def billed(self) -> list[Resource]:
        return [each for each in self.instances if not each.is_ending]

    def at_work(self) -> list[Resource]:
        """Selects what costs money or may start to."""
        return [*self.fleets, *self.billed(), *self.jobs]

    def joined(self, others: Resources) -> Resources:
        """Returns both, each resource once, as the others have it."""
        return Resources(*(together(here, there) for here, there in zip(self, others, strict=True)))


class Stopped(NamedTuple):
    """What came of an attempt to stop something."""

    refused: list[str]
    """AWS's messages about what it could not stop."""
    left: set[str]
    """The ids of what is to be stopped again."""


class Ended(BaseModel):
    """What `down` deleted."""

    model_config = ConfigDict(frozen=True)
    runs: list[str]
    fleets: int
    instances: int
    templates: int
    queues: int = 0
    jobs: int = 0
    definitions: int = 0


def together(before: Iterable[Resource], now: Iterable[Resource]) -> list[Resource]:
    return list({each.id: each for each in [*before, *now]}.values())


def pauses() -> Iterator[float]:
    """Yields the seconds between looks, without end."""
    return chain(POLL_SECONDS, repeat(POLL_SECONDS[-1]))


def remaining_error(left: Iterable[Resource], refused: Iterable[str]) -> PdfbatchError:
    """Makes the error for resources that could not be deleted."""
    names = ", ".join(each.id for each in left)
    why = f" ({'; '.join(refused)})" if refused else ""
    return PdfbatchError(
        f"Some resources remain{why}: {names}.",
        "Run the same command again. If they remain, delete them in AWS's console. AWS deletes every fleet at its "
        "expiry.",
    )
