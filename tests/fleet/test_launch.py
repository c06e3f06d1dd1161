"""A launch and its end against an AWS over HTTP (aws_server.py says what of it is simulated): what is asked for, to the
parameter, and that a failure at any single call leaves nothing behind."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest

from pdfbatch.errors import ExitCode, PdfbatchError
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.down import Remains, end, look, note_ended
from pdfbatch.fleet.launch import Outside, launch
from pdfbatch.fleet.names import output_digest
from pdfbatch.fleet.plan import Decided
from pdfbatch.fleet.propose import Proposal, Reading, propose
from pdfbatch.fleet.template import SetupWish, template
from pdfbatch.fleet.values import Launched, Wish, Work
from pdfbatch.records import CURRENT_RUN_KEY, ReadOptions, SourceDocument
from pdfbatch.runs import manifest
from pdfbatch.runs.progress import read_status
from pdfbatch.store import Store, open_store
from tests.fleet.conftest import Account
from tests.samples import odd

DOCUMENTS = 7
NULL = Reading("null", "", ReadOptions())


@cache
def clients_of(_endpoint: str) -> Clients:
    return Clients()


def eighteen_each(_: Store, documents: Sequence[SourceDocument], in_input: int) -> Work:
    """In the place of `sample.look`, which opens PDFs and has tests of its own."""
    return Work(documents=in_input, left=len(documents), sampled=1, pages_each=18)


class Bench:
    """A set-up account with PDFs in S3, and one place to launch from."""

    def __init__(self, account: Account, documents: int = DOCUMENTS) -> None:
        self.account = account.ready()
        self.bucket = account.bucket()
        self.source: Store = open_store(f"s3://{self.bucket}/in/")
        self.output: Store = open_store(f"s3://{self.bucket}/out/")
        for number in range(documents):
            self.source.put(f"{number:03}.pdf", odd.text_page())
        self.clients = clients_of(account.endpoint)
        self.told: list[str] = []
        self.slept = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """No test waits for AWS: one step of it takes the place of any pause."""
        self.slept += seconds
        self.account.order("tick")

    def propose(self, wish: Wish | None = None, reading: Reading = NULL) -> Proposal:
        return propose(self.clients, self.source, self.output, wish or Wish(), reading, self.now(), {}, eighteen_each)

    def decide(self, wish: Wish | None = None) -> Decided:
        decided = self.propose(wish).decided
        assert decided is not None
        return decided

    def launch(self, wish: Wish | None = None, keep_partial: bool = False) -> Launched:
        return launch(self.decide(wish), self.outside(), keep_partial)

    def set_up_for(self, source: str, output: str) -> None:
        """A stack whose template remembers these places, and nothing else of it."""
        wish = SetupWish(inputs=(source,), outputs=(output,))
        body = {
            "Metadata": template(wish, "us-east-1", "123456789012")["Metadata"],
            "Resources": {"Nothing": {"Type": "AWS::CloudFormation::WaitConditionHandle"}},
        }
        stacks = self.account.client("cloudformation")
        stacks.delete_stack(StackName=wish.names.stack)
        stacks.create_stack(StackName=wish.names.stack, TemplateBody=json.dumps(body))

    def outside(self) -> Outside:
        return Outside(self.clients, self.output, {}, self.told.append, self.sleep, self.now)

    def left(self) -> Remains:
        return look(self.clients)

    def state(self) -> list[str]:
        return [entry.key for entry in self.output.list(".pdfbatch/")]


@pytest.fixture
def bench(account: Account) -> Bench:
    return Bench(account)


def tags_of(call: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in call["parameters"]["TagSpecifications"][0]["Tags"]}


# ── what is asked for ────────────────────────────────────────────────────────────────────────────────────────────


def test_five_workers_are_five_maintain_fleets_of_one_spot_machine_each(bench: Bench) -> None:
    launched = bench.launch(Wish(max_hours=48))
    fleets = [call["parameters"] for call in bench.account.calls("CreateFleet")]
    assert sorted(launched.fleets) == [0, 1, 2, 3, 4] and len(set(launched.fleets.values())) == 5
    assert len(fleets) == 5
    for fleet in fleets:
        assert fleet["Type"] == "maintain"
        assert fleet["TargetCapacitySpecification"]["TotalTargetCapacity"] == 1
        assert fleet["TargetCapacitySpecification"]["DefaultTargetCapacityType"] == "spot"
        assert fleet["SpotOptions"]["AllocationStrategy"] == "price-capacity-optimized"
        assert fleet["TerminateInstancesWithExpiration"] is True
        assert fleet["ExcessCapacityTerminationPolicy"] == "termination"
        assert "MaxTotalPrice" not in fleet["SpotOptions"]
        assert "CapacityRebalance" not in json.dumps(fleet)
    assert len({fleet["ClientToken"] for fleet in fleets}) == 5
    assert all(len(fleet["ClientToken"]) <= 64 for fleet in fleets)


def test_each_worker_begins_with_another_zone_and_may_use_all(bench: Bench) -> None:
    bench.launch()
    orders = [
        [override["SubnetId"] for override in call["parameters"]["LaunchTemplateConfigs"][0]["Overrides"]]
        for call in bench.account.calls("CreateFleet")
    ]
    assert len({order[0] for order in orders}) == 5
    assert all(set(order) == set(orders[0]) for order in orders)
    assert orders[1] == orders[0][1:] + orders[0][:1]


def test_every_machine_is_locked_down_and_encrypted(bench: Bench) -> None:
    bench.launch()
    for call in bench.account.calls("CreateLaunchTemplate"):
        data = call["parameters"]["LaunchTemplateData"]
        assert data["MetadataOptions"]["HttpTokens"] == "required"
        assert data["MetadataOptions"]["HttpPutResponseHopLimit"] == 2
        assert data["MetadataOptions"]["InstanceMetadataTags"] == "enabled"
        assert data["InstanceInitiatedShutdownBehavior"] == "terminate"
        assert data["IamInstanceProfile"]["Name"] == "pdfbatch-worker"
        (disk,) = data["BlockDeviceMappings"]
        assert disk["Ebs"]["Encrypted"] is True and disk["Ebs"]["VolumeType"] == "gp3"
        assert disk["Ebs"]["DeleteOnTermination"] is True
        assert data["ImageId"].startswith("ami-")
        assert "KeyName" not in data and "InstanceMarketOptions" not in data


def test_everything_carries_the_tags_of_run_worker_and_output(bench: Bench) -> None:
    launched = bench.launch(Wish(tags=(("team", "tides"),)))
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


def test_the_expiry_comes_after_the_machines_own_end_and_that_after_the_drain(bench: Bench) -> None:
    before = bench.now()
    launched = bench.launch(Wish(max_hours=3))
    record = manifest.load_fleet(bench.output, launched.run)
    assert record is not None
    deadline, end_at, expiry = (datetime.fromisoformat(at) for at in (record.deadline, record.end, record.expiry))
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


def test_machine_image_and_worker_image_are_pinned_in_the_manifest(bench: Bench) -> None:
    launched = bench.launch()
    frozen = manifest.load(bench.output, launched.run)
    assert frozen.ami.startswith("ami-") and "@sha256:" in frozen.image
    assert frozen.total_workers == 5 and len(frozen.documents) == DOCUMENTS
    assert manifest.current(bench.output) == launched.run


def test_a_trial_run_checks_the_template_before_any_fleet_is_made(bench: Bench) -> None:
    bench.launch()
    actions = [call["action"] for call in bench.account.calls() if call["action"] in ("RunInstances", "CreateFleet")]
    assert actions == ["RunInstances", *["CreateFleet"] * 5]
    assert bench.account.calls("RunInstances")[0]["parameters"]["DryRun"] is True


# ── workers ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_more_workers_than_documents_are_launched_and_a_note_says_so(account: Account) -> None:
    decided = Bench(account, documents=2).decide()
    assert decided.plan.workers == decided.manifest.total_workers == 2
    assert any("no more documents" in note for note in decided.plan.notes)


def test_no_more_workers_than_the_quota_has_room_for(bench: Bench) -> None:
    bench.account.order("quota", {"code": "L-3819A6DF", "value": 12, "default": 0})
    plan = bench.decide().plan
    assert plan.workers == 3
    (note,) = [note for note in plan.notes if "quota" in note]
    assert "aws service-quotas request-service-quota-increase" in note and "--desired-value 20" in note


def test_a_quota_without_room_is_refused_with_the_command_that_asks_for_more(bench: Bench) -> None:
    bench.account.order("quota", {"code": "L-3819A6DF", "value": 0, "default": 0})
    with pytest.raises(PdfbatchError, match="leaves no room: 0 vCPUs") as refusal:
        bench.decide()
    assert refusal.value.exit_code == ExitCode.NOT_READY
    assert "--quota-code L-3819A6DF --desired-value 20" in refusal.value.hint


def test_running_machines_count_against_the_quota(bench: Bench) -> None:
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
        "DescribeInstanceTypeOfferings",
        "GetInstanceProfile",
        "GetTopicAttributes",
        "DescribeInstances",
    ],
)
def test_what_may_not_be_asked_is_a_warning_and_no_refusal(bench: Bench, action: str) -> None:
    code = "UnauthorizedOperation" if action.startswith(("Describe", "GetSpot")) else "AccessDenied"
    bench.account.order("faults", [{"action": action, "code": code, "message": "no", "status": 403, "times": 9}])
    if action == "GetServiceQuota":
        fault = {"action": "GetAWSDefaultServiceQuota", "code": code, "message": "no", "status": 403, "times": 9}
        bench.account.order("faults", [{**fault, "action": action}, fault])
    plan = bench.decide().plan
    assert plan.workers == 5
    if action == "GetServiceQuota":
        assert plan.account.quota.limit is None
    else:
        assert any("not checked" in warning for warning in plan.warnings)


# ── one run at a time, and again ─────────────────────────────────────────────────────────────────────────────────


def test_a_second_launch_while_a_run_is_alive_names_how_to_see_and_end_it(bench: Bench) -> None:
    bench.launch()
    with pytest.raises(PdfbatchError, match="still alive") as refusal:
        bench.decide()
    assert "pdfbatch status" in refusal.value.hint and "pdfbatch down" in refusal.value.hint


def test_after_its_end_a_second_launch_takes_up_what_is_left(bench: Bench) -> None:
    first = bench.launch()
    note_ended(bench.left(), None, None, bench.now(), bench.told.append)
    end(bench.clients, lambda found: found.run == first.run, bench.sleep)
    bench.output.put("000.md", b"<!-- page 1 -->\n")
    second = bench.launch()
    frozen = manifest.load(bench.output, second.run)
    assert [document.key for document in frozen.documents] == [f"{number:03}.pdf" for number in range(1, DOCUMENTS)]
    assert frozen.skipped == 1 and frozen.follows == first.run


def test_when_all_is_done_there_is_nothing_to_launch(bench: Bench) -> None:
    for number in range(DOCUMENTS):
        bench.output.put(f"{number:03}.md", b"<!-- page 1 -->\n")
    proposal = bench.propose()
    assert proposal.decided is None and proposal.prepared.manifest.skipped == DOCUMENTS
    assert bench.account.calls("DescribeImages") == []


def test_a_plan_changes_nothing(bench: Bench) -> None:
    before = [call for call in bench.account.calls() if not call["action"].startswith(("Describe", "Get", "List"))]
    bench.decide()
    after = [call for call in bench.account.calls() if not call["action"].startswith(("Describe", "Get", "List"))]
    assert before == after and bench.state() == []


# ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_down_ends_fleets_and_machines_and_removes_the_templates(bench: Bench) -> None:
    launched = bench.launch()
    bench.sleep(1)
    assert len(bench.left().instances) == 5
    ended = end(bench.clients, lambda found: found.output == output_digest(bench.output.url), bench.sleep)
    assert (ended.runs, ended.fleets, ended.instances, ended.templates) == ([launched.run], 5, 5, 5)
    assert bench.left().is_nothing
    bench.sleep(1)
    assert bench.left().is_nothing, "a fleet replaced a machine after down"


def test_down_twice_is_as_good_as_once(bench: Bench) -> None:
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


# ── failures ─────────────────────────────────────────────────────────────────────────────────────────────────────


def making_calls() -> list[tuple[str, int]]:
    calls = [("CreateLaunchTemplate", nth) for nth in range(1, 6)]
    return [*calls, ("RunInstances", 1), *(("CreateFleet", nth) for nth in range(1, 6))]


@pytest.mark.parametrize(("action", "nth"), making_calls())
def test_a_failure_at_any_call_of_a_launch_leaves_nothing(bench: Bench, action: str, nth: int) -> None:
    fault = {"action": action, "nth": nth, "code": "InvalidParameterValue", "message": "ordered", "status": 400}
    decided = bench.decide()
    bench.account.order("faults", [fault])
    with pytest.raises(PdfbatchError):
        launch(decided, bench.outside())
    assert bench.left().is_nothing
    assert bench.state() == []
    bench.account.order("faults", [])
    bench.launch()
    assert len(bench.left().fleets) == 5, "after the failure a launch works at once"


@pytest.mark.parametrize("key", ["manifest.json.gz", CURRENT_RUN_KEY, "fleet.json"])
def test_a_store_that_fails_during_a_launch_leaves_no_machine(bench: Bench, key: str) -> None:
    decided = bench.decide()
    fault = {"method": "PUT", "key": key, "status": 403, "code": "AccessDenied"}
    bench.account.order("faults", [fault])
    with pytest.raises(PdfbatchError):
        launch(decided, bench.outside())
    assert bench.left().is_nothing


def test_a_fleet_whose_answer_was_lost_is_made_once(bench: Bench) -> None:
    decided = bench.decide()
    lost = {"action": "CreateFleet", "nth": 2, "code": "InternalError", "message": "", "status": 500, "lose": True}
    bench.account.order("faults", [lost])
    launched = launch(decided, bench.outside())
    assert sorted(found.id for found in bench.left().fleets) == sorted(launched.fleets.values())


def test_ctrl_c_in_the_middle_of_a_launch_leaves_nothing(bench: Bench) -> None:
    decided = bench.decide()

    def interrupt(_: float) -> None:
        if not interrupted:
            interrupted.append(True)
            raise KeyboardInterrupt
        bench.account.order("tick")

    interrupted: list[bool] = []
    busy = {"action": "CreateFleet", "nth": 3, "code": "MaxFleetCountExceeded", "message": "busy", "status": 400}
    bench.account.order("faults", [busy])
    with pytest.raises(KeyboardInterrupt):
        launch(decided, bench.outside()._replace(sleep=interrupt))
    assert bench.left().is_nothing and bench.state() == []


def test_on_request_what_could_be_made_is_kept(bench: Bench) -> None:
    decided = bench.decide()
    fault = {"action": "CreateFleet", "nth": 4, "code": "MaxSpotInstanceCountExceeded", "message": "x", "status": 400}
    bench.account.order("faults", [fault])
    launched = launch(decided, bench.outside(), keep_partial=True)
    assert sorted(launched.fleets) == [0, 1, 2, 4] and list(launched.missing) == [3]
    assert "L-3819A6DF" in launched.missing[3]


def test_of_two_launches_at_once_one_is_refused_and_makes_nothing(bench: Bench) -> None:
    first, second = bench.decide(), bench.decide()
    outside = bench.outside()
    launch(first, outside)
    with pytest.raises(PdfbatchError, match="at the same moment"):
        launch(second, outside)
    assert {found.run for found in bench.left().fleets} == {first.plan.run}


def test_a_fleet_whose_making_was_broken_off_is_found_and_ended(bench: Bench) -> None:
    """AWS made it and the answer never came, not even to botocore's retries."""
    decided = bench.decide()
    lost = {"action": "CreateFleet", "code": "InternalError", "message": "", "status": 500, "lose": True, "times": 9}
    bench.account.order("faults", [lost])
    with pytest.raises(PdfbatchError):
        launch(decided, bench.outside())
    assert bench.left().is_nothing and bench.state() == []


