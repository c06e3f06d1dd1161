"""The record of the instances or jobs that a launch started for a run."""

from __future__ import annotations

from typing import Literal, get_args

from pdfbatch.records.base import Record
from pdfbatch.records.run import Machine
from pdfbatch.records.stamp import Stamp

WayName = Literal["spot", "batch", "sagemaker"]
"""What runs the workers of a launch: `spot`: an EC2 Fleet for each of them; `batch`: a job of AWS Batch; `sagemaker`: a
job of SageMaker Processing."""
WAY_NAMES: tuple[WayName, ...] = get_args(WayName)


START_HOURS: dict[WayName, float] = {"sagemaker": 1.0}
"""How long a job may wait for its instances, and not be billed: its limit of time counts from when they run."""


class FleetRecord(Record):
    """`fleet.json`: the fleet launched for a run: where, until when and at what price."""

    version: Literal[1] = 1
    run: str
    account: str = ""
    """The AWS account id; with `region` it says where `down` has to look."""
    region: str
    launched: Stamp
    deadline: Stamp
    """When workers start to drain."""
    end: Stamp
    """When instances shut themselves down, whatever they are doing."""
    expiry: Stamp
    """When AWS terminates the fleets."""
    instance_types: list[str]
    prices: dict[str, float] = {}
    """Dollars per hour at launch, all included, by `TYPE@ZONE` with a zone like `us-east-1a`."""
    worst_price: float
    """Dollars per hour of an instance that is not in `prices`."""
    price_ceiling: float = 0.0
    """Maximum dollars per hour of an instance, all included: above it AWS interrupts the instance; 0.0: unknown."""
    on_demand_prices: dict[str, float] = {}
    """On-demand dollars per hour, all included, by instance type; types with an unknown price are left out."""
    way: WayName = "spot"
    """What runs the workers."""
    stack: str = "pdfbatch"
    """The CloudFormation stack that it uses."""
    at_once: int = 0
    """How many workers can have an instance at the same time; 0: all."""
    market: Literal["spot", "on-demand"] = "spot"
    max_cost: float | None = None
    """Maximum cost of the run in dollars; None: limited by time only."""
    adder: float = 0.0
    """Dollars per hour for an instance's disk and public IPv4 address, on top of the instance price."""
    image: str
    ami: str
    log_group: str
    topic: str = ""
    job: str = ""
    """The job of an execution of a schedule: its name on SageMaker, its id on AWS Batch; "": it is named after the
    run."""
    order: str = ""
    """The order that it executes; "": it was launched."""
    ended: Stamp | None = None
    """When `down` deleted the fleet."""

    @property
    def most_hours(self) -> float:
        """The hours for which an instance can be billed at most."""
        hours = (self.expiry - self.launched).total_seconds() / 3600
        return hours - START_HOURS.get(self.way, 0.0)

    def price(self, machine: Machine) -> float:
        return self.prices.get(f"{machine.type}@{machine.zone}", self.worst_price)
