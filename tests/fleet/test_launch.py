"""A launch and its `down` against a simulated AWS over HTTP (see aws_server.py), checked down to the parameters."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from pdfbatch.cli.worker import spot_price
from pdfbatch.errors import ExitCode, PdfbatchError
from pdfbatch.fleet.down import end, note_ended
from pdfbatch.fleet.names import output_digest
from pdfbatch.fleet.values import LaunchRequest
from pdfbatch.records import DoneMark, Machine, RunKeys
from pdfbatch.runs import manifest
from pdfbatch.runs.slices import keys_of
from pdfbatch.store import open_store
from tests.fleet.conftest import Account
from tests.fleet.launching import DOCUMENTS, Bench


@pytest.fixture
def bench(account: Account) -> Bench:
    return Bench(account)


def tags_of(call: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in call["parameters"]["TagSpecifications"][0]["Tags"]}


# ── what is asked for ────────────────────────────────────────────────────────────────────────────────────────────


def test_five_workers_are_five_maintain_fleets_of_one_spot_instance_each(bench: Bench) -> None:
    launched = bench.launch(LaunchRequest(max_hours=48))
    fleets = [call["parameters"] for call in bench.account.calls("CreateFleet")]
    assert sorted(launched.fleets) == [0, 1, 2, 3, 4] and len(set(launched.fleets.values())) == 5
    assert len(fleets) == 5
    for fleet in fleets:
        assert fleet["Type"] == "maintain"
        assert fleet["TargetCapacitySpecification"]["TotalTargetCapacity"] == 1
        assert fleet["TargetCapacitySpecification"]["DefaultTargetCapacityType"] == "spot"
        assert fleet["SpotOptions"]["AllocationStrategy"] == "capacity-optimized-prioritized"
        assert fleet["TerminateInstancesWithExpiration"] is True
        assert fleet["ExcessCapacityTerminationPolicy"] == "termination"
        assert "MaxTotalPrice" not in fleet["SpotOptions"]
        assert "CapacityRebalance" not in json.dumps(fleet)
    assert len({fleet["ClientToken"] for fleet in fleets}) == 5
    assert all(len(fleet["ClientToken"]) <= 64 for fleet in fleets)


def test_each_worker_prefers_a_different_zone_and_may_use_all(bench: Bench) -> None:
    bench.launch()
    orders = [
        [override["SubnetId"] for override in call["parameters"]["LaunchTemplateConfigs"][0]["Overrides"]]
        for call in bench.account.calls("CreateFleet")
    ]
    assert len({order[0] for order in orders}) == 5
    assert all(set(order) == set(orders[0]) for order in orders)
    assert orders[1] == orders[0][1:] + orders[0][:1]


def test_each_fleet_request_has_its_own_order_of_zones_and_the_price_ceiling(bench: Bench) -> None:
    bench.launch(LaunchRequest(max_price=0.3))
    for call in bench.account.calls("CreateFleet"):
        overrides = call["parameters"]["LaunchTemplateConfigs"][0]["Overrides"]
        assert [override["Priority"] for override in overrides] == [float(number) for number in range(len(overrides))]
        assert {override["MaxPrice"] for override in overrides} == {"0.3000"}


def test_the_default_ceiling_is_one_and_a_half_times_the_most_expensive_zone(bench: Bench) -> None:
    bench.launch()
    call = bench.account.calls("CreateFleet")[0]
    overrides = call["parameters"]["LaunchTemplateConfigs"][0]["Overrides"]
    assert {override["MaxPrice"] for override in overrides} == {"0.3150"}, "1.5 x $0.21"


def test_on_demand_fleets_are_created_only_on_request_and_have_no_spot_ceiling(bench: Bench) -> None:
    bench.account.order("quota", {"code": "L-DB2E81BA", "value": 64, "default": 0})
    bench.launch(LaunchRequest(market="on-demand"))
    for call in bench.account.calls("CreateFleet"):
        fleet = call["parameters"]
        assert fleet["TargetCapacitySpecification"]["DefaultTargetCapacityType"] == "on-demand"
        assert fleet["TargetCapacitySpecification"]["OnDemandTargetCapacity"] == 1
        assert "SpotOptions" not in fleet and "MaxPrice" not in json.dumps(fleet)


def test_every_instance_is_locked_down_and_encrypted(bench: Bench) -> None:
    bench.launch()
    for call in bench.account.calls("CreateLaunchTemplate"):
        data = call["parameters"]["LaunchTemplateData"]
        assert data["MetadataOptions"]["HttpTokens"] == "required"
        assert data["MetadataOptions"]["HttpPutResponseHopLimit"] == 2
        assert data["MetadataOptions"]["InstanceMetadataTags"] == "enabled"
        assert data["InstanceInitiatedShutdownBehavior"] == "terminate"
        assert data["IamInstanceProfile"]["Name"] == "pdfbatch-us-east-1-worker"
        (disk,) = data["BlockDeviceMappings"]
        assert disk["Ebs"]["Encrypted"] is True and disk["Ebs"]["VolumeType"] == "gp3"
        assert disk["Ebs"]["DeleteOnTermination"] is True
        assert disk["Ebs"]["KmsKeyId"] == "alias/aws/ebs", "the account's default key may be one the fleet may not use"
        assert data["ImageId"].startswith("ami-")
        assert "KeyName" not in data and "InstanceMarketOptions" not in data


def test_everything_carries_the_tags_of_run_worker_and_output(bench: Bench) -> None:
    launched = bench.launch(LaunchRequest(tags=(("team", "tides"),)))
    for action in ("CreateFleet", "CreateLaunchTemplate"):
        for worker, call in enumerate(bench.account.calls(action)):
            tags = tags_of(call)
            assert tags["pdfbatch:run"] == launched.run and tags["pdfbatch:worker"] == str(worker)
            assert tags["pdfbatch:stack"] == "pdfbatch" and tags["team"] == "tides"
            assert tags["pdfbatch:output"] == output_digest(bench.output.url)
    for call in bench.account.calls("CreateLaunchTemplate"):
        within = call["parameters"]["LaunchTemplateData"]["TagSpecifications"]
        assert {each["ResourceType"] for each in within} == {"instance", "volume"}
        assert all({"Key": "pdfbatch:run", "Value": launched.run} in each["Tags"] for each in within)


def test_instances_drain_then_shut_down_then_the_fleet_expires(bench: Bench) -> None:
    before = bench.now()
    launched = bench.launch(LaunchRequest(max_hours=3))
    record = manifest.load_fleet(bench.output, launched.run)
    assert record is not None
    deadline, end_at, expiry = record.deadline, record.end, record.expiry
    assert deadline + timedelta(minutes=5) == end_at and end_at + timedelta(minutes=5) == expiry
    assert abs(expiry - before - timedelta(hours=3)) < timedelta(minutes=1)
    for call in bench.account.calls("CreateFleet"):
        assert abs(datetime.fromisoformat(str(call["parameters"]["ValidUntil"])) - expiry) < timedelta(seconds=2)


def test_no_credentials_are_anywhere(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASECRETSECRET")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "supersecretvalue")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "sessionsecret")
    bench.launch()
    user_data = [
        base64.b64decode(call["parameters"]["LaunchTemplateData"]["UserData"]).decode()
        for call in bench.account.calls("CreateLaunchTemplate")
    ]
    stored = [bench.output.get(key).decode("latin-1") for key in bench.state()]
    asked = json.dumps(bench.account.calls())
    for text in [*user_data, *stored, asked]:
        for secret in ("AKIASECRETSECRET", "supersecretvalue", "sessionsecret", "AWS_SECRET", "AWS_ACCESS_KEY"):
            assert secret not in text
    assert all(len(text.encode()) < 16_384 for text in user_data)
    assert [f"export WORKER_ID='{worker}'" in text for worker, text in enumerate(user_data)] == [True] * 5


def test_ami_and_worker_image_are_pinned_in_the_manifest(bench: Bench) -> None:
    launched = bench.launch()
    frozen = manifest.load(bench.output, launched.run)
    assert frozen.ami.startswith("ami-") and "@sha256:" in frozen.image
    assert frozen.total_workers == 5 and frozen.documents == DOCUMENTS
    assert manifest.current(bench.output) == launched.run


def test_a_dry_run_checks_the_template_before_any_fleet_is_created(bench: Bench) -> None:
    bench.launch()
    actions = [call["action"] for call in bench.account.calls() if call["action"] in ("RunInstances", "CreateFleet")]
    assert actions == ["RunInstances", *["CreateFleet"] * 5]
    assert bench.account.calls("RunInstances")[0]["parameters"]["DryRun"] is True


# ── workers ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_more_workers_than_documents_are_launched_and_a_note_says_so(account: Account) -> None:
    decided = Bench(account, documents=2).decide()
    assert decided.plan.workers == decided.frozen.manifest.total_workers == 2
    assert any("one for each document" in note for note in decided.plan.notes)


def test_workers_are_capped_by_the_quota(bench: Bench) -> None:
    bench.account.order("quota", {"code": "L-3819A6DF", "value": 12, "default": 0})
    plan = bench.decide().plan
    assert plan.workers == 3
    (note,) = [note for note in plan.notes if "quota" in note]
    assert "aws service-quotas request-service-quota-increase" in note and "--desired-value 20" in note


def test_a_full_quota_is_refused_with_the_command_to_request_more(bench: Bench) -> None:
    bench.account.order("quota", {"code": "L-3819A6DF", "value": 0, "default": 0})
    with pytest.raises(PdfbatchError, match="0 vCPUs, 0 in use, 20 needed: no room for one instance") as refusal:
        bench.decide()
    assert refusal.value.exit_code == ExitCode.NOT_READY
    assert "--quota-code L-3819A6DF --desired-value 20" in refusal.value.hint


def test_running_instances_count_against_the_quota(bench: Bench) -> None:
    bench.account.order("quota", {"code": "L-3819A6DF", "value": 24, "default": 0})
    bench.launch()
    bench.sleep(1)
    other = Bench.__new__(Bench)
    other.__dict__ |= bench.__dict__ | {"output": open_store(f"s3://{bench.bucket}/other/")}
    plan = other.decide().plan
    assert plan.account.quota.used == 20 and plan.workers == 1


@pytest.mark.parametrize(
    "action",
    [
        "GetServiceQuota",
        "DescribeSpotPriceHistory",
        "GetSpotPlacementScores",
        "GetProducts",
        "DescribeInstanceTypeOfferings",
        "GetInstanceProfile",
        "ListSubscriptionsByTopic",
        "DescribeInstances",
    ],
)
def test_what_may_not_be_checked_is_a_warning_and_not_a_refusal(bench: Bench, action: str) -> None:
    code = "UnauthorizedOperation" if action.startswith(("Describe", "GetSpot")) else "AccessDenied"
    bench.account.order("faults", [{"action": action, "code": code, "message": "no", "status": 403, "times": 9}])
    if action == "GetServiceQuota":
        fault = {"action": "GetAWSDefaultServiceQuota", "code": code, "message": "no", "status": 403, "times": 9}
        bench.account.order("faults", [{**fault, "action": action}, fault])
    plan = bench.decide(LaunchRequest(instance_types=("g4dn.xlarge", "g5.xlarge", "g4dn.2xlarge"))).plan
    assert plan.workers == 5
    if action == "GetServiceQuota":
        assert plan.account.quota.limit is None
    else:
        assert any("not checked" in warning for warning in plan.warnings)


# ── one run at a time, and again ─────────────────────────────────────────────────────────────────────────────────


def test_a_second_launch_while_a_run_is_alive_says_how_to_see_and_end_it(bench: Bench) -> None:
    bench.launch()
    with pytest.raises(PdfbatchError, match="still running") as refusal:
        bench.decide()
    assert "pdfbatch status" in refusal.value.hint and "pdfbatch down" in refusal.value.hint


@pytest.mark.slow
def test_after_its_end_a_second_launch_resumes_the_run(bench: Bench) -> None:
    first = bench.launch()
    note_ended(bench.left(), None, None, bench.now(), bench.messages.append)
    end(bench.clients, lambda found: found.run == first.run, bench.sleep)
    bench.output.put("000.md", b"<!-- page 1 -->\n")
    second = bench.launch()
    frozen = manifest.load(bench.output, second.run)
    assert list(keys_of(bench.output, frozen)) == [f"{number:03}.pdf" for number in range(1, DOCUMENTS)]
    assert frozen.skipped == 1 and frozen.follows == first.run


def test_a_launch_says_that_the_run_before_ran_out_of_money(bench: Bench) -> None:
    first = bench.launch(LaunchRequest(max_cost=50.0))
    for worker in range(5):
        mark = DoneMark(worker=worker, why="over_budget", at=bench.now(), detail="About $50 are spent.")
        bench.output.put(RunKeys(first.run).done_mark(worker), mark.model_dump_json().encode())
    [warning] = [warning for warning in bench.decide().plan.warnings if "max-cost" in warning]
    assert first.run in warning and "$50.00" in warning


def test_the_fleet_record_contains_the_cost_of_disk_and_address(bench: Bench) -> None:
    record = bench.decide().record
    assert 0.005 < record.adder < min(record.prices.values())


def test_a_worker_looks_up_the_full_price_of_its_own_type_and_zone(bench: Bench) -> None:
    record = bench.decide().record
    for place, price in record.prices.items():
        kind, _, zone = place.partition("@")
        here = Machine(instance="i-1", type=kind, zone=zone, booted=record.launched)
        assert spot_price(record, here)() == pytest.approx(price)
    elsewhere = Machine(instance="i-1", type="g4dn.xlarge", zone="us-east-1z", booted=record.launched)
    assert spot_price(record, elsewhere)() is None


def test_when_all_is_done_there_is_nothing_to_launch(bench: Bench) -> None:
    for number in range(DOCUMENTS):
        bench.output.put(f"{number:03}.md", b"<!-- page 1 -->\n")
    proposal = bench.propose()
    assert proposal.decided is None and proposal.rest.skipped == DOCUMENTS
    assert bench.account.calls("DescribeImages") == []


def test_a_plan_changes_nothing(bench: Bench) -> None:
    before = [call for call in bench.account.calls() if not call["action"].startswith(("Describe", "Get", "List"))]
    bench.decide()
    after = [call for call in bench.account.calls() if not call["action"].startswith(("Describe", "Get", "List"))]
    assert before == after and bench.state() == []


# ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_down_deletes_fleets_instances_and_templates(bench: Bench) -> None:
    launched = bench.launch()
    bench.sleep(1)
    assert len(bench.left().instances) == 5
    ended = end(bench.clients, lambda found: found.output == output_digest(bench.output.url), bench.sleep)
    assert (ended.runs, ended.fleets, ended.instances, ended.templates) == ([launched.run], 5, 5, 5)
    assert bench.left().is_nothing
    bench.sleep(1)
    assert bench.left().is_nothing, "a fleet replaced a machine after down"


def test_down_is_idempotent(bench: Bench) -> None:
    bench.launch()
    end(bench.clients, lambda _: True, bench.sleep)
    again = end(bench.clients, lambda _: True, bench.sleep)
    assert (again.fleets, again.instances, again.templates) == (0, 0, 0)


def test_down_leaves_other_runs_alone(bench: Bench) -> None:
    bench.launch()
    bench.sleep(1)
    end(bench.clients, lambda found: found.run == "another", bench.sleep)
    assert len(bench.left().fleets) == 5


def test_down_needs_no_store(bench: Bench) -> None:
    bench.launch()
    bench.output.delete(bench.state())
    end(bench.clients, lambda found: found.output == output_digest(bench.output.url), bench.sleep)
    assert bench.left().is_nothing