def test_a_template_that_is_not_seen_everywhere_yet_is_waited_for(bench: Bench) -> None:
    decided = bench.decide()
    code = "InvalidLaunchTemplateName.NotFoundException"
    late = {"action": "CreateFleet", "code": code, "message": "does not exist", "status": 400, "times": 2}
    bench.account.order("faults", [late])
    assert len(launch(decided, bench.outside()).fleets) == 5


def test_a_plan_that_a_person_thought_over_for_long_is_made_anew(bench: Bench) -> None:
    decided = bench.decide()
    later = bench.now() + timedelta(hours=1)
    with pytest.raises(PdfbatchError, match="too old"):
        launch(decided, bench.outside()._replace(clock=lambda: later))
    assert bench.left().is_nothing and bench.state() == []


def test_a_run_that_came_to_life_while_a_person_thought_is_not_launched_beside(bench: Bench) -> None:
    first = bench.launch()
    record = manifest.load_fleet(bench.output, first.run)
    assert record is not None
    manifest.save_fleet(bench.output, record.model_copy(update={"ended": record.launched}))
    decided = bench.decide()
    manifest.save_fleet(bench.output, record)
    with pytest.raises(PdfbatchError, match="has come to life"):
        launch(decided, bench.outside())
    assert len(bench.left().fleets) == 5


