"""One host of a SageMaker Processing job, as the files in its /opt/ml say.

Source: SageMaker guide, "Build Your Own Processing Container": `config/resourceconfig.json` and
`config/processingjobconfig.json`. `/etc/hostname` may be wrong there, so it is not used.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from pdfbatch.errors import UsageError
from pdfbatch.records import FINAL_ENDINGS, DoneMark
from pdfbatch.records.processing_job import drain_seconds
from pdfbatch.records.stamp import text_of

RESOURCES = "config/resourceconfig.json"
REQUEST = "config/processingjobconfig.json"
_HINT = "Start this command in a SageMaker Processing job, or run `pdfbatch worker` or `local-run` (docs/sagemaker.md)."


class ProcessingHost(NamedTuple):
    """The place of this container in its job."""

    name: str
    """As SageMaker names it, `algo-1`."""
    number: int
    """Its slice, from 0: the position of its name among all."""
    hosts: int
    job: str = ""
    """The job's name; "" if the container is tried by hand without the job's request."""
    instance_type: str = ""
    """As `ml.g4dn.xlarge`; "" if several were requested and SageMaker does not say which it chose."""
    runtime_seconds: float | None = None
    """After so long SageMaker stops the job; None: unknown."""

    @classmethod
    def read(cls, tree: Path) -> ProcessingHost:
        """Reads the host's files below `tree`, as `/opt/ml`.

        Raises:
            UsageError: they are missing or do not say which host this is.
        """
        resources, request = _object_in(tree / RESOURCES), _object_in(tree / REQUEST, is_needed=False)
        name = resources.get("current_host")
        hosts = resources.get("hosts")
        if not isinstance(name, str) or not isinstance(hosts, list) or name not in hosts:
            raise UsageError(f"{tree / RESOURCES} does not say which host this is.", _HINT)
        cluster = _inside(request, "ProcessingResources", "ClusterConfig")
        kind = resources.get("current_instance_type") or cluster.get("SelectedInstanceType")
        runtime = _inside(request, "StoppingCondition").get("MaxRuntimeInSeconds")
        return cls(
            name=name,
            number=sorted(hosts).index(name),
            hosts=len(hosts),
            job=str(request.get("ProcessingJobName") or ""),
            instance_type=str(kind or cluster.get("InstanceType") or ""),
            runtime_seconds=float(runtime) if isinstance(runtime, int | float) and runtime > 0 else None,
        )

    @property
    def is_first(self) -> bool:
        return self.number == 0

    def given_up(self, mark: DoneMark, now: datetime) -> DoneMark | None:
        """Returns the mark of a slice that nobody will resume in this run: SageMaker starts no host again. None: the
        given one says so already."""
        if mark.why in FINAL_ENDINGS:
            return None
        detail = "SageMaker has stopped the job; launch again to resume."
        return mark.model_copy(update={"why": "gave_up", "at": now, "detail": detail})

    def variables(self, started: datetime) -> Mapping[str, str]:
        """Returns the variables of the worker on this host, which started at `started`; see `WorkerSettings`."""
        found = {
            "WORKER_ID": str(self.number),
            "TOTAL_WORKERS": str(self.hosts),
            "PDFBATCH_JOB": self.job,
            "PDFBATCH_INSTANCE": self.name,
            "PDFBATCH_INSTANCE_TYPE": self.instance_type,
            "PDFBATCH_BOOTED": text_of(started),
            "AWS_EC2_METADATA_DISABLED": "true",  # there is no Spot notice to wait for
        }
        if self.runtime_seconds is None:
            return found
        left = timedelta(seconds=self.runtime_seconds - drain_seconds(self.runtime_seconds))
        return found | {"PDFBATCH_DEADLINE": text_of(started + left)}


def _object_in(path: Path, *, is_needed: bool = True) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        if not is_needed:
            return {}
        raise UsageError(f"{path} cannot be read: {error}.", _HINT) from error
    return found if isinstance(found, dict) else {}


def _inside(found: Any, *names: str) -> dict[str, Any]:
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}
