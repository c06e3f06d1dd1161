"""The machines that a slice has had, as a heartbeat hands them on. Pure."""

from pdfbatch.records import Heartbeat, Life


def lives(beat: Heartbeat) -> list[Life]:
    """Every machine of the fleet that has had the slice up to this heartbeat, oldest first, its own last.

    A worker may start several times on one machine, because its container died: that is one life, of all their pages.
    """
    if beat.machine is None:
        return list(beat.past)
    own = Life(
        machine=beat.machine,
        started=beat.started,
        until=beat.at,
        pages=beat.counts.pages_here,
        notice=beat.notice,
    )
    others = []
    for life in beat.past:
        if life.machine.instance == own.machine.instance:
            own = _joined(life, own)
        else:
            others.append(life)
    return [*others, own]


def _joined(first: Life, second: Life) -> Life:
    return second.model_copy(
        update={"started": first.started, "pages": first.pages + second.pages, "notice": first.notice or second.notice}
    )
