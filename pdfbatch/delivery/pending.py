"""Which segments of a worker's ledger are still to be delivered. Pure.

Segments are numbered without gaps, and joined ones cover a range of numbers. Two things complicate it: a ledger may be
joined at any moment, so that a segment spans the position; and a process that was believed dead may write a segment
under a number that was joined, and delivered, before.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from pdfbatch.runs.ledger import Segment


class Place(NamedTuple):
    """How far a ledger was delivered: as in `Position`, whose `sent` and `late` these are."""

    sent: int = 0
    late: frozenset[str] = frozenset()

    def after(self, part: Segment) -> Place:
        """Returns the place once a segment has been delivered."""
        if part.number > self.sent:
            return self._replace(sent=part.number)
        return self._replace(late=self.late | {part.identity})

    def among(self, parts: Sequence[Segment]) -> Place:
        """Returns the place without segments that are gone."""
        return self._replace(late=self.late & {part.identity for part in parts})


def pending(parts: Sequence[Segment], place: Place) -> list[Segment]:
    """Returns the segments whose lines may not have been delivered, in order; a joined one before those inside it.

    A joined segment up to the position was joined from delivered ones; any other segment inside its range came late, or
    is left over from joining: only its content can tell.
    """
    joined = [part for part in parts if part.is_joined]

    def is_pending(part: Segment) -> bool:
        if part.number > place.sent:
            return True
        return part.identity not in place.late and any(part.is_inside(other) for other in joined)

    return sorted(filter(is_pending, parts), key=lambda part: (part.first, -part.number, part.key))


def beside(part: Segment, parts: Sequence[Segment], todo: Collection[str]) -> list[Segment]:
    """Returns the segments with numbers in common that were delivered: their lines need not be sent again. `todo`: the
    keys of those that were not."""
    return [
        other
        for other in parts
        if (other.is_joined or part.is_joined)
        and other.key != part.key
        and other.key not in todo
        and other.first <= part.number
        and part.first <= other.number
    ]


def has_gap(parts: Sequence[Segment], place: Place) -> bool:
    """Whether numbers after the position are missing, up to the last one: segments were joined and deleted while they
    were listed, so that neither the old ones nor the new one is in the list."""
    reached = place.sent
    for part in sorted(parts, key=lambda part: part.first):
        if part.first > reached + 1:
            return True
        reached = max(reached, part.number)
    return False
