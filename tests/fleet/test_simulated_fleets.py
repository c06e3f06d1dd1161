"""Simulated fleets do what simulated_fleets.py says about AWS's."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.fleet.conftest import SPOT_G_QUOTA, Account
from tests.fleet.wishes import THE_PAST, USER_DATA, fleet, refused, subnets, template, wish


def described(account: Account, id: str) -> dict[str, Any]:
    found: dict[str, Any] = account.client("ec2").describe_fleets(FleetIds=[id])["Fleets"][0]
    return found


def events(account: Account, id: str) -> list[str]:
    history = account.client("ec2").describe_fleet_history(FleetId=id, StartTime=THE_PAST)["HistoryRecords"]
    return [record["EventInformation"]["EventSubType"] for record in history]


def instance(account: Account, id: str) -> dict[str, Any]:
    found: dict[str, Any] = account.client("ec2").describe_instances(InstanceIds=[id])["Reservations"][0]["Instances"][
        0
    ]
    return found


def test_a_fleet_launches_its_template_some_time_after_its_creation(still_account: Account) -> None:
    made = still_account.client("ec2").create_fleet(**wish(still_account, template(still_account)))["FleetId"]
    assert described(still_account, made)["FleetState"] == "submitted"
    assert still_account.instances() == []
    still_account.order("tick")
    answer = described(still_account, made)
    assert (answer["FleetState"], answer["ActivityStatus"], answer["FulfilledCapacity"]) == ("active", "fulfilled", 1.0)
    assert answer["Tags"] == [{"Key": "pdfbatch:run", "Value": "R"}]
    [living] = still_account.instances()
    assert (living["fleet"], living["user_data"], living["zone"]) == (made, USER_DATA, "us-east-1a")
    machine = instance(still_account, living["instance"])
    assert machine["InstanceLifecycle"] == "spot"
    assert machine["IamInstanceProfile"]["Arn"].endswith("/pdfbatch-us-east-1-worker")
    assert machine["MetadataOptions"]["HttpTokens"] == "required"
    assert {"Key": "aws:ec2:fleet-id", "Value": made} in machine["Tags"]
    assert events(still_account, made) == ["submitted", "active", "launched"]


def test_time_also_advances_by_itself(account: Account) -> None:
    account.ready().client("ec2").create_fleet(**wish(account, template(account)))
    while not account.instances():
        time.sleep(0.05)


def test_a_client_token_creates_one_fleet_and_is_refused_with_other_parameters(still_account: Account) -> None:
    ec2, asked = still_account.client("ec2"), wish(still_account, template(still_account), ClientToken="run-0")
    assert ec2.create_fleet(**asked)["FleetId"] == ec2.create_fleet(**asked)["FleetId"]
    with refused("IdempotentParameterMismatch"):
        ec2.create_fleet(**asked | {"TerminateInstancesWithExpiration": False})
    assert len(ec2.describe_fleets()["Fleets"]) == 1


@pytest.mark.parametrize(
    ("code", "more"),
    [
        ("InvalidFleetConfig", {"zones": "aba"}),
        ("InvalidParameterValue", {"ValidUntil": THE_PAST}),
        ("InvalidLaunchTemplateId.NotFound", {"launch_template": "lt-0123456789abcdef0"}),
        ("InvalidParameterValue", {"TagSpecifications": [{"ResourceType": "instance", "Tags": []}]}),
    ],
)
def test_what_aws_would_refuse_creates_no_fleet(still_account: Account, code: str, more: dict[str, Any]) -> None:
    asked = {"launch_template": template(still_account)} | more
    with refused(code):
        still_account.client("ec2").create_fleet(**wish(still_account, **asked))
    assert still_account.client("ec2").describe_fleets()["Fleets"] == []


@pytest.mark.parametrize("end", ["terminate", "interrupt", "shutdown"])
def test_an_instance_that_ends_is_replaced_with_the_same_user_data(still_account: Account, end: str) -> None:
    made = fleet(still_account)
    [first] = still_account.instances()
    if end == "terminate":
        still_account.client("ec2").terminate_instances(InstanceIds=[first["instance"]])
    else:
        still_account.order(end, {"instance": first["instance"]})
    still_account.order("tick")
    [second] = still_account.instances()
    assert second["instance"] != first["instance"]
    assert (second["user_data"], second["fleet"]) == (USER_DATA, made)
    assert events(still_account, made)[2:] == ["launched", "terminated", "launched"]
    reason = {"interrupt": "Server.SpotInstanceTermination", "shutdown": "Client.InstanceInitiatedShutdown"}
    gone = instance(still_account, first["instance"])
    assert gone["State"]["Name"] == "terminated"
    assert gone["StateReason"]["Code"] == reason.get(end, "Client.UserInitiatedShutdown")


def test_a_deleted_fleet_ends_its_instance_and_lingers(still_account: Account) -> None:
    made = fleet(still_account)
    answer = still_account.client("ec2").delete_fleets(
        FleetIds=[made, "fleet-1", f"{made[:-1]}{'1' if made.endswith('0') else '0'}"], TerminateInstances=True
    )
    [deletion] = answer["SuccessfulFleetDeletions"]
    assert (deletion["CurrentFleetState"], deletion["PreviousFleetState"]) == ("deleted_terminating", "active")
    errors = [failure["Error"]["Code"] for failure in answer["UnsuccessfulFleetDeletions"]]
    assert errors == ["fleetIdMalformed", "fleetIdDoesNotExist"]
    for _ in range(3):
        still_account.order("tick")
    assert still_account.instances() == []
    assert described(still_account, made)["FleetState"] == "deleted"


def test_a_fleet_without_a_running_instance_can_be_deleted(still_account: Account) -> None:
    made = still_account.client("ec2").create_fleet(**wish(still_account, template(still_account)))["FleetId"]
    answer = still_account.client("ec2").delete_fleets(FleetIds=[made], TerminateInstances=True)
    assert [deletion["FleetId"] for deletion in answer["SuccessfulFleetDeletions"]] == [made]
    still_account.order("tick")
    assert still_account.instances() == []


def test_a_fleet_deleted_without_its_instance_does_not_replace_it(still_account: Account) -> None:
    made = fleet(still_account)
    still_account.client("ec2").delete_fleets(FleetIds=[made], TerminateInstances=False)
    still_account.order("tick")
    [left] = still_account.instances()
    still_account.client("ec2").terminate_instances(InstanceIds=[left["instance"]])
    still_account.order("tick")
    assert still_account.instances() == []
    assert described(still_account, made)["FleetState"] == "deleted"


def test_a_target_capacity_of_0_terminates_the_instance_for_good(still_account: Account) -> None:
    made = fleet(still_account)
    capacity = {"TotalTargetCapacity": 0}
    still_account.client("ec2").modify_fleet(
        FleetId=made, TargetCapacitySpecification=capacity, ExcessCapacityTerminationPolicy="termination"
    )
    assert described(still_account, made)["FleetState"] == "modifying"
    still_account.order("tick")
    still_account.order("tick")
    assert still_account.instances() == []
    assert described(still_account, made)["TargetCapacitySpecification"]["TotalTargetCapacity"] == 0


@pytest.mark.parametrize("terminate", [True, False])
def test_an_expired_fleet_launches_nothing_and_terminates_its_instances_if_so_configured(
    still_account: Account, terminate: bool
) -> None:
    made = fleet(still_account, TerminateInstancesWithExpiration=terminate)
    still_account.order("clock", {"forward_seconds": 7_190})
    still_account.order("tick")
    assert len(still_account.instances()) == 1
    still_account.order("clock", {"forward_seconds": 20})
    still_account.order("tick")
    assert len(still_account.instances()) == (0 if terminate else 1)
    still_account.order("tick")
    assert "expired" in events(still_account, made)
    assert events(still_account, made).count("launched") == 1


def test_the_cheapest_zone_with_capacity_is_used_whatever_the_order_of_overrides(still_account: Account) -> None:
    made = fleet(still_account, zones="bca")
    assert still_account.instances()[0]["zone"] == "us-east-1c"
    still_account.order("capacity", {"zone": "us-east-1c", "available": False})
    still_account.order("interrupt", {"instance": still_account.instances()[0]["instance"]})
    still_account.order("tick")
    assert still_account.instances()[0]["zone"] == "us-east-1a"
    assert "spotFleetRequestConfigurationInvalid" in events(still_account, made)


def test_without_capacity_a_fleet_keeps_trying_and_its_history_says_why(still_account: Account) -> None:
    for zone in ("us-east-1a", "us-east-1b"):
        still_account.order("capacity", {"zone": zone, "available": False})
    made = fleet(still_account)
    still_account.order("tick")
    assert described(still_account, made)["ActivityStatus"] == "error"
    history = still_account.client("ec2").describe_fleet_history(
        FleetId=made, StartTime=THE_PAST, EventType="service-error"
    )
    first, last = history["HistoryRecords"]
    assert first["EventType"] == "error"
    assert "There is no Spot capacity available" in first["EventInformation"]["EventDescription"]
    assert last["EventInformation"]["EventSubType"] == "allLaunchSpecsTemporarilyBlacklisted"
    still_account.order("capacity", {"zone": "us-east-1b", "available": True})
    still_account.order("tick")
    assert still_account.instances()[0]["zone"] == "us-east-1b"


def test_only_the_history_says_why_a_fleet_has_no_instance_page_by_page(still_account: Account) -> None:
    for zone in "ab":
        about = {"zone": f"us-east-1{zone}", "available": False, "sub_type": "insufficientInstanceCapacity"}
        still_account.order("capacity", about)
    ec2 = still_account.client("ec2")
    answer = ec2.create_fleet(**wish(still_account, template(still_account)))
    assert not answer.get("Errors"), "only a fleet of type instant answers with errors"
    still_account.order("tick")
    reported, token = list[str](), dict[str, str]()
    while True:
        page = ec2.describe_fleet_history(
            FleetId=answer["FleetId"], StartTime=THE_PAST, EventType="service-error", MaxResults=1, **token
        )
        reported += [record["EventInformation"]["EventSubType"] for record in page["HistoryRecords"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert reported == ["insufficientInstanceCapacity", "allLaunchSpecsTemporarilyBlacklisted"], "each trouble once"


def test_an_expired_fleet_stays_active_until_it_is_deleted(still_account: Account) -> None:
    made = fleet(still_account)
    still_account.order("clock", {"forward_seconds": 7_300})
    for _ in range(3):
        still_account.order("tick")
    answer = described(still_account, made)
    assert (answer["FleetState"], answer["FulfilledCapacity"]) == ("active", 0.0)
    assert still_account.instances() == []
    [deletion] = still_account.client("ec2").delete_fleets(FleetIds=[made], TerminateInstances=True)[
        "SuccessfulFleetDeletions"
    ]
    assert deletion["PreviousFleetState"] == "active"
    still_account.order("tick")
    assert described(still_account, made)["FleetState"] == "deleted"


def test_a_zone_that_does_not_offer_the_type_launches_nothing(still_account: Account) -> None:
    assert events(still_account, fleet(still_account, zones="e"))[2] == "launchSpecUnusable"


def test_a_fleet_launches_nothing_beyond_the_quota(still_account: Account) -> None:
    still_account.order("quota", {"code": SPOT_G_QUOTA, "value": 4})
    ec2, asked = still_account.client("ec2"), wish(still_account, template(still_account))
    made = [ec2.create_fleet(**asked)["FleetId"] for _ in range(2)]
    still_account.order("tick")
    assert len(still_account.instances()) == 1
    assert "spotInstanceCountLimitExceeded" in events(still_account, made[1])


def test_a_fleet_whose_template_was_deleted_replaces_nothing(still_account: Account) -> None:
    made = fleet(still_account)
    still_account.client("ec2").delete_launch_template(LaunchTemplateName="worker")
    still_account.order("interrupt", {"instance": still_account.instances()[0]["instance"]})
    still_account.order("tick")
    assert still_account.instances() == []
    assert described(still_account, made)["ActivityStatus"] == "error"


# ── keys of disks ────────────────────────────────────────────────────────────────────────────────────────────────


def default_key(account: Account) -> str:
    """A customer's key that has become the default one for disks."""
    key = str(account.client("kms").create_key()["KeyMetadata"]["Arn"])
    account.client("ec2").modify_ebs_default_kms_key_id(KmsKeyId=key)
    return key


