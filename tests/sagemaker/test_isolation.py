"""Hosts without network: SageMaker copies their documents in, they convert them, it uploads what they wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pdfbatch.fleet.sagemaker.request import INPUTS_KEY, Isolation, JobWish, inputs_manifest, request_of
from pdfbatch.records import ReadOptions, RunKeys
from pdfbatch.runs import manifest
from pdfbatch.runs.partition import Slice
from pdfbatch.runs.progress import read_status
from pdfbatch.runs.slices import documents_of, keys_of
from pdfbatch.runs.verify import verify
from pdfbatch.store import Store, open_store
from samples import odd
from tests.program import Program, of_worker
from tests.sagemaker.service import run_job
from tests.worker.begun import begin_at, now

HOSTS = 2


def isolated(bucket: str, source: Store, output: Store, run: str) -> JobWish:
    """The job of a run, with the list of its documents in its place."""
    keys = list(keys_of(output, manifest.load(output, run)))
    output.put(RunKeys(run).prefix + INPUTS_KEY, json.dumps(inputs_manifest(source.url, keys)).encode())
    return JobWish(
        name="pdfbatch-1",
        image="image",
        role="arn:aws:iam::123456789012:role/pdfbatch",
        types=["ml.m5.large"],
        hosts=HOSTS,
        runtime_seconds=7200,
        environment={k: v for k, v in of_worker(bucket, run).items() if k not in ("WORKER_ID", "TOTAL_WORKERS")},
        tags={},
        isolation=Isolation(run, output.url),
    )


def contents(output: Store) -> dict[str, bytes]:
    """What users read: everything but the state."""
    return {entry.key: output.get(entry.key) for entry in output.list() if not entry.key.startswith(".pdfbatch/")}


@pytest.mark.slow
def test_the_outputs_are_the_same_to_the_byte_as_with_network_and_as_of_a_local_run(
    tmp_path: Path, bucket: str, pdfbatch: Program
) -> None:
    source, local = open_store(f"s3://{bucket}/in/"), open_store(str(tmp_path / "in"), create=True)
    pages = {"a/1.pdf": odd.text_page(), "a/b/2.pdf": odd.text_page(("Two.",)), "ü 3.PDF": odd.text_page(("Three.",))}
    for key, data in {**pages, "broken.pdf": b"not a PDF"}.items():
        source.put(key, data)
        local.put(key, data)
    ends, outputs = {}, {}
    for name in ("isolated", "connected"):
        output = outputs[name] = open_store(f"s3://{bucket}/{name}/")
        run = begin_at(source, output, "cpu", ReadOptions(), Slice(0, HOSTS)).manifest.run
        wish = isolated(bucket, source, output, run)
        wish = wish._replace(environment={**wish.environment, "S3_OUTPUT_PREFIX": f"{name}/"})
        request = request_of(wish if name == "isolated" else wish._replace(isolation=None))
        ends[name] = run_job(request, tmp_path / name, pdfbatch)
        verdict = verify(output, run)
        assert (verdict.inputs, verdict.ok, verdict.failed) == (4, 3, 1), ends[name]
        assert not (verdict.changed or verdict.no_outcome or verdict.lost or verdict.orphans)
    assert {end.status for end in ends.values()} == {"Completed"}
    assert "1 failed" in ends["isolated"].exit_message and "algo-2: " in ends["isolated"].exit_message
    assert contents(outputs["isolated"]) == contents(outputs["connected"]) and len(contents(output)) == 6
    alone = pdfbatch("local-run", tmp_path / "in", tmp_path / "out", "--engine", "cpu")
    assert alone.returncode == 3, alone.stderr
    texts = {key: data for key, data in contents(outputs["isolated"]).items() if key.endswith(".md")}
    assert texts == {key: data for key, data in contents(open_store(str(tmp_path / "out"))).items() if key in texts}


def test_status_counts_what_each_host_got_and_the_next_run_finds_nothing_changed(
    tmp_path: Path, bucket: str, pdfbatch: Program
) -> None:
    source, output = open_store(f"s3://{bucket}/in/"), open_store(f"s3://{bucket}/out/")
    for number in range(5):
        source.put(f"{number}.pdf", odd.text_page() + b"%%%d\n" % number)
    run = begin_at(source, output, "null", ReadOptions(), Slice(0, HOSTS)).manifest.run
    frozen = manifest.load(output, run)
    first_slices = [list(documents_of(output, frozen, worker)) for worker in range(HOSTS)]
    ended = run_job(request_of(isolated(bucket, source, output, run)), tmp_path, pdfbatch)
    assert ended.status == "Completed", ended
    slices = [list(documents_of(output, frozen, worker)) for worker in range(HOSTS)]
    assert slices != first_slices, "SageMaker decides who gets what"
    assert [len(each) for each in slices] == [2, 3]
    status = read_status(output, frozen, now())
    assert (status.state, status.documents.done) == ("done", 5)
    assert not [entry.key for entry in output.list(".pdfbatch/tmp/")]
    again = begin_at(source, output, "null", ReadOptions(), Slice(0, HOSTS))
    assert again.how == "nothing" and not again.changed


def test_a_user_that_may_not_write_is_told_to_build_the_image_for_root(
    tmp_path: Path, bucket: str, pdfbatch: Program
) -> None:
    source, output = open_store(f"s3://{bucket}/in/"), open_store(f"s3://{bucket}/out/")
    source.put("1.pdf", odd.text_page())
    run = begin_at(source, output, "null", ReadOptions(), Slice(0, 1)).manifest.run
    request = request_of(isolated(bucket, source, output, run)._replace(hosts=1))
    blocked = tmp_path / "algo-1/processing/output"
    blocked.parent.mkdir(parents=True)
    blocked.write_bytes(b"")  # root, whom tests run as, may write everywhere
    ended = run_job(request, tmp_path, pdfbatch)
    assert ended.status == "Failed" and ended.exit_message.startswith("algo-1: ")
