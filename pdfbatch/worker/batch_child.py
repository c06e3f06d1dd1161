"""One worker that AWS Batch runs: a child of an array job, or a plain job.

Source: AWS Batch guide, "Job environment variables", "Array jobs", "Automated job retries", "Job timeouts": after
SIGTERM a container has 30 s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from pdfbatch.errors import ENDED_EARLY, ExitCode, UsageError
from pdfbatch.records import FINAL_ENDINGS, DoneMark, Heartbeat, Machine
from pdfbatch.records.stamp import text_of

JOB, ATTEMPT, INDEX = "AWS_BATCH_JOB_ID", "AWS_BATCH_JOB_ATTEMPT", "AWS_BATCH_JOB_ARRAY_INDEX"
FRESH_SECONDS = 900.0
"""An instance that has been up for longer may have run another job before, which has paid for its boot."""
NOTICE_SECONDS = 150.0
"""From a Spot notice to the instance's end, with some room."""

Ask = Callable[[str], bytes | None]
"""(path below `meta-data/`) → value; may raise OSError; `Metadata.get` is one."""


class BatchChild(NamedTuple):
    """The place of this container in its job."""

    number: int
    """Its slice."""
    job: str
    """The job's id, the same for all children of an array."""
    attempt: int = 1
    """From 1."""

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> BatchChild:
        """Reads what Batch sets.

        Raises:
            UsageError: it is missing.
        """
        try:
            return cls(
                number=int(environment.get(INDEX) or 0),
                job=environment[JOB].partition(":")[0],
                attempt=int(environment.get(ATTEMPT) or 1),
            )
        except (KeyError, ValueError) as error:
            raise UsageError(
                f"The variables of AWS Batch are missing or invalid: {error}.",
                "Submit this as a job of AWS Batch, or run `pdfbatch worker` (docs/batch.md).",
            ) from error

    def variables(self, machine: Machine) -> Mapping[str, str]:
        """Returns the variables of the worker in this container; see `WorkerSettings`."""
        return {
            "WORKER_ID": str(self.number),
            "PDFBATCH_JOB": self.job,
            "PDFBATCH_INSTANCE": machine.instance,
            "PDFBATCH_INSTANCE_TYPE": machine.type,
            "PDFBATCH_ZONE": machine.zone,
            "PDFBATCH_BOOTED": text_of(machine.booted),
        }

    def machine(self, ask: Ask | None, uptime: float | None, now: datetime) -> Machine:
        """Describes the instance, from its metadata service. Where that cannot be reached, the attempt stands for it.

        `uptime`: seconds since the instance's boot; None: unknown.
        """
        is_fresh = uptime is not None and uptime < FRESH_SECONDS
        booted = now - timedelta(seconds=uptime or 0.0) if is_fresh else now
        paths = ("instance-id", "instance-type", "placement/availability-zone")
        try:
            instance, kind, zone = ((ask(path) or b"").decode() if ask else "" for path in paths)
        except OSError:
            instance = kind = zone = ""
        return Machine(instance=instance or f"{self.job}-{self.attempt}", type=kind, zone=zone, booted=booted)


def boot_key(boots: str, worker: int, machine: Machine) -> str:
    """Returns the key that says that an instance started to work on a slice, as `boot_of` reads it."""
    return f"{boots}worker-{worker}/{machine.booted:%Y%m%dT%H%M%SZ}_{machine.instance}_{machine.type}_{machine.zone}"


def uptime_of(content: str) -> float | None:
    """Parses /proc/uptime. Source: proc_uptime(5)."""
    try:
        return float(content.split()[0])
    except (IndexError, ValueError):
        return None


def batch_exit_code(mark: DoneMark) -> int:
    """Returns the exit code for Batch: 0 also where documents failed, which are outcomes; `ENDED_EARLY` where no retry
    would go on; else 130, which Batch retries."""
    if mark.why == "done":
        return ExitCode.DONE
    return ENDED_EARLY if mark.why in FINAL_ENDINGS else ExitCode.INTERRUPTED


def given_up(mark: DoneMark, attempt: int, attempts: int, now: datetime) -> DoneMark | None:
    """Returns the mark of a worker whose last attempt was interrupted; None if Batch will retry it, or need not."""
    if mark.why in FINAL_ENDINGS or attempt < attempts:
        return None
    detail = f"AWS Batch has started this worker {attempt} times, its most; launch again to resume."
    return mark.model_copy(update={"why": "gave_up", "at": now, "detail": detail})


def seconds_to_wait(beat: Heartbeat, now: datetime) -> float:
    """Returns how long a worker that has drained after a Spot notice stays: an attempt that ends before its instance
    would be retried on that same instance, and count. 0.0 without a notice."""
    if beat.notice is None:
        return 0.0
    return max(0.0, NOTICE_SECONDS - (now - beat.notice).total_seconds())