def test_instances_with_an_unusable_default_key_die_and_are_replaced_for_ever(
    still_account: Account,
) -> None:
    default_key(still_account)
    made = fleet(still_account)
    for _ in range(3):
        still_account.order("tick")
    assert events(still_account, made)[2:] == ["launched", *["terminated", "launched"] * 3]
    assert still_account.instances() == []
    history = still_account.client("ec2").describe_fleet_history(FleetId=made, StartTime=THE_PAST)["HistoryRecords"]
    gone = instance(still_account, history[2]["EventInformation"]["InstanceId"])
    assert gone["StateReason"]["Code"] == "Client.InternalError"


def test_instances_run_if_the_fleets_role_has_a_grant_for_the_default_key(still_account: Account) -> None:
    role = "arn:aws:iam::123456789012:role/aws-service-role/ec2fleet.amazonaws.com/AWSServiceRoleForEC2Fleet"
    key = default_key(still_account)
    still_account.client("kms").create_grant(KeyId=key, GranteePrincipal=role, Operations=["CreateGrant"])
    fleet(still_account)
    assert len(still_account.instances()) == 1


@pytest.mark.parametrize(("named", "lives"), [("alias/aws/ebs", True), ("alias/nobody", False)])
def test_a_key_in_the_template_replaces_the_default_one(still_account: Account, named: str, lives: bool) -> None:
    default_key(still_account)
    disk = {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 100, "Encrypted": True, "KmsKeyId": named}}
    ec2 = still_account.client("ec2")
    ec2.create_fleet(**wish(still_account, template(still_account, BlockDeviceMappings=[disk])))
    still_account.order("tick")
    assert len(still_account.instances()) == lives


