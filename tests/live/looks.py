"""Judges what a live run observes, from AWS's answers. Pure.

These ten cannot be simulated: AWS's documentation is silent about them, or users reported surprises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

Json = Mapping[str, Any]
Verdict = Literal["as expected", "otherwise", "not seen"]
KNOWN_EVENTS = {
    *("error", "fleetRequestChange", "instanceChange", "information"),  # EC2 user guide, "EC2 Fleet event types"
    *("service-error", "fleet-change", "instance-change"),  # API reference, HistoryRecordEntry
}
REPLACED_WITHIN = timedelta(minutes=15)
EXPIRES_WITHIN = timedelta(minutes=5)
NAMES = (
    "a missing key answers 404",
    "the key of the disks",
    "the printed policy suffices",
    "the spelling of history events",
    "the instance is as the template says",
    "logs before the first stream, and metrics",
    "a Spot notice: drain, resume, no page twice",
    "time to replacement, and the NVMe disk is used",
    "the worker may delete its own fleet",
    "a fleet expires by itself",
)


class Look(NamedTuple):
    name: str
    verdict: Verdict
    seen: str


def judged(number: int, holds: bool | None, seen: str) -> Look:
    """The look of this number, from 1; None: it could not be seen."""
    verdict: Verdict = "not seen" if holds is None else "as expected" if holds else "otherwise"
    return Look(NAMES[number - 1], verdict, seen)


def missing_key(boot_logs: Sequence[str], published: int) -> Look:
    """The boot script asks for a done mark, and the worker for Markdown, before either exists."""
    refused = [line for log in boot_logs for line in log.splitlines() if "AccessDenied" in line or "(403)" in line]
    if refused:
        return judged(1, False, refused[0])
    if not boot_logs or not published:
        return judged(1, None, "no boot log, or nothing published")
    return judged(1, True, f"{len(boot_logs)} boots and {published} documents without a refusal")


def disk_key(default_key: str, by_default: bool, volume: Json | None, own_key: str) -> Look:
    """`own_key`: the ARN behind alias/aws/ebs."""
    seen = f"the account's default is {default_key}, encryption by default {by_default}"
    if volume is None:
        return judged(2, None, seen)
    key = str(volume.get("KmsKeyId", ""))
    return judged(2, bool(volume.get("Encrypted")) and key == own_key, f"{seen}; the disk has {key or 'no key'}")


def policy(refusals: Sequence[str], commands: int) -> Look:
    if refusals:
        return judged(3, False, refusals[0])
    return judged(3, True if commands else None, f"{commands} commands ended well with no other right")


def history(records: Sequence[Json]) -> Look:
    types = {str(record.get("EventType", "")) for record in records}
    pairs = {
        f"{record.get('EventType')}/{record.get('EventInformation', {}).get('EventSubType')}" for record in records
    }
    return judged(4, types <= KNOWN_EVENTS if records else None, ", ".join(sorted(pairs)) or "no records")


def instance(described: Json | None, on_shutdown: str, wanted_tags: set[str]) -> Look:
    if described is None:
        return judged(5, None, "no instance came")
    options = described.get("MetadataOptions", {})
    missing = wanted_tags - {tag["Key"] for tag in described.get("Tags", [])}
    faults = [
        *(f"no tag {tag}" for tag in sorted(missing)),
        *([f"on shutdown: {on_shutdown}"] if on_shutdown != "terminate" else []),
        *(["IMDSv1 is open"] if options.get("HttpTokens") != "required" else []),
        *(
            [f"hop limit {options.get('HttpPutResponseHopLimit')}"]
            if options.get("HttpPutResponseHopLimit") != 2
            else []
        ),
        *(["no tags in its metadata"] if options.get("InstanceMetadataTags") != "enabled" else []),
        *(["it is not a Spot instance"] if described.get("InstanceLifecycle") != "spot" else []),
    ]
    address = "a public IP address" if described.get("PublicIpAddress") else "no public IP address"
    return judged(5, not faults, "; ".join([*faults, address]))


def logs_and_metrics(before: str, lines: int, metrics: Sequence[str]) -> Look:
    """`before`: what went wrong when the logs were asked for at once; "" if nothing did."""
    if before:
        return judged(6, False, f"before the first stream: {before}")
    seen = f"{lines} lines, metrics: {', '.join(sorted(metrics)) or 'none'}"
    return judged(6, lines > 0 and "Pages" in metrics, seen)


def notice(first_log: str, machines: int, pages: int, read: int, sound: bool) -> Look:
    """`pages`: in the documents; `read`: by all instances together."""
    if machines < 2:
        return judged(7, None, "the instance was not replaced")
    drained = "interrupted: waiting for AWS" in first_log
    seen = f"{machines} instances read {read} times a page of {pages}; drained: {drained}; sound: {sound}"
    return judged(7, drained and read == pages and sound, seen)


def replacement(taken: datetime, booted: Sequence[datetime], console: str) -> Look:
    """`taken`: when the notice was asked for; `booted`: when the instances of this worker did; `console`: of the
    first, where the kernel says what it mounts."""
    after = [moment for moment in booted if moment > taken]
    if not after:
        return judged(8, None, "the instance was not replaced")
    gap = min(after) - taken
    mounts = [line.strip() for line in console.splitlines() if "EXT4-fs" in line and "mounted" in line]
    fast = any("nvme1n1" in line or "dm-" in line for line in mounts)
    seen = f"replaced {gap.total_seconds():.0f} s after the notice; mounts: {'; '.join(mounts) or 'unknown'}"
    if gap > REPLACED_WITHIN:
        return judged(8, False, seen)
    return judged(8, fast if mounts else None, seen)


def own_end(state: str, events: Sequence[Json]) -> Look:
    """`events`: of CloudTrail, the DeleteFleets calls of the worker's role for this fleet."""
    if not state.startswith("deleted"):
        return judged(9, False, f"the fleet is {state}")
    if not events:
        return judged(9, None, f"the fleet is {state}; CloudTrail does not say yet who did it")
    codes = [str(event.get("errorCode", "")) for event in events]
    return judged(
        9, "" in codes, f"the fleet is {state}; DeleteFleets answered {', '.join(c or 'well' for c in codes)}"
    )


def expiry(valid_until: datetime, lived: bool, ended: datetime | None, fleet_state: str) -> Look:
    """`ended`: when its instance was first seen ended."""
    if not lived:
        return judged(10, None, f"the idle fleet never had an instance; it is {fleet_state}")
    if ended is None:
        return judged(10, False, f"the instance lives after its fleet expired; the fleet is {fleet_state}")
    late = ended - valid_until
    seen = f"the instance ended {late.total_seconds():.0f} s after ValidUntil; the fleet is {fleet_state}"
    return judged(10, timedelta() <= late <= EXPIRES_WITHIN, seen)
