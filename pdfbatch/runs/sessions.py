"""What the machines of one slice gave it, as its last heartbeat tells. Pure."""

from pdfbatch.records import Heartbeat, WorkerSession
from pdfbatch.runs.liveness import moment


def sessions_of(beat: Heartbeat) -> list[WorkerSession]:
    """The life of the machine that the beat is of, behind those before it; oldest first.

    A worker that was started again on its machine has one life there. On machines of one's own there are none.
    """
    told = list(beat.past)
    if beat.machine is not None:
        here = beat.counts.pages_here
        told.append(
            WorkerSession(machine=beat.machine, started=beat.started, until=beat.at, pages=here, notice=beat.notice)
        )
    found: dict[str, WorkerSession] = {}
    for life in told:
        known = found.get(life.machine.instance)
        found[life.machine.instance] = _joined(known, life) if known else life
    return list(found.values())


def _joined(first: WorkerSession, second: WorkerSession) -> WorkerSession:
    return second.model_copy(
        update={
            "started": min(first.started, second.started, key=moment),
            "until": max(first.until, second.until, key=moment),
            "pages": first.pages + second.pages,
            "notice": first.notice or second.notice,
        }
    )