def test_encryption_by_default_needs_the_default_key_too(still_account: Account) -> None:
    default_key(still_account)
    disk = {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 100}}
    made = template(still_account, BlockDeviceMappings=[disk])
    for enabled in (False, True):
        if enabled:
            still_account.client("ec2").enable_ebs_encryption_by_default()
        still_account.client("ec2").create_fleet(**wish(still_account, made))
        still_account.order("tick")
        assert len(still_account.instances()) == 1, "the second one dies"


# ── prices and markets ───────────────────────────────────────────────────────────────────────────────────────────


def overrides(account: Account, zones: str = "a", **more: Any) -> list[dict[str, Any]]:
    of_zone = subnets(account)
    return [{"InstanceType": "g4dn.xlarge", "SubnetId": of_zone[f"us-east-1{zone}"], **more} for zone in zones]


def fleet_of(account: Account, overrides: list[dict[str, Any]], **more: Any) -> str:
    asked = wish(account, template(account), **more)
    asked["LaunchTemplateConfigs"][0]["Overrides"] = overrides
    made = account.client("ec2").create_fleet(**asked)["FleetId"]
    account.order("tick")
    return str(made)


def rise(account: Account, price: float) -> None:
    zones = [f"us-east-1{zone}" for zone in "abcdf"]
    account.order("prices", {"g4dn.xlarge": dict.fromkeys(zones, price)})
    account.order("tick")