def test_down_in_the_middle_of_a_launch_ends_the_launch_too(bench: Bench) -> None:
    decided = bench.decide()
    busy = {"action": "CreateFleet", "nth": 3, "code": "MaxFleetCountExceeded", "message": "busy", "status": 400}
    bench.account.order("faults", [busy])

    def somebody_calls_down(_: float) -> None:
        record = manifest.load_fleet(bench.output, decided.plan.run)
        if record is not None and record.ended is None:
            note_ended(bench.left(), bench.output, record, bench.now(), bench.told.append)
        bench.account.order("tick")

    with pytest.raises(PdfbatchError, match="was ended by `pdfbatch down`"):
        launch(decided, bench.outside()._replace(sleep=somebody_calls_down))
    assert bench.left().is_nothing


def test_a_slice_that_was_not_launched_does_not_keep_the_run_alive(bench: Bench) -> None:
    decided = bench.decide()
    fault = {"action": "CreateFleet", "nth": 2, "code": "MaxSpotInstanceCountExceeded", "message": "x", "status": 400}
    bench.account.order("faults", [fault])
    launched = launch(decided, bench.outside(), keep_partial=True)
    (missing,) = launched.missing
    status = read_status(bench.output, manifest.load(bench.output, launched.run), bench.now())
    assert status.workers[missing].state == "failed" and "Not launched" in status.workers[missing].detail


