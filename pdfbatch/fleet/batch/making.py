"""Launches a plan on AWS Batch: registers the run's job definition, and submits one job from it."""

from __future__ import annotations

from pdfbatch import aws
from pdfbatch.errors import NotReady, PdfbatchError
from pdfbatch.fleet.batch import jobs
from pdfbatch.fleet.batch.requests import definition_of, job_of
from pdfbatch.fleet.effects import Effects, check_not_ended
from pdfbatch.fleet.names import Names
from pdfbatch.fleet.plan import Decided
from pdfbatch.fleet.userdata import values_of
from pdfbatch.fleet.values import Plan


class BatchMaking:
    """A launch in progress: the job, once there is one."""

    def __init__(self, decided: Decided, outside: Effects) -> None:
        self._decided = decided
        self._outside = outside
        self.fleets: dict[int, str] = {}
        self.missing: dict[int, str] = {}

    def make(self, keep_partial: bool) -> None:  # noqa: ARG002  # an array is submitted whole or not at all
        plan, outside = self._decided.plan, self._outside
        check_not_ended(outside.output, plan.run)
        job = self._submit(plan, self._register())
        self.fleets = {worker: child_of(job, worker, plan.workers) for worker in range(plan.workers)}
        self._stop_twins(plan, job)
        check_not_ended(outside.output, plan.run)

    def _register(self) -> str:
        plan, record, batch = self._decided.plan, self._decided.record, self._outside.clients.batch
        values = values_of(self._decided.frozen.manifest, record, 0, False, self._outside.environment)
        values["TOTAL_WORKERS"] = str(plan.workers)
        with aws.translating("register the job definition"):
            return batch.register_job_definition(**definition_of(plan, values, record))["jobDefinitionArn"]

    def _submit(self, plan: Plan, definition: str) -> str:
        with aws.translating("submit the job"):
            return self._outside.clients.batch.submit_job(**job_of(plan, definition))["jobId"]

    def _stop_twins(self, plan: Plan, job: str) -> None:
        """Stops other jobs of this run: SubmitJob has no token, so a request whose answer was lost may have been sent
        twice."""
        names, clients = Names(plan.stack), self._outside.clients
        twins = [each for each in jobs.of_run(clients, names.job_queue, names.job(plan.run)) if each != job]
        jobs.stop(clients, twins)


def child_of(job: str, worker: int, workers: int) -> str:
    """Returns the id of a worker's job: a child of an array has its index after a colon. Source: AWS Batch guide,
    "Array jobs"."""
    return f"{job}:{worker}" if workers > 1 else job


def explained(error: PdfbatchError, plan: Plan) -> PdfbatchError:
    """Rewrites Batch's errors about a launch for the user; one that needs no explanation stays as it is. Pure."""
    said = error.said or error.message.rstrip(".")
    if error.code in ("AccessDeniedException", "AccessDenied"):
        return NotReady(
            f"{error.message.rstrip('.')}.",
            "Grant your user the policy that `pdfbatch doctor --policy` prints, or choose another with AWS_PROFILE.",
        )
    if error.code == "ClientException" and "queue" in said.lower():
        queue = Names(plan.stack).job_queue
        return NotReady(
            f"The AWS Batch queue {queue} takes no jobs: {said}.",
            "`pdfbatch doctor --on batch` shows its state; `pdfbatch setup --batch` makes it.",
        )
    if error.code == "ClientException":
        return PdfbatchError(
            f"AWS Batch does not accept the job: {said}.",
            "`pdfbatch launch … --on batch --dry-run --json` shows the plan; `pdfbatch doctor --on batch` checks the "
            "account.",
        )
    return error
