"""A fleet's worker with an endpoint: the key comes from a secret, and its answers count against the run's cap."""

from __future__ import annotations

import gzip
from pathlib import Path

import boto3
import pytest

from pdfbatch.records import DoneMark, EndpointOptions, EndpointPrice, ReadOptions, RunKeys
from pdfbatch.runs import manifest
from pdfbatch.store import open_store
from tests.endpoint import cards
from tests.endpoint.server import KEY, MODEL, fake_endpoint, text_of
from tests.program import Program
from tests.runs.fleets import fleet
from tests.worker.begun import begin_at

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("max_cost", "why"), [(None, "done"), (0.05, "over_budget")])
def test_the_key_is_read_with_the_role_and_its_answers_count_against_the_cap(
    tmp_path: Path, bucket: str, s3_endpoint: str, max_cost: float | None, why: str, pdfbatch: Program
) -> None:
    secrets = boto3.client("secretsmanager", endpoint_url=s3_endpoint)
    arn = secrets.create_secret(Name=bucket, SecretString=f"{KEY}\n")["ARN"]
    source, output = open_store(f"s3://{bucket}/in/"), open_store(f"s3://{bucket}/out/")
    for number in range(8):
        source.put(f"{number}.pdf", cards.make_pdf(tmp_path / f"{number}.pdf", [number]).read_bytes())
    with fake_endpoint() as endpoint:
        endpoint.keys = [KEY]
        price = EndpointPrice(tokens_in=20, tokens_out=0)
        asked = EndpointOptions(url=endpoint.url, model=MODEL, side=400, most_requests=1, price=price, secret=arn)
        begun = begin_at(source, output, "endpoint", ReadOptions(endpoint=asked))
        run = begun.manifest.run
        record = fleet(hours=1_000_000).model_copy(update={"run": run, "max_cost": max_cost, "market": "on-demand"})
        manifest.save_fleet(output, record.model_copy(update={"prices": {}, "worst_price": 0.0}))
        ended = pdfbatch(
            "worker",
            WORKER_ID="0",
            TOTAL_WORKERS="1",
            S3_INPUT_BUCKET=bucket,
            S3_INPUT_PREFIX="in/",
            S3_OUTPUT_BUCKET=bucket,
            S3_OUTPUT_PREFIX="out/",
            PDFBATCH_RUN=run,
            PDFBATCH_INSTANCE="i-1",
            PDFBATCH_INSTANCE_TYPE="c6i.xlarge",
            PDFBATCH_ZONE="us-east-1a",
            PDFBATCH_BOOTED="2026-01-01T12:00:00Z",
            AWS_EC2_METADATA_DISABLED="true",
        )
    mark = DoneMark.model_validate_json(output.get(RunKeys(run).done_mark(0)))
    assert mark.why == why, ended.stderr
    written = [ended.stdout.encode(), ended.stderr.encode(), *(output.get(entry.key) for entry in output.list())]
    frozen = gzip.decompress(output.get(RunKeys(run).manifest))
    assert arn.encode() in frozen
    assert not any(KEY.encode() in text for text in [*written, frozen])
    if max_cost is None:
        assert all(text_of(number).encode() in output.get(f"{number}.md") for number in range(8))
    else:
        assert 1 <= len(endpoint.asked) < 8 and mark.detail
