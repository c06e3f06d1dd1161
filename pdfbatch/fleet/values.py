"""The values that the fleet's modules exchange: the request, AWS's answers, the plan, the result.

Money is in US dollars, prices in dollars per hour, times in hours unless their names say otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from pdfbatch.fleet.names import Names
from pdfbatch.records import Chosen, ReadOptions, Reason, SinkAddress, WayName

DEFAULT_TYPE = "g4dn.xlarge"
DEFAULT_WORKERS = 5
DEFAULT_EBS_KEY = "alias/aws/ebs"
"""AWS's managed key. By default EC2 uses the account's default key, which the fleet may not be allowed to use: its
instances would then fail at once and be replaced for ever. Source: aws/karpenter-provider-aws #1407."""
Market = Literal["spot", "on-demand"]


@dataclass(frozen=True, kw_only=True)
class LaunchRequest:
    """What the user asked for: what to read, how, and on which instances."""

    source: str = ""
    """URL of the input."""
    output: str = ""
    """URL of the output."""
    engine: str = ""
    """"": `dolphin` on a GPU, else `cpu`."""
    model: str = ""
    options: ReadOptions = field(default_factory=ReadOptions)
    chosen: Chosen = field(default_factory=Chosen)
    """The requested part of `source`."""
    password_secret: str = ""
    """ARN of the secret with the passwords of encrypted documents."""
    events: tuple[SinkAddress, ...] = ()
    """The sinks that get the run's events."""
    events_secret: str = ""
    """ARN of the secret with what they need."""
    redo_changed: bool = False
    limit: int | None = None
    """At most this many documents; None: all."""
    all_failures: bool = False
    """Also documents that failed for a reason that a retry cannot fix."""
    retry: Sequence[Reason] | None = None
    """Retry what failed for these reasons (empty: for any); None: process what is left."""
    below: float = 0.0
    """In a retry, also read documents again that have a page with a lower score."""
    only: frozenset[str] | None = None
    """In a retry, the documents to read again, whatever their outcome; None: those that failed."""
    names: Names = field(default_factory=Names)
    way: WayName = "spot"
    workers: int = DEFAULT_WORKERS
    fewer_workers: bool = False
    """Use fewer than `workers` where the work does not need as many."""
    instance_types: Sequence[str] = (DEFAULT_TYPE,)
    market: Market = "spot"
    max_price: float | None = None
    """Spot price in dollars per hour, without disk and address, above which AWS interrupts an instance; None: 1.5 times
    the most expensive zone's current price."""
    max_hours: float | None = None
    """None: several times the expected time."""
    max_cost: float | None = None
    """Sets the deadline so that even the worst case costs no more."""
    ebs_key: str = DEFAULT_EBS_KEY
    """KMS key, alias or ARN that encrypts the disks."""
    image: str = ""
    """"": the newest one in the stack's own repository."""
    ami: str = ""
    """An AMI id or the name of an SSM parameter; "": AWS's newest AMI with NVIDIA's driver and Docker."""
    subnets: Sequence[str] = ()
    """Empty: those of the default VPC."""
    key_name: str = ""
    """An EC2 key pair for SSH; "": none."""
    tags: tuple[tuple[str, str], ...] = ()
    isolated: bool = False
    """Give the workers no network, where the way to run them can."""
    security_groups: Sequence[str] = ()
    """Of a SageMaker job in `subnets`; empty: the stack's own."""
    output_key: str = ""
    """KMS key that encrypts what a SageMaker job without network uploads; "": the bucket's own."""
    is_pool: bool = False
    """Hand the work out by a queue, so that workers can be added and removed."""
    recurs: bool = False
    """It is the plan of a schedule: nothing need be left now."""
    watches_input: bool = False
    """Of a pool: also read what arrives in the input, until `down`."""
    pages_per_second: float | None = None
    """One worker's speed, where the user knows it better than our estimate."""

    @property
    def may_begin_empty(self) -> bool:
        """Whether it makes sense where nothing is left to convert now."""
        return self.watches_input or self.recurs

    @property
    def secrets(self) -> list[str]:
        """The ARNs of the secrets that instances read."""
        key = self.options.endpoint.secret if self.options.endpoint else ""
        return [arn for arn in dict.fromkeys((self.password_secret, key)) if arn]


class TypeFacts(NamedTuple):
    vcpus: int
    gpu: str
    """The GPU's name, as `T4`; "" without one."""
    memory_mib: int = 0


class Subnet(NamedTuple):
    id: str
    zone: str
    """The zone's name in this account, as `us-east-1a`."""
    vpc: str = ""
    way_out: str | None = None
    """How its instances reach AWS: `internet gateway`, `NAT` or `endpoints`; "": they cannot; None: unknown."""


class Work(BaseModel):
    """The work to do."""

    model_config = ConfigDict(frozen=True)
    documents: int
    """In the input."""
    left: int
    hopeless: int = 0
    """Documents left out because they failed for a reason that a retry cannot fix."""
    copies: int = 0
    """Those of `left` with the same content as another: they are not read."""
    bytes_left: int = 0
    sampled: int = 0
    """Documents whose pages were counted."""
    pages_each: float | None = None
    """Average pages per document in the sample; None: no document could be counted."""
    pages_each_error: float = 0.0
    """Standard error of that average."""
    layers_looked_at: int = 0
    """Sampled pages whose text layer was checked."""
    layers_healthy: int = 0
    """Those with a good text layer, or blank."""

    @property
    def layer_share(self) -> float | None:
        """The share of pages with a good text layer, 0 to 1; None: unknown."""
        return self.layers_healthy / self.layers_looked_at if self.layers_looked_at else None


