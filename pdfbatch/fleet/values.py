"""The values that pass between the rooms of the fleet: what was asked for, what AWS answered, what will be done.

Money is in US dollars, prices in dollars an hour, times in hours unless their names say otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from pdfbatch.fleet.names import Names
from pdfbatch.records import Chosen, ReadOptions, Reason

DEFAULT_TYPE = "g4dn.xlarge"
DEFAULT_WORKERS = 5
DEFAULT_EBS_KEY = "alias/aws/ebs"
"""AWS's own key. Without a name EC2 takes the account's default key, which the fleet may not be allowed to use: the
instances then die at once and are replaced for ever. Source: aws/karpenter-provider-aws #1407."""
Market = Literal["spot", "on-demand"]


@dataclass(frozen=True, kw_only=True)
class LaunchRequest:
    """What a person asked for: what is to be read, how, and on what."""

    source: str = ""
    """URL of the input."""
    output: str = ""
    """URL of the output."""
    engine: str = ""
    """"" for the model where there is a GPU, else the CPU."""
    model: str = ""
    options: ReadOptions = field(default_factory=ReadOptions)
    chosen: Chosen = field(default_factory=Chosen)
    """What of `source` is asked for."""
    password_secret: str = ""
    """ARN of the secret with the passwords of encrypted documents."""
    redo_changed: bool = False
    limit: int | None = None
    """At most this many documents; None: all."""
    all_failures: bool = False
    """Also documents that failed for a reason that no other try mends."""
    retry: Sequence[Reason] | None = None
    below: float = 0.0
    """Of a retry: documents with a page whose score is lower are read again too."""
    """A run over what failed, for these reasons (none given: for any); None: over what is left."""
    names: Names = field(default_factory=Names)
    workers: int = DEFAULT_WORKERS
    fewer_workers: bool = False
    """Take fewer than `workers` where the work does not need as many."""
    instance_types: Sequence[str] = (DEFAULT_TYPE,)
    market: Market = "spot"
    max_price: float | None = None
    """Dollars an hour of one instance, without disk and address, above which AWS interrupts it; None: half as much
    again as the dearest zone costs now."""
    max_hours: float | None = None
    """None: several times what the work should take."""
    max_cost: float | None = None
    """The deadline is set so early that the worst case costs no more."""
    ebs_key: str = DEFAULT_EBS_KEY
    """KMS key, alias or ARN that encrypts the disks."""
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
    way_out: str | None = None
    """How its instances reach AWS, as `internet gateway`, `NAT` or `endpoints`; "" where they cannot; None: it could
    not be asked."""


class Work(BaseModel):
    """What there is to read."""

    model_config = ConfigDict(frozen=True)
    documents: int
    """In the input."""
    left: int
    hopeless: int = 0
    """Documents left out: they failed for a reason that no other try mends."""
    bytes_left: int = 0
    sampled: int = 0
    """Documents whose pages were counted."""
    pages_each: float | None = None
    """Pages of a document, on average over the sample; None: nothing could be counted."""
    pages_each_error: float = 0.0
    """Standard error of that average."""
    layers_looked_at: int = 0
    """Pages of the sample whose text layer was looked at."""
    layers_healthy: int = 0
    """Those that have a good one, or are blank."""

    @property
    def layer_share(self) -> float | None:
        """Of the pages, 0 to 1; None: not known."""
        return self.layers_healthy / self.layers_looked_at if self.layers_looked_at else None


class Zone(BaseModel):
    """An availability zone the fleet may use: one subnet, and what each type costs there now."""

    model_config = ConfigDict(frozen=True)
    name: str
    subnet: str
    prices: dict[str, float] = {}
    """Spot price by instance type, for the machine alone; a type without a price is not offered here."""
    way_out: str | None = None
    """As in `Subnet`."""
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


State = Literal["ok", "missing", "warning", "unknown"]
"""`missing`: a launch would fail. `warning`: it would go, with less comfort or fewer instances. `unknown`: AWS does not
say."""


class Check(BaseModel):
    """What became of one requirement."""

    model_config = ConfigDict(frozen=True)
    name: str
    state: State
    found: str
    """One line."""
    cure: str = ""
    """One line: a command, or the permission to ask for; "" where there is nothing to do."""


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
    on_demand: dict[str, float] = {}
    """On-demand price by instance type, for the instance alone; a type without one could not be asked."""
    gib_month: float | None = None
    """Dollars a month for a GiB of gp3 disk in this region; None: it could not be asked."""
    checks: list[Check] = []
    """Every requirement of a launch, and what became of it."""
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


class Alternative(BaseModel):
    """The same work by another engine: an estimate, never measured."""

    model_config = ConfigDict(frozen=True)
    engine: str
    cost: Range


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
    suggested_workers: int | None
    """So many keep the paid boots small and the time within a working day; None: the work is not known."""
    market: Market = "spot"
    max_prices: dict[str, float] = {}
    """Spot price by instance type above which AWS interrupts, for the instance alone."""
    ebs_key: str = DEFAULT_EBS_KEY
    instance_types: list[str]
    pages: Range | None
    """Pages left; None: not known."""
    pace: Pace
    hours: Range | None
    price: Range
    """Of one instance, all in, over the zones and types, at today's prices."""
    price_ceiling: float
    """Dollars an hour of one instance, all in, that AWS never exceeds; 0.0: no price is known."""
    cost: Range | None
    """At today's prices."""
    alternative: Alternative | None = None
    """`auto` for `dolphin` and the other way round; None where the sample tells nothing of text layers."""
    max_hours: float
    worst_cost: float
    """The hard cap: workers × price ceiling × hours."""
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
