"""The sessions of one slice on its instances, from its last heartbeat. Pure."""

from pdfbatch.records import Heartbeat, WorkerSession


def sessions_of(beat: Heartbeat) -> list[WorkerSession]:
    """Returns the sessions of a slice, oldest first; the heartbeat's own instance is last.

    A worker that restarted on its instance has one session there. On your own machine there are none.
    """
    sessions = list(beat.past)
    if beat.machine is not None:
        here = beat.counts.pages_here
        sessions.append(
            WorkerSession(machine=beat.machine, started=beat.started, until=beat.at, pages=here, notice=beat.notice)
        )
    found: dict[str, WorkerSession] = {}
    for life in sessions:
        known = found.get(life.machine.instance)
        found[life.machine.instance] = _joined(known, life) if known else life
    return list(found.values())


def _joined(first: WorkerSession, second: WorkerSession) -> WorkerSession:
    return second.model_copy(
        update={
            "started": min(first.started, second.started),
            "until": max(first.until, second.until),
            "pages": first.pages + second.pages,
            "notice": first.notice or second.notice,
        }
    )