class Zone(BaseModel):
    """An availability zone that the fleet may use: one subnet, and each type's current price."""

    model_config = ConfigDict(frozen=True)
    name: str
    subnet: str
    prices: dict[str, float] = {}
    """Spot price by instance type, without disk and address; a type without a price is not offered here."""
    way_out: str | None = None
    """As in `Subnet`."""
    score: int | None = None
    """AWS's Spot placement score, 1 (unlikely) to 10 (likely); None: unknown."""


class Quota(BaseModel):
    """The account's limit of vCPUs for a family of instance types; of SageMaker: of instances of one type."""

    model_config = ConfigDict(frozen=True)
    code: str
    name: str
    limit: float | None
    """None: unknown."""
    used: float = 0.0
    """vCPUs in use now, of the same family; of SageMaker: instances."""
    service: Literal["ec2", "sagemaker"] = "ec2"

    @property
    def unit(self) -> str:
        return "vCPUs" if self.service == "ec2" else "instances"

    def of_one(self, vcpus: int) -> int:
        """Returns how much one instance with so many vCPUs counts."""
        return vcpus if self.service == "ec2" else 1


class Ami(BaseModel):
    """The AMI that instances boot from."""

    model_config = ConfigDict(frozen=True)
    id: str
    root_device: str = "/dev/sda1"
    root_gib: int = 100


State = Literal["ok", "missing", "warning", "unknown"]
"""`missing`: a launch would fail. `warning`: it would work, with fewer instances or features. `unknown`: AWS did not
say."""


class Check(BaseModel):
    """The result of checking one requirement."""

    model_config = ConfigDict(frozen=True)
    name: str
    state: State
    found: str
    """One line."""
    hint: str = ""
    """The fix in one line: a command, or the permission to ask for; "": nothing to do."""


class Account(BaseModel):
    """What AWS answered before a launch. Unknown values are None or empty and have a line in `warnings`."""

    model_config = ConfigDict(frozen=True)
    number: str
    """Its twelve digits."""
    region: str
    zones: list[Zone]
    vcpus: dict[str, int]
    """By instance type."""
    gpus: dict[str, str]
    """The GPU's name by instance type; "" for a type without one."""
    memory_mib: dict[str, int] = {}
    """By instance type."""
    quota: Quota
    ami: Ami
    image: str
    """By digest where it could be looked up."""
    profile: str
    """Name of the instance profile."""
    security_groups: list[str]
    log_group: str
    topic: str = ""
    """Its ARN; "": none."""
    ceilings: dict[str, float] = {}
    """Spot price by instance type above which AWS Batch starts none, without disk; {}: the launch sets it."""
    most_vcpus: int | None = None
    """Of all instances of AWS Batch together; None: only the quota limits them."""
    on_demand: dict[str, float] = {}
    """On-demand price by instance type, without disk and address; unknown for other types."""
    gib_month: float | None = None
    """Dollars per GiB-month of gp3 in this region; None: unknown."""
    checks: list[Check] = []
    """Every requirement of a launch with its result."""
    warnings: list[str] = []


class Range(BaseModel):
    """An estimate: `low` is the best case for time and money, `high` the worst."""

    model_config = ConfigDict(frozen=True)
    low: float
    high: float


class Pace(BaseModel):
    """One worker's pages per second: `low` is slow."""

    model_config = ConfigDict(frozen=True)
    low: float
    high: float
    source: str
    """Where it comes from, as shown to users: "measured in run …", "an estimate, not measured", "as given"."""


class Alternative(BaseModel):
    """The same work with another engine: an estimate, never measured."""

    model_config = ConfigDict(frozen=True)
    engine: str
    cost: Range


class Plan(BaseModel):
    """What a launch will do, how long it takes and what it costs; `launch` carries out this very value."""

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
    """Capped by documents and quota; `notes` say why."""
    at_once: int = 0
    """How many of them can have an instance at the same time; 0: all."""
    suggested_workers: int | None
    """Enough to finish within a working day, few enough to keep boot costs small; None: the work is unknown."""
    way: WayName = "spot"
    market: Market = "spot"
    max_prices: dict[str, float] = {}
    """Spot price by instance type above which AWS interrupts, without disk and address."""
    ebs_key: str = DEFAULT_EBS_KEY
    instance_types: list[str]
    pages: Range | None
    """Pages left; None: unknown."""
    pace: Pace
    hours: Range | None
    price: Range
    """Per instance-hour incl. disk and address, over the zones and types, at today's prices."""
    price_ceiling: float
    """The most an instance-hour can cost incl. disk and address; 0.0: no price is known."""
    cost: Range | None
    """At today's prices."""
    alternative: Alternative | None = None
    """`auto` for `dolphin` and vice versa; None: the sample says nothing about text layers."""
    max_hours: float
    worst_cost: float
    """The hard cap: workers × price ceiling × hours."""
    deadline: datetime
    end: datetime
    expiry: datetime
    user_data_bytes: int
    key_name: str = ""
    stack: str
    isolated: bool = False
    """As in `LaunchRequest`, like the next two."""
    subnets: list[str] = []
    output_key: str = ""
    tags: dict[str, str]
    blocks: int = 0
    """Of a pool: the number of messages in its queue; 0: it is none, or has no document yet."""
    watches_input: bool = False
    """Whether it also reads what arrives in the input, until `down`."""
    notes: list[str] = []
    """Caps and other differences from the request."""
    warnings: list[str] = []


class Launched(BaseModel):
    """What a launch created."""

    model_config = ConfigDict(frozen=True)
    run: str
    output: str
    way: WayName = "spot"
    fleets: dict[int, str]
    """The id of each worker's fleet or job."""
    missing: dict[int, str] = {}
    """Workers that could not be launched and why; only where a partial launch is kept."""
    worst_cost: float
    expiry: datetime