def test_a_price_above_the_ceiling_interrupts_the_instance_without_a_replacement(still_account: Account) -> None:
    made = fleet_of(still_account, overrides(still_account, "ab", MaxPrice="0.3"))
    [first] = still_account.instances()
    rise(still_account, 0.3)
    assert [living["instance"] for living in still_account.instances()] == [first["instance"]]
    rise(still_account, 0.31)
    assert still_account.instances() == []
    assert instance(still_account, first["instance"])["StateReason"]["Code"] == "Server.SpotInstanceTermination"
    assert events(still_account, made)[3:] == [
        "terminated",
        "launchSpecUnusable",
        "launchSpecUnusable",
        "fleetProgressHalted",
    ]
    assert described(still_account, made)["ActivityStatus"] == "pending_fulfillment", "no error has happened"
    rise(still_account, 0.29)
    assert len(still_account.instances()) == 1


def test_without_a_ceiling_an_instance_runs_at_any_price(still_account: Account) -> None:
    made = fleet_of(still_account, overrides(still_account))
    rise(still_account, 0.526)
    assert len(still_account.instances()) == 1
    assert events(still_account, made).count("launched") == 1


def test_a_ceiling_below_a_tenth_of_a_cent_is_refused(still_account: Account) -> None:
    with refused("InvalidParameterValue"):
        fleet_of(still_account, overrides(still_account, MaxPrice="0.0009"))


