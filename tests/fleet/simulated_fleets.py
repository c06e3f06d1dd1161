"""EC2 Fleets of type `maintain` as a state machine, which moto does not simulate. No HTTP and no moto in here.

Requests and answers have the shapes of the EC2 API (2016-11-15), as in boto3. A fleet acts only when `tick` is called,
because AWS acts some time after it answered.

Sources of the behaviour:
- states, activity, event types and sub-types: botocore's model (FleetData, EventInformation) and awscli's examples;
- duplicate pools → InvalidFleetConfig: aws-plugin-for-slurm #19, terraform-aws-github-runner #2904 and #5297;
- a launch that failed → `error` / `spotFleetRequestConfigurationInvalid` and its text: terraform-provider-aws #26493,
  npk #70, of On-Demand #1496; all of them → `allLaunchSpecsTemporarilyBlacklisted`: ecs-selenium #12;
- a price above the ceiling → `launchSpecUnusable` and its text, or `fleetProgressHalted`: EC2 guide, "Monitor fleet
  events"; it interrupts what runs: botocore's model (FleetLaunchTemplateOverrides, `MaxPrice`);
- replacement of whatever ended, expiry, lingering deleted fleets, price-capacity-optimized and its heedlessness of the
  order of overrides: the project's facts on Spot fleets and the EC2 guide.
Assumed, because no source says it: the error of a ValidUntil in the past; that an expired fleet stays `active` (the
API has no state `expired`); that deleting a deleted fleet again is `fleetNotInDeletableState`. Other than in AWS, a
fleet is checked before it is made and not soon after, and its history is not late. Left out: weights,
`request` and `instant`, fleets of both markets.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

Json = dict[str, Any]
EVENT_TYPES = {"instance-change": "instanceChange", "fleet-change": "fleetRequestChange", "service-error": "error"}
STRATEGIES = ("lowest-price", "diversified", "capacity-optimized", "capacity-optimized-prioritized")
LAUNCHING = ("submitted", "active", "modifying")
LEAST_CEILING = 0.001
DEFAULT_LIFE = timedelta(days=7)
NO_CAPACITY = "There is no Spot capacity available that matches your request."
SCARCE = "We currently do not have sufficient {} capacity in the Availability Zone you requested ({})."
ALL_FAILED = "Several attempts to launch instances have failed. We will retry the request again later."
ALL_TOO_DEAR = "The price in every launch specification is not valid because it is below the Spot price."


class Refused(Exception):
    """AWS answers a call with this error."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


class NotLaunched(Exception):
    """A failed launch, as a fleet's history reports it; the fleet retries."""

    def __init__(self, sub_type: str, description: str, kind: str = "error", final: bool = False) -> None:
        super().__init__(description)
        self.sub_type, self.description, self.kind, self.final = sub_type, description, kind, final
        """`final`: do not try the other pools."""


class Pool(NamedTuple):
    """Where an instance may be launched: one of a fleet's overrides."""

    template: Json
    type: str
    zone: str
    subnet: str | None
    on_demand: bool = False
    ceiling: float | None = None
    """Dollars an hour above which AWS launches no Spot instance and interrupts those it has."""


class Cloud(Protocol):
    """What fleets act upon."""

    def zone_of(self, override: Json) -> str: ...
    def check(self, template: Json) -> None:
        """Raises Refused for a launch template that nothing can be launched from."""

    def price(self, pool: Pool) -> float | None:
        """Dollars an hour; None where the type is not offered."""

    def launch(self, fleet: str, pool: Pool) -> str:
        """The new instance's id; raises NotLaunched."""

    def type_of(self, template: Json) -> str: ...
    def image_of(self, template: Json) -> str: ...
    def is_living(self, instance: str) -> bool: ...
    def terminate(self, instance: str) -> None: ...
    def interrupt(self, instance: str) -> None: ...
    def tag(self, resource: str, tags: list[Json]) -> None: ...
    def tags(self, resource: str) -> list[Json]: ...
    def about(self, instance: str) -> Json:
        """InstanceType, and SpotInstanceRequestId of a Spot instance."""


