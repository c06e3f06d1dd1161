"""A launch that fails at any call, is interrupted or raced, on a simulated AWS over HTTP: nothing is left behind."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pdfbatch.errors import ExitCode, NotReady, PdfbatchError
from pdfbatch.fleet.down import note_ended
from pdfbatch.fleet.launch import launch
from pdfbatch.fleet.values import LaunchRequest
from pdfbatch.records import CURRENT_RUN_KEY
from pdfbatch.runs import manifest
from pdfbatch.runs.progress import read_status
from tests.fleet.conftest import Account
from tests.fleet.launching import Bench


@pytest.fixture
def bench(account: Account) -> Bench:
    return Bench(account)


def making_calls() -> list[tuple[str, int]]:
    calls = [("CreateLaunchTemplate", nth) for nth in range(1, 6)]
    return [*calls, ("RunInstances", 1), *(("CreateFleet", nth) for nth in range(1, 6))]


@pytest.mark.parametrize(("action", "nth"), making_calls())
def test_a_failure_at_any_call_of_a_launch_leaves_nothing_behind(bench: Bench, action: str, nth: int) -> None:
    fault = {"action": action, "nth": nth, "code": "InvalidParameterValue", "message": "ordered", "status": 400}
    decided = bench.decide()
    bench.account.order("faults", [fault])
    with pytest.raises(PdfbatchError):
        launch(decided, bench.outside())
    assert bench.left().is_nothing
    assert bench.state() == []


def test_after_a_failure_a_launch_works_at_once(bench: Bench) -> None:
    fault = {"action": "CreateFleet", "nth": 3, "code": "InvalidParameterValue", "message": "ordered", "status": 400}
    decided = bench.decide()
    bench.account.order("faults", [fault])
    with pytest.raises(PdfbatchError):
        launch(decided, bench.outside())
    bench.launch()
    assert len(bench.left().fleets) == 5


@pytest.mark.parametrize("key", ["manifest.json.gz", CURRENT_RUN_KEY, "fleet.json"])
def test_a_store_failure_during_a_launch_leaves_no_instance(bench: Bench, key: str) -> None:
    decided = bench.decide()
    fault = {"method": "PUT", "key": key, "status": 403, "code": "AccessDenied"}
    bench.account.order("faults", [fault])
    with pytest.raises(PdfbatchError):
        launch(decided, bench.outside())
    assert bench.left().is_nothing


def test_a_fleet_whose_answer_was_lost_is_created_once(bench: Bench) -> None:
    decided = bench.decide()
    lost = {"action": "CreateFleet", "nth": 2, "code": "InternalError", "message": "", "status": 500, "lose": True}
    bench.account.order("faults", [lost])
    launched = launch(decided, bench.outside())
    assert sorted(found.id for found in bench.left().fleets) == sorted(launched.fleets.values())


def test_ctrl_c_during_a_launch_leaves_nothing_behind(bench: Bench) -> None:
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


def test_a_partial_launch_is_kept_on_request(bench: Bench) -> None:
    decided = bench.decide()
    fault = {"action": "CreateFleet", "nth": 4, "code": "MaxSpotInstanceCountExceeded", "message": "x", "status": 400}
    bench.account.order("faults", [fault])
    launched = launch(decided, bench.outside(), keep_partial=True)
    assert sorted(launched.fleets) == [0, 1, 2, 4] and list(launched.missing) == [3]
    assert "L-3819A6DF" in launched.missing[3]


def test_of_two_simultaneous_launches_one_is_refused_and_creates_nothing(bench: Bench) -> None:
    first, second = bench.decide(), bench.decide()
    outside = bench.outside()
    launch(first, outside)
    with pytest.raises(PdfbatchError, match="at the same time"):
        launch(second, outside)
    assert {found.run for found in bench.left().fleets} == {first.plan.run}


def test_a_fleet_whose_creation_was_interrupted_is_found_and_deleted(bench: Bench) -> None:
    """AWS made it and the answer never came, not even to botocore's retries."""
    decided = bench.decide()
    lost = {"action": "CreateFleet", "code": "InternalError", "message": "", "status": 500, "lose": True, "times": 9}
    bench.account.order("faults", [lost])
    with pytest.raises(PdfbatchError):
        launch(decided, bench.outside())
    assert bench.left().is_nothing and bench.state() == []