def test_an_on_demand_fleet_launches_no_spot_instance_and_ignores_the_ceiling(still_account: Account) -> None:
    capacity = {"TotalTargetCapacity": 1, "OnDemandTargetCapacity": 1, "DefaultTargetCapacityType": "on-demand"}
    pools = overrides(still_account, MaxPrice="0.001")
    made = fleet_of(still_account, pools, TargetCapacitySpecification=capacity)
    [living] = still_account.instances()
    machine = instance(still_account, living["instance"])
    assert "InstanceLifecycle" not in machine and "SpotInstanceRequestId" not in machine
    answer = described(still_account, made)
    assert (answer["FulfilledOnDemandCapacity"], answer["ActivityStatus"]) == (1.0, "fulfilled")
    [active] = still_account.client("ec2").describe_fleet_instances(FleetId=made)["ActiveInstances"]
    assert "SpotInstanceRequestId" not in active
    still_account.order("clock", {"forward_seconds": 3600})
    still_account.order("tick")
    assert still_account.spent() == pytest.approx(0.526, abs=0.001)


def test_on_demand_instances_count_against_their_own_quota(still_account: Account) -> None:
    still_account.order("quota", {"code": "L-DB2E81BA", "value": 4})
    still_account.order("quota", {"code": SPOT_G_QUOTA, "value": 4})
    ec2, made = still_account.client("ec2"), template(still_account)
    on_demand = {"TotalTargetCapacity": 1, "DefaultTargetCapacityType": "on-demand"}
    for capacity in ({}, {"TargetCapacitySpecification": on_demand}) * 2:
        ec2.create_fleet(**wish(still_account, made, **capacity))
    still_account.order("tick")
    kinds = [instance(still_account, living["instance"]) for living in still_account.instances()]
    assert sorted(kind.get("InstanceLifecycle", "") for kind in kinds) == ["", "spot"]


def test_market_capacities_above_the_total_are_refused(still_account: Account) -> None:
    capacity = {"TotalTargetCapacity": 1, "OnDemandTargetCapacity": 1, "SpotTargetCapacity": 1}
    with refused("InvalidTargetCapacitySpecification"):
        fleet_of(still_account, overrides(still_account), TargetCapacitySpecification=capacity)


def test_instances_are_billed_at_the_current_price_and_only_while_they_run(still_account: Account) -> None:
    made = fleet_of(still_account, overrides(still_account))
    for price in (0.2, 0.4):
        rise(still_account, price)
        still_account.order("clock", {"forward_seconds": 1800})
        still_account.order("tick")
    assert still_account.spent() == pytest.approx(0.3, abs=0.001)
    still_account.client("ec2").delete_fleets(FleetIds=[made], TerminateInstances=True)
    still_account.order("tick")
    still_account.order("clock", {"forward_seconds": 3600})
    still_account.order("tick")
    assert still_account.spent() == pytest.approx(0.3, abs=0.001)
