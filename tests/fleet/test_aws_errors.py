"""Every row of the table of AWS errors, through a real launch: one line, one next step, one exit code.

Codes and messages are as AWS writes them; the server answers with them where the call would fail."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from pdfbatch.errors import ExitCode, PdfbatchError
from pdfbatch.fleet.down import list_resources
from pdfbatch.fleet.launch import launch
from tests.fleet.conftest import Account
from tests.fleet.launching import Bench


class Row(NamedTuple):
    action: str
    code: str
    message: str
    exit_code: ExitCode
    says: str
    next_step: str
    status: int = 400


ROWS = [
    Row(
        "CreateFleet",
        "MaxSpotInstanceCountExceeded",
        "Max spot instance count exceeded",
        ExitCode.NOT_READY,
        "quota",
        "request-service-quota-increase",
    ),
    Row(
        "CreateFleet",
        "VcpuLimitExceeded",
        "You have requested more vCPU capacity than your current vCPU limit of 0 allows",
        ExitCode.NOT_READY,
        "L-3819A6DF",
        "--desired-value 20",
    ),
    Row(
        "CreateFleet",
        "InsufficientInstanceCapacity",
        "There is no Spot capacity available that matches your request.",
        ExitCode.FAILED,
        "no Spot capacity for g4dn.xlarge in any of the zones",
        "--instance-type",
    ),
    Row(
        "CreateFleet",
        "UnfulfillableCapacity",
        "Unable to fulfill capacity due to your request configuration.",
        ExitCode.FAILED,
        "no Spot capacity for g4dn.xlarge",
        "AWS_DEFAULT_REGION",
    ),
    Row(
        "CreateFleet",
        "Unsupported",
        "Your requested instance type (g4dn.xlarge) is not supported in your requested Availability Zone",
        ExitCode.FAILED,
        "no Spot capacity for g4dn.xlarge",
        "--instance-type",
    ),
    Row(
        "CreateFleet",
        "InsufficientFreeAddressesInSubnet",
        "Insufficient Free Addresses in Subnet",
        ExitCode.NOT_READY,
        "free IP address",
        "--subnet",
    ),
    Row(
        "CreateFleet",
        "MaxFleetCountExceeded",
        "The maximum number of active fleets was reached",
        ExitCode.FAILED,
        "no more fleet requests",
        "pdfbatch ls",
    ),
    Row(
        "CreateLaunchTemplate",
        "InvalidLaunchTemplateName.MalformedException",
        "A launch template name must be between 3 and 128 characters",
        ExitCode.FAILED,
        "does not accept the fleet's settings",
        "pdfbatch doctor",
    ),
    Row(
        "RunInstances",
        "InvalidAMIID.NotFound",
        "The image id '[ami-1]' does not exist",
        ExitCode.USAGE,
        "AMI",
        "--ami",
    ),
    Row(
        "RunInstances",
        "InvalidParameterValue",
        "Value (pdfbatch-worker) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name",
        ExitCode.NOT_READY,
        "instance profile",
        "pdfbatch setup",
    ),
    Row(
        "RunInstances",
        "InvalidKeyPair.NotFound",
        "The key pair 'mine' does not exist",
        ExitCode.USAGE,
        "key pair",
        "--key-name",
    ),
    Row(
        "CreateFleet",
        "InvalidSubnetID.NotFound",
        "The subnet ID 'subnet-1' does not exist",
        ExitCode.NOT_READY,
        "subnets",
        "--subnet",
    ),
    Row(
        "CreateFleet",
        "InvalidParameterCombination",
        "The specified instance type is not eligible for Free Tier",
        ExitCode.FAILED,
        "not eligible for Free Tier",
        "pdfbatch doctor",
    ),
    Row(
        "CreateFleet",
        "UnauthorizedOperation",
        "You are not authorized to perform this operation.",
        ExitCode.NOT_READY,
        "access denied",
        "pdfbatch doctor --policy",
        403,
    ),
    Row(
        "CreateFleet",
        "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
        "The provided credentials do not have permission to create the service-linked role for EC2 Spot Instances.",
        ExitCode.NOT_READY,
        "service-linked roles",
        "aws iam create-service-linked-role --aws-service-name spot.amazonaws.com",
        403,
    ),
]


@pytest.fixture
def bench(account: Account) -> Bench:
    return Bench(account, documents=5)


def refused(bench: Bench, faults: list[dict[str, Any]]) -> PdfbatchError:
    decided = bench.decide()
    bench.account.order("faults", faults)
    with pytest.raises(PdfbatchError) as refusal:
        launch(decided, bench.outside())
    return refusal.value


@pytest.mark.parametrize("row", ROWS, ids=[row.code for row in ROWS])
def test_each_refusal_is_one_line_with_a_next_step_and_leaves_nothing_behind(bench: Bench, row: Row) -> None:
    fault = {"action": row.action, "code": row.code, "message": row.message, "status": row.status, "times": 99}
    error = refused(bench, [fault])
    assert error.exit_code == row.exit_code
    assert row.says in error.message and "\n" not in error.message
    assert row.next_step in error.hint and "\n" not in error.hint
    assert list_resources(bench.clients).is_nothing


def test_a_zone_without_capacity_is_left_out_and_the_fleet_created_in_the_others(bench: Bench) -> None:
    decided = bench.decide()
    zone = decided.plan.account.zones[1]
    said = f"You cannot request g4dn.xlarge in your requested Availability Zone ({zone.name})."
    fault = {"action": "CreateFleet", "nth": 2, "code": "InsufficientInstanceCapacity", "message": said, "status": 400}
    bench.account.order("faults", [fault])
    launched = launch(decided, bench.outside())
    assert len(launched.fleets) == 5
    again = bench.account.calls("CreateFleet")[2]["parameters"]["LaunchTemplateConfigs"][0]["Overrides"]
    assert zone.subnet not in [override["SubnetId"] for override in again] and len(again) == 4
    assert any(zone.name in line and "left out" in line for line in bench.messages)


def test_a_throttled_call_is_retried_with_pauses_and_then_fails(bench: Bench) -> None:
    decided = bench.decide()
    busy = {"action": "CreateFleet", "code": "MaxFleetCountExceeded", "message": "busy", "status": 400, "times": 2}
    bench.account.order("faults", [busy])
    launched = launch(decided, bench.outside())
    assert len(launched.fleets) == 5 and bench.slept > 0


def test_terminating_an_instance_that_is_already_gone_is_no_error(bench: Bench) -> None:
    from pdfbatch.fleet.down import end

    bench.launch()
    bench.sleep(1)
    gone = {"action": "TerminateInstances", "code": "UnauthorizedOperation", "message": "no", "status": 403}
    bench.account.order("faults", [gone])
    assert end(bench.clients, lambda _: True, bench.sleep).instances == 5
    assert len(bench.account.calls("TerminateInstances")) <= 6, "the batch, and each alone: no loop"


def test_an_encoded_refusal_is_decoded_where_permitted(bench: Bench) -> None:
    secret = "Encoded authorization failure message: abcdef"
    fault = {"action": "CreateFleet", "code": "UnauthorizedOperation", "message": secret, "status": 403}
    error = refused(bench, [fault])
    assert error.exit_code == ExitCode.NOT_READY and len(bench.account.calls("DecodeAuthorizationMessage")) == 1
