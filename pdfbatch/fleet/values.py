"""The values that pass between the rooms of the fleet: what was asked for, what AWS answered, what will be done.

Money is in US dollars, prices in dollars an hour, times in hours unless their names say otherwise.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from pdfbatch.fleet.names import Names

DEFAULT_TYPE = "g4dn.xlarge"


class Wish(NamedTuple):
    """What a person asked for."""

    names: Names = Names()
    workers: int = 5
    instance_types: Sequence[str] = (DEFAULT_TYPE,)
    max_hours: float = 48.0
    max_cost: float | None = None
    """The deadline is set so early that the worst case costs no more."""
    image: str = ""
    """"" for the newest one in the stack's own repository."""
    ami: str = ""
    """An id or the name of an SSM parameter; "" for AWS's newest image with NVIDIA's driver and Docker."""
    subnets: Sequence[str] = ()
    """None given: those of the default VPC."""
    key_name: str = ""
    """An EC2 key pair for SSH; "" for none."""
    tags: tuple[tuple[str, str], ...] = ()
    pages_per_second: float | None = None
    """Of one worker, where the person knows better than we."""


class TypeFacts(NamedTuple):
    vcpus: int
    gpu: str
    """The GPU's name, as `T4`; "" without one."""


class Subnet(NamedTuple):
    id: str
    zone: str
    """Its name in this account, as `us-east-1a`."""
    vpc: str = ""
    is_public: bool = True
    """Whether it gives machines a public address; else they need a NAT route or endpoints."""


class Work(BaseModel):
    """What there is to read."""

    model_config = ConfigDict(frozen=True)
    documents: int
    """In the input."""
    left: int
    bytes_left: int = 0
    sampled: int = 0
    """Documents whose pages were counted."""
    pages_each: float | None = None
    """Pages of a document, on average over the sample; None: nothing could be counted."""
    pages_each_error: float = 0.0
    """Standard error of that average."""


class Zone(BaseModel):
    """An availability zone the fleet may use: one subnet, and what each type costs there now."""

    model_config = ConfigDict(frozen=True)
    name: str
    subnet: str
    prices: dict[str, float] = {}
    """Spot price by instance type, for the machine alone; a type without a price is not offered here."""
    score: int | None = None
    """AWS's own guess from 1 to 10 that Spot capacity will be had; None: not told."""


class Quota(BaseModel):
    """The account's limit of vCPUs on Spot for a family of types."""

    model_config = ConfigDict(frozen=True)
    code: str
    name: str
    limit: float | None
    """None: it could not be asked."""
    used: float = 0.0
    """vCPUs on Spot now, of the same family."""


class Ami(BaseModel):
    """What the machines boot from."""

    model_config = ConfigDict(frozen=True)
    id: str
    root_device: str = "/dev/sda1"
    root_gib: int = 100


class Account(BaseModel):
    """What AWS answered before a launch. What could not be asked is None or empty and has its line in `warnings`."""

    model_config = ConfigDict(frozen=True)
    number: str
    """Its twelve digits."""
    region: str
    zones: list[Zone]
    vcpus: dict[str, int]
    """By instance type."""
    gpus: dict[str, str]
    """The GPU's name by instance type; "" for a type without one."""
    quota: Quota
    ami: Ami
    image: str
    """By digest where it could be asked."""
    profile: str
    """Name of the instance profile."""
    security_groups: list[str]
    log_group: str
    topic: str = ""
    """Its ARN; "" where there is none."""
    warnings: list[str] = []


class Range(BaseModel):
    """An estimate: `low` is the lucky end of time and money, `high` the unlucky one."""

    model_config = ConfigDict(frozen=True)
    low: float
    high: float


class Pace(BaseModel):
    """Pages a second of one worker: `low` is slow."""

    model_config = ConfigDict(frozen=True)
    low: float
    high: float
    source: str
    """Where it comes from, for people: "measured in run …", "an estimate, not measured", "as you said"."""


class Plan(BaseModel):
    """What a launch will do, and what that will take; the very value that `launch` carries out."""

    model_config = ConfigDict(frozen=True)
    run: str
    input: str
    output: str
    engine: str
    model: str = ""
    work: Work
    account: Account
    asked_workers: int
    workers: int
    """Capped to documents and to the quota; `notes` tell why."""
    instance_types: list[str]
    pages: Range | None
    """Pages left; None: not known."""
    pace: Pace
    hours: Range | None
    price: Range
    """Of one machine, all in, over the zones and types."""
    cost: Range | None
    max_hours: float
    worst_cost: float
    deadline: datetime
    end: datetime
    expiry: datetime
    user_data_bytes: int
    key_name: str = ""
    stack: str
    tags: dict[str, str]
    notes: list[str] = []
    """Caps and other things that differ from what was asked for."""
    warnings: list[str] = []


class Launched(BaseModel):
    """What a launch made."""

    model_config = ConfigDict(frozen=True)
    run: str
    output: str
    fleets: dict[int, str]
    """Fleet ids by worker."""
    missing: dict[int, str] = {}
    """Workers that could not be launched and why, where what was made was to be kept."""
    worst_cost: float
    expiry: datetime
