"""What a SageMaker Processing job and its containers agree on: folders, variables, limits.

Source: SageMaker guide, "Build Your Own Processing Container"; botocore's model of CreateProcessingJob.
"""

from __future__ import annotations

OPT_ML = "/opt/ml"
"""Where SageMaker mounts everything in the container."""
OPT_ML_VARIABLE = "PDFBATCH_OPT_ML"
"""Names another folder instead, for a container that is tried by hand."""
INPUT_FOLDER = "processing/input"
"""Below `OPT_ML`, like the next two: this host's share of the input, of a job without network."""
OUTPUT_FOLDER = "processing/output"
"""What such a job writes; SageMaker uploads it when the job ends."""
STATE_FOLDER = "processing/run"
"""The frozen run, as a store of its own."""
ISOLATED_VARIABLE = "PDFBATCH_ISOLATED"
"""Not empty: the container has no network, and works on these folders."""
JOB_COMMAND = "processing-job"
"""The command of the worker image that runs a host of a job."""

MESSAGE_BYTES = 1024
"""How much SageMaker keeps of the messages of all hosts, joined."""
MOST_VALUE = 256
"""The longest value of a variable, and the longest argument."""
MOST_HOSTS = 100
MOST_SECONDS = 777_600
"""The longest runtime of a job: 9 days."""
MOST_PREFERENCES = 5
"""Instance types that a job may name, in order of preference."""
MOST_NAME = 63
"""The longest name of a job."""


def host_names(count: int) -> list[str]:
    """Returns the names of a job's hosts by slice: in alphabetical order, so `algo-10` comes before `algo-2`."""
    return sorted(f"algo-{number}" for number in range(1, count + 1))


def drain_seconds(runtime: float) -> float:
    """Returns how long before the end of a job's runtime its workers start to drain. SageMaker's clock starts before
    the container does, which takes minutes: the image has some GB."""
    return min(900.0, runtime / 4)
