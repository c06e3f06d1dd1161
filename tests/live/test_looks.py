"""How a live run judges AWS's answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.live import looks

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
OURS, THEIRS = "arn:aws:kms:us-east-1:111122223333:key/own", "arn:aws:kms:us-east-1:111122223333:key/customer"
INSTANCE: dict[str, Any] = {
    "Tags": [{"Key": "pdfbatch:run", "Value": "R"}],
    "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2, "InstanceMetadataTags": "enabled"},
    "InstanceLifecycle": "spot",
}
KERNEL = "[12.3] EXT4-fs (nvme0n1p1): mounted filesystem\n[14.1] EXT4-fs (nvme1n1): mounted filesystem"


def event(kind: str, sub: str) -> dict[str, Any]:
    return {"EventType": kind, "EventInformation": {"EventSubType": sub}}


@pytest.mark.parametrize(
    ("look", "verdict"),
    [
        (looks.missing_key(["2026 worker-0 of R"], 3), "as expected"),
        (looks.missing_key(["An error occurred (AccessDenied) when calling GetObject"], 3), "otherwise"),
        (looks.missing_key([], 0), "not seen"),
        (looks.disk_key(THEIRS, False, {"Encrypted": True, "KmsKeyId": OURS}, OURS), "as expected"),
        (looks.disk_key(THEIRS, False, {"Encrypted": True, "KmsKeyId": THEIRS}, OURS), "otherwise"),
        (looks.disk_key(THEIRS, False, None, OURS), "not seen"),
        (looks.policy([], 4), "as expected"),
        (looks.policy(["launch: not allowed: ec2:CreateFleet"], 1), "otherwise"),
        (looks.history([event("instanceChange", "launched"), event("error", "quota")]), "as expected"),
        (looks.history([event("fleet_error", "quota")]), "otherwise"),
        (looks.history([]), "not seen"),
        (looks.instance(INSTANCE, "terminate", {"pdfbatch:run"}), "as expected"),
        (looks.instance(INSTANCE, "stop", {"pdfbatch:run"}), "otherwise"),
        (looks.instance(INSTANCE, "terminate", {"pdfbatch:run", "aws:ec2:fleet-id"}), "otherwise"),
        (looks.instance(None, "", set()), "not seen"),
        (looks.logs_and_metrics("", 40, ["Pages", "Documents"]), "as expected"),
        (looks.logs_and_metrics("ResourceNotFoundException", 40, ["Pages"]), "otherwise"),
        (looks.logs_and_metrics("", 40, []), "otherwise"),
        (looks.notice("interrupted: waiting for AWS to terminate", 2, 120, 120, True), "as expected"),
        (looks.notice("interrupted: waiting for AWS to terminate", 2, 120, 126, True), "otherwise"),
        (looks.notice("", 1, 120, 120, True), "not seen"),
        (looks.replacement(NOON, [NOON - timedelta(hours=1), NOON + timedelta(minutes=5)], KERNEL), "as expected"),
        (looks.replacement(NOON, [NOON + timedelta(minutes=5)], KERNEL.splitlines()[0]), "otherwise"),
        (looks.replacement(NOON, [NOON + timedelta(minutes=50)], KERNEL), "otherwise"),
        (looks.replacement(NOON, [NOON - timedelta(hours=1)], KERNEL), "not seen"),
        (looks.own_end("deleted_terminating", [{"eventName": "DeleteFleets"}]), "as expected"),
        (looks.own_end("deleted", [{"errorCode": "Client.UnauthorizedOperation"}]), "otherwise"),
        (looks.own_end("active", []), "otherwise"),
        (looks.own_end("deleted", []), "not seen"),
        (looks.expiry(NOON, True, NOON + timedelta(seconds=70), "active"), "as expected"),
        (looks.expiry(NOON, True, NOON - timedelta(minutes=2), "active"), "otherwise"),
        (looks.expiry(NOON, True, None, "active"), "otherwise"),
        (looks.expiry(NOON, False, None, "active"), "not seen"),
    ],
)
def test_each_look_distinguishes_expected_from_unexpected(look: looks.Look, verdict: str) -> None:
    assert look.verdict == verdict, look.seen
