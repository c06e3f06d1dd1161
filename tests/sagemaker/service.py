"""SageMaker Processing as far as a job can see it: carries out a CreateProcessingJob request with the real entry point.

It mounts the request's inputs below each host's /opt/ml, writes the two configuration files, runs the hosts, uploads
the outputs when all have ended, and says how the job ended. Hosts without network get an AWS that nobody serves.
Sources: SageMaker guide, "Build Your Own Processing Container"; API reference, S3DataSource and ProcessingS3Output.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pdfbatch.records.processing_job import OPT_ML
from pdfbatch.store import open_store
from tests.program import Program
from tests.sagemaker import opt_ml

NOWHERE = "http://127.0.0.1:9"
"""The discard port: nothing listens."""


class JobEnd(NamedTuple):
    """What DescribeProcessingJob says in the end."""

    status: str
    exit_message: str
    codes: list[int]


def run_job(request: Mapping[str, Any], folder: Path, pdfbatch: Program) -> JobEnd:
    """Runs a job's hosts, one after the other, in this process; `folder` gets their /opt/ml."""
    hosts = request["ProcessingResources"]["ClusterConfig"]["InstanceCount"]
    trees = [opt_ml.make(folder / f"algo-{n}", request, n, hosts) for n in range(1, hosts + 1)]
    for tree in trees:
        (tree / "output").mkdir()
    for place in request.get("ProcessingInputs", []):
        _mount(place["S3Input"], trees)
    environment = dict(request["Environment"])
    if request.get("NetworkConfig", {}).get("EnableNetworkIsolation"):
        environment["AWS_ENDPOINT_URL"] = NOWHERE
    ends = []
    for tree in trees:
        variables = {"PDFBATCH_OPT_ML": str(tree), **environment}
        ends.append(pdfbatch(*request["AppSpecification"]["ContainerArguments"], **variables))
        print(ends[-1].stderr)
    for output in request.get("ProcessingOutputConfig", {}).get("Outputs", []):
        _upload(output["S3Output"], trees)
    codes = [ended.returncode for ended in ends]
    whole = b"".join(path.read_bytes() for tree in trees if (path := tree / "output/message").exists())
    return JobEnd("Failed" if any(codes) else "Completed", whole[:1024].decode("utf-8"), codes)


def _below(tree: Path, local: str) -> Path:
    assert local.startswith(f"{OPT_ML}/processing/")
    return tree / local.removeprefix(f"{OPT_ML}/")


def _mount(place: Mapping[str, Any], trees: list[Path]) -> None:
    """Copies objects below the local path: to every host, or each to one of them, in an order of its own."""
    root, keys = _listed(place)
    for number, key in enumerate(sorted(keys, reverse=True)):
        data = open_store(root).get(key)
        is_shared = place["S3DataDistributionType"] == "ShardedByS3Key"
        for tree in [trees[(number + 1) % len(trees)]] if is_shared else trees:
            path = _below(tree, place["LocalPath"]) / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def _listed(place: Mapping[str, Any]) -> tuple[str, list[str]]:
    if place["S3DataType"] == "S3Prefix":
        return place["S3Uri"], [entry.key for entry in open_store(place["S3Uri"]).list()]
    parent, _, name = place["S3Uri"].rpartition("/")
    head, *keys = json.loads(open_store(f"{parent}/").get(name))
    return head["prefix"], keys


def _upload(place: Mapping[str, Any], trees: list[Path]) -> None:
    """Uploads what is below the local path, over what is there."""
    target = open_store(place["S3Uri"])
    for tree in trees:
        root = _below(tree, place["LocalPath"])
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            target.put(str(path.relative_to(root)), path.read_bytes())
