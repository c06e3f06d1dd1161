"""What happens after a launch: keys, prices, capacity and expiry."""

from __future__ import annotations

import pytest

from pdfbatch.errors import PdfbatchError
from pdfbatch.fleet.down import end
from pdfbatch.fleet.inventory import take
from pdfbatch.fleet.launch import launch
from pdfbatch.fleet.values import LaunchRequest
from tests.fleet.conftest import SPOT_G_QUOTA, Account
from tests.fleet.launching import Bench


@pytest.fixture
def bench(account: Account) -> Bench:
    account.order("ticking", False)
    return Bench(account)


@pytest.mark.slow
def test_down_removes_more_launch_templates_than_aws_lists_on_one_page(account: Account) -> None:
    bench = Bench(account, documents=17)
    account.order("quota", {"code": SPOT_G_QUOTA, "value": 68})
    bench.launch(LaunchRequest(workers=17))
    assert end(bench.clients, lambda _: True, bench.sleep).templates == 17
    assert account.client("ec2").describe_launch_templates()["LaunchTemplates"] == []


def test_instances_run_even_if_the_fleet_may_not_use_the_accounts_default_key(bench: Bench) -> None:
    key = bench.account.client("kms").create_key()["KeyMetadata"]["Arn"]
    bench.account.client("ec2").modify_ebs_default_kms_key_id(KmsKeyId=key)
    bench.launch()
    bench.sleep(1)
    assert len(bench.account.instances()) == 5


@pytest.mark.parametrize("sub_type", ["spotFleetRequestConfigurationInvalid", "insufficientInstanceCapacity"])
def test_ls_says_why_there_is_no_instance(bench: Bench, sub_type: str) -> None:
    before = bench.now()
    for zone in "abcdf":
        bench.account.order("capacity", {"zone": f"us-east-1{zone}", "available": False, "sub_type": sub_type})
    bench.launch(LaunchRequest(workers=1))
    bench.sleep(1)
    [run] = take(bench.clients, before).runs
    assert (run.fleets, run.instances) == (1, 0)
    assert run.trouble


def test_a_launch_without_permission_for_the_key_is_refused(bench: Bench) -> None:
    key = bench.account.client("kms").create_key()["KeyMetadata"]["Arn"]
    rules = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}]
    bench.account.client("s3").put_bucket_encryption(
        Bucket=bench.bucket, ServerSideEncryptionConfiguration={"Rules": rules}
    )
    decided = bench.decide()
    bench.account.order("denied", [key])
    with pytest.raises(PdfbatchError, match="encryption key") as refusal:
        launch(decided, bench.outside())
    assert "kms:GenerateDataKey" in refusal.value.hint
    assert bench.left().is_nothing


def test_ls_says_that_the_quota_was_used_up_after_the_plan(bench: Bench) -> None:
    before, decided = bench.now(), bench.decide()
    bench.account.order("quota", {"code": SPOT_G_QUOTA, "value": 0, "default": 0})
    launch(decided, bench.outside())
    bench.sleep(1)
    [run] = take(bench.clients, before).runs
    assert run.trouble.startswith("spotInstanceCountLimitExceeded")


def test_down_removes_what_an_expired_run_left_behind(bench: Bench) -> None:
    bench.launch(LaunchRequest(max_hours=2))
    hours_pass(bench, 3)
    assert len(bench.left().fleets) == 5, "AWS keeps expired fleets active until they are deleted"
    assert bench.account.instances() == []
    end(bench.clients, lambda _: True, bench.sleep)
    assert bench.left().is_nothing


def hours_pass(bench: Bench, hours: float) -> None:
    bench.account.order("clock", {"forward_seconds": hours * 3600})
    bench.sleep(1)


def rise(bench: Bench, price: float) -> None:
    zones = [f"us-east-1{zone}" for zone in "abcdf"]
    bench.account.order("prices", {"g4dn.xlarge": dict.fromkeys(zones, price)})
    bench.sleep(1)


def test_a_price_above_the_ceiling_ends_the_instances_within_the_hard_cap(bench: Bench) -> None:
    launched = bench.launch(LaunchRequest(max_hours=48))
    bench.sleep(1)
    hours_pass(bench, 20)
    rise(bench, 0.31)
    hours_pass(bench, 20)
    assert len(bench.account.instances()) == 5, "1.5 x $0.21 is more than that"
    rise(bench, 0.526)
    assert bench.account.instances() == []
    hours_pass(bench, 7)
    rise(bench, 0.3)
    assert len(bench.account.instances()) == 5
    hours_pass(bench, 50)
    assert bench.account.instances() == []
    assert 5 * 40 * 0.18 < bench.account.spent() < launched.worst_cost


def test_the_worst_case_holds_with_the_price_just_below_the_ceiling(bench: Bench) -> None:
    launched = bench.launch(LaunchRequest(max_hours=2))
    rise(bench, 0.315)
    for _ in range(8):
        hours_pass(bench, 0.5)
    assert bench.account.instances() == []
    assert 5 * 1.9 * 0.315 < bench.account.spent() < launched.worst_cost


def test_a_plan_uses_list_prices_for_its_types_and_disks(bench: Bench) -> None:
    wish = LaunchRequest(instance_types=("g4dn.xlarge", "g5.xlarge"))
    account = bench.decide(wish).plan.account
    assert account.on_demand == {"g4dn.xlarge": 0.526, "g5.xlarge": 1.006}
    assert account.gib_month == 0.08


def test_on_demand_instances_cost_what_was_planned(bench: Bench) -> None:
    bench.account.order("quota", {"code": "L-DB2E81BA", "value": 64, "default": 0})
    launched = bench.launch(LaunchRequest(market="on-demand", max_hours=2))
    bench.sleep(1)
    hours_pass(bench, 3)
    assert 5 * 1.9 * 0.526 < bench.account.spent() < launched.worst_cost < 5 * 2 * 0.6


def test_on_demand_instances_are_launched_without_spot_capacity(bench: Bench) -> None:
    bench.account.order("quota", {"code": "L-DB2E81BA", "value": 64, "default": 0})
    bench.account.order("quota", {"code": SPOT_G_QUOTA, "value": 0, "default": 0})
    bench.launch(LaunchRequest(market="on-demand"))
    bench.sleep(1)
    machines = [
        machine
        for group in bench.account.client("ec2").describe_instances()["Reservations"]
        for machine in group["Instances"]
    ]
    assert len(machines) == 5
    assert not any("InstanceLifecycle" in machine for machine in machines)
    end(bench.clients, lambda _: True, bench.sleep)
    assert bench.left().is_nothing