# ── what machines would boot in vain without ─────────────────────────────────────────────────────────────────────


def test_a_place_outside_the_roles_reach_is_refused_before_anything_is_made(bench: Bench) -> None:
    bench.set_up_for("s3://another/in/", "s3://another/out/")
    with pytest.raises(PdfbatchError, match="role may not use") as refusal:
        bench.decide()
    assert f"pdfbatch setup --input {bench.source.url} --output {bench.output.url}" in refusal.value.hint
    bench.set_up_for(bench.source.url, bench.output.url)
    assert bench.decide().plan.workers == 5


def test_a_missing_log_group_is_told_before_containers_fail_to_start(bench: Bench) -> None:
    bench.account.client("logs").delete_log_group(logGroupName=bench.account.names.log_group)
    with pytest.raises(PdfbatchError, match="no log group") as refusal:
        bench.decide()
    assert refusal.value.exit_code == ExitCode.NOT_READY


def test_subnets_without_public_addresses_are_warned_of(bench: Bench) -> None:
    ec2 = bench.account.client("ec2")
    zone = bench.decide().plan.account.zones[0]
    ec2.modify_subnet_attribute(SubnetId=zone.subnet, MapPublicIpOnLaunch={"Value": False})
    assert any(zone.subnet in warning and "NAT" in warning for warning in bench.decide().plan.warnings)


def test_subnets_of_several_vpcs_are_refused(bench: Bench) -> None:
    ec2 = bench.account.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    other = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
    with pytest.raises(PdfbatchError, match="several VPCs"):
        bench.decide(Wish(subnets=(other, bench.decide().plan.account.zones[0].subnet)))