@dataclass
class Fleet:
    id: str
    wish: Json
    """The parameters of CreateFleet."""
    created: datetime
    valid_until: datetime
    target: int
    policy: str
    state: str = "submitted"
    expired: bool = False
    instances: dict[str, Pool] = field(default_factory=dict)
    failures: list[tuple[str, str, str]] = field(default_factory=list)
    """Since the last launch: event type, sub-type and description, each once."""
    spent: float = 0.0
    """Dollars for instances, without their disks and addresses."""
    history: list[Json] = field(default_factory=list)

    @property
    def ends_with_expiry(self) -> bool:
        return bool(self.wish.get("TerminateInstancesWithExpiration", False))

    @property
    def on_demand(self) -> bool:
        capacity = self.wish["TargetCapacitySpecification"]
        return bool(capacity.get("OnDemandTargetCapacity") or capacity.get("DefaultTargetCapacityType") == "on-demand")

    @property
    def activity(self) -> str:
        if len(self.instances) > self.target or (self.instances and self.state == "deleted_terminating"):
            return "pending_termination"
        if len(self.instances) >= self.target:
            return "fulfilled"
        has_error = any(kind == "error" for kind, _, _ in self.failures)
        return "error" if has_error else "pending_fulfillment"


class Fleets:
    """All fleets of one region."""

    def __init__(self, cloud: Cloud, now: Callable[[], datetime]) -> None:
        self.cloud = cloud
        self.now = now
        self.fleets: dict[str, Fleet] = {}
        self._ticked = now()

    def create(self, wish: Json) -> Json:
        self._check(wish)
        capacity = wish["TargetCapacitySpecification"]
        fleet = Fleet(
            id=f"fleet-{uuid.uuid4()}",
            wish=wish,
            created=self.now(),
            valid_until=wish.get("ValidUntil") or self.now() + DEFAULT_LIFE,
            target=int(capacity["TotalTargetCapacity"]),
            policy=wish.get("ExcessCapacityTerminationPolicy", "termination"),
        )
        self.fleets[fleet.id] = fleet
        self.cloud.tag(fleet.id, [tag for spec in wish.get("TagSpecifications", []) for tag in spec["Tags"]])
        self._note(fleet, "fleetRequestChange", "submitted")
        return {"FleetId": fleet.id}

    def describe(self, wish: Json) -> Json:
        chosen = [self._get(id) for id in wish["FleetIds"]] if wish.get("FleetIds") else list(self.fleets.values())
        described = [self._described(fleet) for fleet in chosen]
        names = {"fleet-state": "FleetState", "activity-status": "ActivityStatus", "type": "Type"}
        for filter in wish.get("Filters", []):
            if filter["Name"] not in names:
                raise Refused("InvalidParameterValue", f"The filter '{filter['Name']}' is invalid")
            described = [fleet for fleet in described if fleet[names[filter["Name"]]] in filter["Values"]]
        return page("Fleets", described, wish)

    def active_instances(self, wish: Json) -> Json:
        fleet = self._get(wish["FleetId"])
        active = [
            {"InstanceId": id, "InstanceHealth": "healthy", **self.cloud.about(id)}
            for id in fleet.instances
            if self.cloud.is_living(id)
        ]
        return page("ActiveInstances", active, wish) | {"FleetId": fleet.id}

    def history(self, wish: Json) -> Json:
        """DescribeFleetHistory."""
        fleet = self._get(wish["FleetId"])
        kind = EVENT_TYPES.get(wish.get("EventType", ""))
        records = [
            record
            for record in fleet.history
            if record["Timestamp"] >= wish["StartTime"] and kind in (None, record["EventType"])
        ]
        rest = {"LastEvaluatedTime": self.now(), "FleetId": fleet.id, "StartTime": wish["StartTime"]}
        return page("HistoryRecords", records, wish) | rest

    def delete(self, wish: Json) -> Json:
        deleted, refused = [], []
        for id in wish["FleetIds"]:
            fleet = self.fleets.get(id)
            if not re.fullmatch(r"fleet-[0-9a-f-]{36}", id):
                refused.append((id, "fleetIdMalformed", f"Fleet request id {id} is malformed."))
            elif fleet is None:
                refused.append((id, "fleetIdDoesNotExist", f"Fleet request {id} does not exist."))
            elif fleet.state in ("deleted", "deleted_terminating"):
                refused.append((id, "fleetNotInDeletableState", f"Fleet request {id} is in state {fleet.state}."))
            else:
                before = fleet.state
                fleet.state = "deleted_terminating" if wish["TerminateInstances"] else "deleted_running"
                self._note(fleet, "fleetRequestChange", fleet.state)
                deleted.append({"FleetId": id, "CurrentFleetState": fleet.state, "PreviousFleetState": before})
        errors = [{"FleetId": id, "Error": {"Code": code, "Message": text}} for id, code, text in refused]
        return {"SuccessfulFleetDeletions": deleted, "UnsuccessfulFleetDeletions": errors}

    def modify(self, wish: Json) -> Json:
        fleet = self._get(wish["FleetId"])
        if fleet.state not in LAUNCHING or fleet.expired:
            raise Refused("FleetNotInModifiableState", f"Fleet Request: {fleet.id} is not in a modifiable state.")
        fleet.target = int(wish.get("TargetCapacitySpecification", {}).get("TotalTargetCapacity", fleet.target))
        fleet.policy = wish.get("ExcessCapacityTerminationPolicy", fleet.policy)
        fleet.state = "modifying"
        self._note(fleet, "fleetRequestChange", "modify_in_progress")
        return {"Return": True}

    def tick(self) -> None:
        """Advances every fleet by one step."""
        for fleet in self.fleets.values():
            self._charge(fleet)
            self._interrupt_dear(fleet)
            self._notice_ends(fleet)
            self._change(fleet)
            self._fit(fleet)
        self._ticked = self.now()

    def _check(self, wish: Json) -> None:
        if wish.get("Type", "maintain") != "maintain":
            raise Refused("InvalidParameterValue", "Fleets of type maintain alone are simulated.")
        strategy = wish.get("SpotOptions", {}).get("AllocationStrategy", "lowest-price")
        if strategy not in (*STRATEGIES, "price-capacity-optimized"):
            raise Refused("InvalidParameterValue", f"The allocation strategy {strategy} is not valid.")
        if any(spec["ResourceType"] != "fleet" for spec in wish.get("TagSpecifications", [])):
            raise Refused("InvalidParameterValue", "Tag specification resource type must be 'fleet'.")
        if wish.get("ValidUntil") and wish["ValidUntil"] <= self.now():
            raise Refused("InvalidParameterValue", "The value for ValidUntil must be in the future.")
        if not wish.get("LaunchTemplateConfigs"):
            raise Refused("MissingParameter", "The request must contain the parameter LaunchTemplateConfigs")
        for config in wish["LaunchTemplateConfigs"]:
            self.cloud.check(config["LaunchTemplateSpecification"])
        self._check_capacity(wish["TargetCapacitySpecification"])
        pools = self._pools(wish, on_demand=False)
        if len({(pool.type, pool.zone) for pool in pools}) < len(pools):
            raise Refused("InvalidFleetConfig", "The fleet configuration contains duplicate instance pools.")
        if any(pool.ceiling is not None and pool.ceiling < LEAST_CEILING for pool in pools):
            raise Refused("InvalidParameterValue", "The maximum price is too low.")

    def _check_capacity(self, capacity: Json) -> None:
        total, market = int(capacity["TotalTargetCapacity"]), capacity.get("DefaultTargetCapacityType")
        counts = {name: int(capacity.get(f"{name}TargetCapacity") or 0) for name in ("OnDemand", "Spot")}
        if sum(counts.values()) > total:
            raise Refused("InvalidTargetCapacitySpecification", "The capacities of both markets exceed the total.")
        if (counts["OnDemand"] or market == "on-demand") and counts["OnDemand"] not in (0, total):
            raise Refused("InvalidParameterValue", "Fleets of one market alone are simulated.")

    def _pools(self, wish: Json, on_demand: bool) -> list[Pool]:
        """The pool of every override, in the order AWS tries them."""
        strategy = wish.get("OnDemandOptions" if on_demand else "SpotOptions", {}).get("AllocationStrategy")
        by_priority = strategy in ("capacity-optimized-prioritized", "prioritized")
        found = []
        for config in wish["LaunchTemplateConfigs"]:
            template = config["LaunchTemplateSpecification"]
            for override in config.get("Overrides") or [{}]:
                type_ = override.get("InstanceType") or self.cloud.type_of(template)
                ceiling = None if on_demand or "MaxPrice" not in override else float(override["MaxPrice"])
                subnet = override.get("SubnetId")
                pool = Pool(template, type_, self.cloud.zone_of(override), subnet, on_demand, ceiling)
                rank = self.cloud.price(pool) or float("inf")
                found.append((float(override.get("Priority", "inf")) if by_priority else rank, pool))
        return [pool for _, pool in sorted(found, key=lambda ranked: ranked[0])]

    def _charge(self, fleet: Fleet) -> None:
        """Bills what ran since the last tick at the current price, until its expiry at most."""
        until = min(self.now(), fleet.valid_until) if fleet.ends_with_expiry else self.now()
        hours = max(until - self._ticked, timedelta()) / timedelta(hours=1)
        for pool in fleet.instances.values():
            price = self.cloud.price(pool) or 0.0
            fleet.spent += hours * (price if pool.ceiling is None else min(price, pool.ceiling))

    def _interrupt_dear(self, fleet: Fleet) -> None:
        for id, pool in fleet.instances.items():
            if _is_too_dear(self.cloud.price(pool), pool) and self.cloud.is_living(id):
                self.cloud.interrupt(id)

    def _notice_ends(self, fleet: Fleet) -> None:
        for id in [id for id in fleet.instances if not self.cloud.is_living(id)]:
            del fleet.instances[id]
            self._note(fleet, "instanceChange", "terminated", instance=id)

    def _change(self, fleet: Fleet) -> None:
        """The fleet's state, and whether it is expired."""
        if fleet.state == "submitted":
            fleet.state = "active"
            self._note(fleet, "fleetRequestChange", "active")
        elif fleet.state == "modifying":
            fleet.state = "active"
            self._note(fleet, "fleetRequestChange", "modify_succeeded")
        elif fleet.state.startswith("deleted_") and not fleet.instances:
            fleet.state = "deleted"
            self._note(fleet, "fleetRequestChange", "deleted")
        if not fleet.expired and self.now() >= fleet.valid_until:
            fleet.expired = True
            self._note(fleet, "fleetRequestChange", "expired")

    def _fit(self, fleet: Fleet) -> None:
        """Starts or terminates instances up to the target capacity."""
        if fleet.state == "deleted_terminating" or (fleet.expired and fleet.ends_with_expiry):
            self._end(fleet, list(fleet.instances))
        elif fleet.state == "active" and not fleet.expired:
            if fleet.policy == "termination":
                self._end(fleet, list(fleet.instances)[fleet.target :])
            while len(fleet.instances) < fleet.target and self._launch_one(fleet):
                pass

    def _end(self, fleet: Fleet, instances: Iterable[str]) -> None:
        for id in instances:
            self.cloud.terminate(id)
            del fleet.instances[id]
            self._note(fleet, "instanceChange", "terminated", instance=id)

    def _launch_one(self, fleet: Fleet) -> bool:
        try:
            pools = self._pools(fleet.wish, fleet.on_demand)
        except Refused as refusal:
            self._note_failure(fleet, NotLaunched("spotFleetRequestConfigurationInvalid", refusal.message))
            return False
        for pool in pools:
            try:
                self._check_price(pool)
                id = self.cloud.launch(fleet.id, pool)
            except NotLaunched as failure:
                self._note_failure(fleet, failure)
                if failure.final:
                    return False
                continue
            fleet.instances[id] = pool
            fleet.failures.clear()
            about = {"instanceType": pool.type, "image": self.cloud.image_of(pool.template)}
            about |= {"productDescription": "Linux/UNIX", "availabilityZone": pool.zone}
            self._note(fleet, "instanceChange", "launched", json.dumps(about), id)
            return True
        if all(_is_too_dear(self.cloud.price(pool), pool) for pool in pools):
            self._note_failure(fleet, NotLaunched("fleetProgressHalted", ALL_TOO_DEAR, kind="information"))
        else:
            self._note_failure(fleet, NotLaunched("allLaunchSpecsTemporarilyBlacklisted", ALL_FAILED))
        return False

    def _check_price(self, pool: Pool) -> None:
        price = self.cloud.price(pool)
        if price is None or _is_too_dear(price, pool):
            where = f"{pool.type}, {self.cloud.image_of(pool.template)}, Linux/UNIX, {pool.zone}"
            why = f"{where}, Spot bid price is less than Spot market price ${-1 if price is None else price:.4f}"
            raise NotLaunched("launchSpecUnusable", why, kind="information")

    def _note_failure(self, fleet: Fleet, failure: NotLaunched) -> None:
        event = (failure.kind, failure.sub_type, failure.description)
        if event not in fleet.failures:
            fleet.failures.append(event)
            self._note(fleet, *event)

    def _note(
        self, fleet: Fleet, kind: str, sub_type: str, description: str | None = None, instance: str | None = None
    ) -> None:
        about = {"EventSubType": sub_type, "EventDescription": description, "InstanceId": instance}
        about = {name: value for name, value in about.items() if value is not None}
        fleet.history.append({"EventInformation": about, "EventType": kind, "Timestamp": self.now()})

    def _get(self, id: str) -> Fleet:
        if id not in self.fleets:
            raise Refused("InvalidFleetId.NotFound", f"The fleet ID '{id}' does not exist")
        return self.fleets[id]

    def _described(self, fleet: Fleet) -> Json:
        capacity = fleet.wish["TargetCapacitySpecification"]
        copied = ("ClientToken", "LaunchTemplateConfigs", "SpotOptions", "OnDemandOptions", "ValidFrom", "ValidUntil")
        return {name: fleet.wish[name] for name in copied if name in fleet.wish} | {
            "FleetId": fleet.id,
            "FleetState": fleet.state,
            "ActivityStatus": fleet.activity,
            "CreateTime": fleet.created,
            "Type": "maintain",
            "ExcessCapacityTerminationPolicy": fleet.policy,
            "FulfilledCapacity": float(len(fleet.instances)),
            "FulfilledOnDemandCapacity": float(len(fleet.instances)) if fleet.on_demand else 0.0,
            "TargetCapacitySpecification": {**capacity, "TotalTargetCapacity": fleet.target},
            "TerminateInstancesWithExpiration": fleet.ends_with_expiry,
            "ReplaceUnhealthyInstances": bool(fleet.wish.get("ReplaceUnhealthyInstances", False)),
            "Tags": self.cloud.tags(fleet.id),
        }


def _is_too_dear(price: float | None, pool: Pool) -> bool:
    return price is not None and pool.ceiling is not None and price > pool.ceiling


def page(name: str, rows: Sequence[object], wish: Json, size: int = 1000) -> Json:
    """The part of `rows` that MaxResults and NextToken ask for; `size` rows where MaxResults does not say."""
    start = int(wish.get("NextToken") or 0)
    end = start + int(wish.get("MaxResults") or size)
    return {name: rows[start:end]} | ({"NextToken": str(end)} if end < len(rows) else {})