def test_a_launch_waits_for_a_template_that_is_not_visible_everywhere_yet(bench: Bench) -> None:
    decided = bench.decide()
    code = "InvalidLaunchTemplateName.NotFoundException"
    late = {"action": "CreateFleet", "code": code, "message": "does not exist", "status": 400, "times": 2}
    bench.account.order("faults", [late])
    assert len(launch(decided, bench.outside()).fleets) == 5


def test_an_outdated_plan_is_refused(bench: Bench) -> None:
    decided = bench.decide()
    later = bench.now() + timedelta(hours=1)
    with pytest.raises(PdfbatchError, match="out of date"):
        launch(decided, bench.outside()._replace(clock=lambda: later))
    assert bench.left().is_nothing and bench.state() == []


def test_a_launch_is_refused_if_a_run_became_active_before_the_confirmation(bench: Bench) -> None:
    first = bench.launch()
    record = manifest.load_fleet(bench.output, first.run)
    assert record is not None
    manifest.save_fleet(bench.output, record.model_copy(update={"ended": record.launched}))
    decided = bench.decide()
    manifest.save_fleet(bench.output, record)
    with pytest.raises(PdfbatchError, match="became active"):
        launch(decided, bench.outside())
    assert len(bench.left().fleets) == 5


def test_down_during_a_launch_ends_the_launch_too(bench: Bench) -> None:
    decided = bench.decide()
    busy = {"action": "CreateFleet", "nth": 3, "code": "MaxFleetCountExceeded", "message": "busy", "status": 400}
    bench.account.order("faults", [busy])

    def somebody_calls_down(_: float) -> None:
        record = manifest.load_fleet(bench.output, decided.plan.run)
        if record is not None and record.ended is None:
            note_ended(bench.left(), bench.output, record, bench.now(), bench.messages.append)
        bench.account.order("tick")

    with pytest.raises(PdfbatchError, match="`pdfbatch down` ended the run"):
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


# ── what every worker needs ──────────────────────────────────────────────────────────────────────────────────────


def test_a_url_the_role_has_no_access_to_is_refused_before_anything_is_created(bench: Bench) -> None:
    bench.set_up_for("s3://another/in/", "s3://another/out/")
    with pytest.raises(PdfbatchError, match="role has no access to") as refusal:
        bench.decide()
    assert f"pdfbatch setup --input {bench.source.url} --output {bench.output.url}" in refusal.value.hint
    bench.set_up_for(bench.source.url, bench.output.url)
    assert bench.decide().plan.workers == 5


def test_a_missing_log_group_is_reported_before_containers_fail_to_start(bench: Bench) -> None:
    bench.account.client("logs").delete_log_group(logGroupName=bench.account.names.log_group)
    with pytest.raises(PdfbatchError, match="No log group") as refusal:
        bench.decide()
    assert refusal.value.exit_code == ExitCode.NOT_READY


def test_a_subnet_without_a_route_to_s3_is_left_out_and_named(bench: Bench) -> None:
    zone = bench.decide().plan.account.zones[0]
    make_private(bench, zone.subnet)
    plan = bench.decide().plan
    assert zone.subnet not in [each.subnet for each in plan.account.zones]
    assert any(zone.subnet in warning and "no route to S3" in warning for warning in plan.warnings)


def test_if_no_subnet_has_a_route_to_s3_nothing_is_launched(bench: Bench) -> None:
    for zone in bench.decide().plan.account.zones:
        make_private(bench, zone.subnet)
    with pytest.raises(NotReady, match="cannot reach S3") as refusal:
        bench.launch()
    assert "NAT gateway" in refusal.value.hint and "--subnet" in refusal.value.hint
    assert bench.account.calls("CreateFleet") == []


def make_private(bench: Bench, subnet: str) -> None:
    ec2 = bench.account.client("ec2")
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": False})


def test_subnets_of_several_vpcs_are_refused(bench: Bench) -> None:
    ec2 = bench.account.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    other = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
    with pytest.raises(PdfbatchError, match="several VPCs"):
        bench.decide(LaunchRequest(subnets=(other, bench.decide().plan.account.zones[0].subnet)))
