"""The queries to AWS before a launch, and what their answers become."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pdfbatch.errors import NotReady, UsageError
from pdfbatch.fleet import aws_queries
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.names import Names
from pdfbatch.fleet.planning import measured_pace
from pdfbatch.fleet.sample import count_pages
from pdfbatch.records import Counts, FleetRecord, Heartbeat, Machine, ReadOptions, RunKeys, SourceDocument
from pdfbatch.runs import manifest
from pdfbatch.runs.begin import followed
from pdfbatch.runs.slices import Frozen
from pdfbatch.store import open_store
from samples import odd
from samples.many import long_pdf, many_pdfs
from tests.fleet.conftest import IMAGE_MANIFEST, Account
from tests.frozen import frozen

REPOSITORY = "123456789012.dkr.ecr.us-east-1.amazonaws.com/pdfbatch"


@pytest.fixture
def clients(account: Account) -> Clients:
    account.ready()
    return Clients()


# ── the account ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_vcpus_and_gpu_of_a_type_are_looked_up(clients: Clients) -> None:
    facts = aws_queries.vcpus_of(clients, ["g4dn.xlarge", "c7i.2xlarge"])
    sizes = {kind: (each.vcpus, each.gpu, each.memory_mib) for kind, each in facts.items()}
    assert sizes == {"g4dn.xlarge": (4, "T4", 16_384), "c7i.2xlarge": (8, "", 16_384)}


def test_the_default_vpc_gives_one_subnet_per_zone(clients: Clients) -> None:
    found = aws_queries.subnets(clients, [])
    assert [subnet.zone for subnet in found] == sorted({subnet.zone for subnet in found}) and len(found) > 3


def test_only_one_of_two_subnets_in_a_zone_is_used(clients: Clients, account: Account) -> None:
    ec2 = account.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone="us-east-1a")["Subnet"][
            "SubnetId"
        ]
        for number in range(2)
    ]
    assert len(aws_queries.subnets(clients, made)) == 1


def test_without_a_default_vpc_the_error_has_a_hint(account: Account, clients: Clients) -> None:
    ec2 = account.client("ec2")
    for subnet in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    with pytest.raises(NotReady, match="No default VPC") as refusal:
        aws_queries.subnets(clients, [])
    assert "create-default-vpc" in refusal.value.hint and "--subnet" in refusal.value.hint


def test_the_newest_spot_price_of_each_zone_is_used(clients: Clients, account: Account) -> None:
    account.order("prices", {"g4dn.xlarge": {"us-east-1a": 0.5}})
    account.order("prices", {"g4dn.xlarge": {"us-east-1a": 0.25}})
    assert aws_queries.prices(clients, ["g4dn.xlarge"], datetime.now(UTC))["g4dn.xlarge", "us-east-1a"] == 0.25


def test_a_quota_that_was_never_changed_has_the_default_limit(clients: Clients, account: Account) -> None:
    account.order("quota", {"code": "L-3819A6DF", "value": None, "default": 8})
    assert aws_queries.quota(clients, ["g4dn.xlarge"]).limit == 8


# ── images ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_image_tagged_latest_is_pinned_by_digest_even_if_others_were_pushed_later(
    clients: Clients, account: Account
) -> None:
    ecr = account.client("ecr")
    latest = aws_queries.newest_image(clients, Names())
    layer = {"digest": "sha256:" + "0" * 64, "size": 1, "mediaType": "x"}
    other = json.dumps(IMAGE_MANIFEST | {"layers": [layer]})
    pushed = ecr.put_image(repositoryName="pdfbatch", imageManifest=other, imageTag="newer")
    digest = pushed["image"]["imageId"]["imageDigest"]
    assert aws_queries.newest_image(clients, Names()) == latest != f"{REPOSITORY}@{digest}"
    assert aws_queries.pinned_image(clients, f"{REPOSITORY}:newer") == f"{REPOSITORY}@{digest}"
    ecr.put_image(repositoryName="pdfbatch", imageManifest=other, imageTag="latest")
    assert aws_queries.newest_image(clients, Names()) == f"{REPOSITORY}@{digest}"


def test_an_image_of_another_registry_is_not_changed(clients: Clients) -> None:
    assert aws_queries.pinned_image(clients, "ghcr.io/somebody/pdfbatch:1") == "ghcr.io/somebody/pdfbatch:1"
    assert not aws_queries.is_pinned("ghcr.io/somebody/pdfbatch:1")


def test_an_image_that_ecr_does_not_have_is_refused(clients: Clients) -> None:
    with pytest.raises(UsageError, match="No image"):
        aws_queries.pinned_image(clients, f"{REPOSITORY}:nowhere")


def test_an_empty_repository_is_distinguished_from_a_missing_one(clients: Clients, account: Account) -> None:
    with pytest.raises(NotReady, match="No image repository other") as missing:
        aws_queries.newest_image(clients, Names("other"))
    account.client("ecr").create_repository(repositoryName="other")
    with pytest.raises(NotReady, match="no image tagged latest") as empty:
        aws_queries.newest_image(clients, Names("other"))
    assert "pdfbatch setup" in missing.value.hint and "make image push" in empty.value.hint


def test_the_ami_is_pinned_and_its_disk_size_kept(clients: Clients) -> None:
    found = aws_queries.ami(clients, "")
    assert found.id.startswith("ami-") and found.root_device.startswith("/dev/") and found.root_gib >= 100
    assert aws_queries.ami(clients, found.id) == found


# ── pages and pace ───────────────────────────────────────────────────────────────────────────────────────────────


def documents(folder: Path) -> list[SourceDocument]:
    return [SourceDocument(entry.key, entry.size, entry.etag) for entry in open_store(str(folder)).list()]


def test_pages_are_counted_in_the_pdfs_themselves(tmp_path: Path, loaded_children: None) -> None:
    many_pdfs(tmp_path / "in", 3, pages=4)
    long_pdf(tmp_path / "in" / "long.pdf", 28)
    (tmp_path / "in" / "broken.pdf").write_bytes(b"no PDF")
    work = count_pages(open_store(str(tmp_path / "in")), documents(tmp_path / "in"), 9, 1)
    assert (work.documents, work.left, work.sampled) == (9, 5, 5)
    assert work.pages_each == pytest.approx((3 * 4 + 28 + 0) / 5) and work.pages_each_error == 0
    assert (work.layers_healthy, work.layers_looked_at, work.layer_share) == (12, 12, 1.0)


def test_a_sample_of_many_documents_is_counted_with_its_error(tmp_path: Path, loaded_children: None) -> None:
    source = open_store(str(tmp_path))
    for number in range(40):
        source.put(f"{number:02}.pdf", odd.text_page())
    long_pdf(tmp_path / "long.pdf", 9)
    work = count_pages(source, documents(tmp_path), 41, 1)
    assert work.sampled == 24 and work.pages_each is not None and 1 <= work.pages_each <= 9
    assert work == count_pages(source, documents(tmp_path), 41, 1), "the same few each time"


def test_with_nothing_to_count_the_pages_are_unknown(tmp_path: Path) -> None:
    gone = [SourceDocument("gone.pdf", 10, "e")]
    assert count_pages(open_store(str(tmp_path)), gone, 1, 1).pages_each is None


def a_run(engine: str = "dolphin") -> Frozen:
    run = "20261125T120000.000Z-beef"
    return frozen(
        [], 2, run=run, created="2026-11-25T12:00:00Z", input="s3://b/in/", output="s3://b/out/", engine=engine
    )


def test_the_pace_is_taken_from_a_last_run_with_the_same_engine_and_types(tmp_path: Path) -> None:
    output, frozen_run = open_store(str(tmp_path)), a_run()
    manifest.save(output, frozen_run)
    run = frozen_run.manifest
    assert measured_pace(output, run.run, "dolphin", ["g4dn.xlarge"]) is None, "it was not on a fleet"
    at = "2026-11-25T12:00:00Z"
    record = FleetRecord(
        run=run.run,
        region="us-east-1",
        launched=at,
        deadline=at,
        end=at,
        expiry=at,
        instance_types=["g4dn.xlarge"],
        worst_price=0.2,
        image="i",
        ami="ami-1",
        log_group="g",
    )
    manifest.save_fleet(output, record)
    for worker, pages in enumerate([600, 1200]):
        beat = Heartbeat(
            worker=worker,
            state="done",
            counts=Counts(pages_here=pages),
            seconds=1000,
            started=at,
            at=at,
            machine=Machine(instance="i-1", type="g4dn.xlarge", zone="us-east-1a", booted=at),
        )
        output.put(RunKeys(run.run).heartbeat(worker), beat.model_dump_json().encode())
    pace = measured_pace(output, run.run, "dolphin", ["g4dn.xlarge"])
    assert pace is not None and (pace.low, pace.high) == (0.6, 1.2) and run.run in pace.source
    assert measured_pace(output, run.run, "auto", ["g4dn.xlarge"]) is None
    assert measured_pace(output, run.run, "dolphin", ["g5.xlarge"]) is None


def test_checkpoints_are_resumed_only_from_a_run_with_the_same_settings() -> None:
    before, options = a_run().manifest, ReadOptions()
    assert followed("dolphin", before.model, options, before, None) == before.run
    assert followed("dolphin", before.model, options, None, None) is None
    assert followed("cpu", before.model, options, before, None) is None
    assert followed("dolphin", "other@1", options, before, None) is None
    assert followed("dolphin", before.model, ReadOptions(dpi=150), before, None) is None
    assert followed("dolphin", before.model, options, before, before.run) is None, "a retry reads again what it retries"
