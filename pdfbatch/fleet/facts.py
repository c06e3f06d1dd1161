"""Gathers the facts of an account before a launch: every query once, in parallel. Changes nothing.

What AWS does not say is `Unknown`, what does not exist is `Missing`; neither is ever taken as a yes.
requirements.py judges the facts for `doctor`, `plan` and `launch`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

from pdfbatch import aws
from pdfbatch.errors import AccessDenied, NotFound, NotReady, PdfbatchError, UsageError
from pdfbatch.fleet import aws_queries, list_prices
from pdfbatch.fleet.batch.environment import BatchEnvironment
from pdfbatch.fleet.clients import ATTEMPTS, Clients
from pdfbatch.fleet.list_prices import ListPrices
from pdfbatch.fleet.names import Names
from pdfbatch.fleet.policies import SERVICE_ROLES, place
from pdfbatch.fleet.setup import current_wish, has_service_role
from pdfbatch.fleet.sink_queries import found_sinks
from pdfbatch.fleet.template import SetupWish
from pdfbatch.fleet.values import Ami, LaunchRequest, Quota, Subnet, TypeFacts
from pdfbatch.store import S3Store

if TYPE_CHECKING:
    from pdfbatch.fleet.sagemaker.facts import ProcessingFacts

T = TypeVar("T")
_THREADS = 8


class Missing(NamedTuple):
    """AWS says that it does not exist."""

    found: str
    hint: str


class Unknown(NamedTuple):
    """AWS does not say: access was denied, or it did not answer."""

    found: str
    hint: str


Fact: TypeAlias = T | Missing | Unknown


class Need(NamedTuple):
    """What a launch needs of the account."""

    request: LaunchRequest
    inputs: Sequence[str] = ()
    """URLs, like the outputs."""
    outputs: Sequence[str] = ()
    batch: Fact[BatchEnvironment] = Missing("no compute environment", "")
    """Where jobs run, for a launch on AWS Batch."""
    processing: ProcessingFacts | None = None
    """What SageMaker says, for a launch on it."""

    def setup(self) -> str:
        """Returns the command that creates what is missing."""
        inputs = self.inputs or ["s3://BUCKET/PDFS/"]
        outputs = self.outputs or ["s3://BUCKET/MARKDOWN/"]
        stack = [] if self.request.names == Names() else [f"--stack {self.request.names.stack}"]
        places = [*(f"--input {url}" for url in inputs), *(f"--output {url}" for url in outputs)]
        request = self.request
        secrets = [f"--password-secret {arn}" for arn in request.secrets]
        secrets += [f"--events-secret {request.events_secret}"] if request.events_secret else []
        sinks = [f"--events {sink.text}" for sink in request.events if sink.kind in ("sns", "eventbridge")]
        more = {"batch": ["--batch"], "sagemaker": ["--sagemaker"]}.get(request.way, [])
        return " ".join(["pdfbatch setup", *more, *places, *secrets, *sinks, *stack])


class SecurityGroup(NamedTuple):
    id: str
    vpc: str
    lets_in: bool


class Subscription(NamedTuple):
    endpoint: str
    is_confirmed: bool


class PlaceFacts(NamedTuple):
    """The region of a URL."""

    url: str
    region: str


@dataclass(frozen=True)
class AccountFacts:
    """The facts of one account in one region for one need. Prices in dollars per instance-hour without disk."""

    region: str
    number: str
    made_for: Fact[SetupWish]
    """What the stack was set up for; empty without a stack of pdfbatch's."""
    types: Fact[dict[str, TypeFacts]]
    offered: Fact[dict[str, set[str]]]
    """Zones by instance type."""
    quota: Fact[Quota]
    subnets: Fact[list[Subnet]]
    security_group: Fact[SecurityGroup | None]
    has_profile: Fact[bool]
    """Whether the workers' role exists: that of the instances or, on AWS Batch, of the jobs."""
    missing_service_roles: Fact[list[str]]
    log_days: Fact[int | None]
    """The log group's retention in days; None: for ever."""
    subscriptions: Fact[list[Subscription]]
    budget: Fact[str]
    repository: Fact[str]
    image: Fact[str]
    ami: Fact[Ami]
    has_key: Fact[bool]
    """Whether the requested key pair exists; true where none is requested."""
    inputs: Fact[list[PlaceFacts]]
    outputs: Fact[list[PlaceFacts]]
    secret: Fact[str]
    """The names of the secrets with passwords and the endpoint's key; "": none requested."""
    sinks: Fact[list[str]]
    """The requested sinks of events in AWS."""
    sinks_secret: Fact[str]
    """The name of the secret with what sinks need; "": none requested."""
    bucket_keys: Fact[dict[str, str]]
    """Customer-managed KMS keys by bucket, as S3 names them; only buckets that use one."""
    prices: Fact[dict[tuple[str, str], float]]
    """Spot prices by type and zone."""
    published: Fact[ListPrices]
    scores: Fact[dict[str, int]]
    """By zone id; empty where they would not be meaningful."""
    zone_ids: Fact[dict[str, str]]


def gather(clients: Clients, need: Need, now: datetime) -> AccountFacts:
    """Queries everything that a launch depends on.

    Raises:
        NotReady: no region or no usable credentials; nothing else can be queried then.
        UsageError: a type, subnet or image that does not exist, or a URL outside S3.
    """
    region, number = clients.region, clients.account
    request, names = need.request, need.request.names
    types = [kind.removeprefix("ml.") for kind in request.instance_types]  # SageMaker's are EC2's
    made_for = known(lambda: current_wish(clients, names))
    vpc = made_for.vpc if isinstance(made_for, SetupWish) else ""
    spot = request.market == "spot"
    is_fleet = request.way == "spot"
    has_scores = spot and len(types) >= aws_queries.FEWEST_SCORED
    with ThreadPoolExecutor(_THREADS) as threads:

        def ask(question: Callable[[], T]) -> Future[Fact[T]]:
            return threads.submit(known, question)

        subnets = ask(lambda: aws_queries.subnets(clients, request.subnets, vpc))
        vcpus = ask(lambda: aws_queries.vcpus_of(clients, types))
        offered = ask(lambda: aws_queries.offerings(clients, types))
        quota = ask(lambda: aws_queries.quota(clients, types, request.market))
        profile = ask(lambda: _has_role(clients, need))
        roles = ask(lambda: [role for role in SERVICE_ROLES if not has_service_role(clients, role)])
        log_days = ask(lambda: _log_days(clients, need))
        subscriptions = ask(lambda: _subscriptions(clients, need))
        budget = ask(lambda: _budget(clients, need))
        repository = ask(lambda: _repository(clients, need))
        image = ask(lambda: _image(clients, request))
        ami = ask(lambda: aws_queries.ami(clients, request.ami) if is_fleet else Ami(id=""))
        has_key = ask(lambda: not request.key_name or aws_queries.has_key_pair(clients, request.key_name))
        inputs = ask(lambda: _places(need.inputs))
        outputs = ask(lambda: _places(need.outputs))
        secret = ask(lambda: ", ".join(aws_queries.secret_name(clients, arn) for arn in request.secrets))
        sinks = ask(lambda: found_sinks(clients, request.events))
        sinks_secret = ask(lambda: aws_queries.secret_name(clients, request.events_secret, "pdf-events"))
        bucket_keys = ask(lambda: _bucket_keys(need))
        prices = ask(lambda: aws_queries.prices(clients, types, now) if spot else {})
        published = ask(lambda: list_prices.ask(clients, types))
        scores = ask(lambda: aws_queries.scores(clients, types, request.workers) if has_scores else {})
        zone_ids = ask(lambda: aws_queries.zone_ids(clients) if has_scores else {})
        group = ask(lambda: _security_group(clients, names, subnets.result()) if is_fleet or request.subnets else None)
    return AccountFacts(
        region=region,
        number=number,
        made_for=made_for,
        types=vcpus.result(),
        offered=offered.result(),
        quota=quota.result(),
        subnets=subnets.result(),
        security_group=group.result(),
        has_profile=profile.result(),
        missing_service_roles=roles.result(),
        log_days=log_days.result(),
        subscriptions=subscriptions.result(),
        budget=budget.result(),
        repository=repository.result(),
        image=image.result(),
        ami=ami.result(),
        has_key=has_key.result(),
        inputs=inputs.result(),
        outputs=outputs.result(),
        secret=secret.result(),
        sinks=sinks.result(),
        sinks_secret=sinks_secret.result(),
        bucket_keys=bucket_keys.result(),
        prices=prices.result(),
        published=published.result(),
        scores=scores.result(),
        zone_ids=zone_ids.result(),
    )


def known(question: Callable[[], T]) -> Fact[T]:
    """Returns the answer, or why there is none."""
    try:
        return question()
    except UsageError:
        raise
    except NotReady as error:
        return Missing(error.message, error.hint)
    except AccessDenied as error:
        return Unknown("no permission to check", _permission(error))
    except PdfbatchError as error:
        return Unknown(error.message, error.hint)


def _permission(error: AccessDenied) -> str:
    """Returns the hint for a refusal. AWS names the missing permission in it, S3 does not."""
    named = re.search(r"to perform: ([\w-]+:\w+)", error.said)
    if not named:
        return error.hint
    return f"Ask for the permission {named[1]}; `pdfbatch doctor --policy` prints the whole policy."


def _has_role(clients: Clients, need: Need) -> bool:
    names = need.request.names
    if need.request.way == "batch":
        return has_service_role(clients, names.job_role(clients.region))
    if need.request.way == "sagemaker":
        return has_service_role(clients, names.processing_role(clients.region))
    return aws_queries.has_profile(clients, names)


def _security_group(clients: Clients, names: Names, subnets: Fact[list[Subnet]]) -> SecurityGroup | None:
    """Looks up the security group in the subnets' VPC; in any VPC if the subnets are unknown."""
    vpc = subnets[0].vpc if isinstance(subnets, list) and subnets else ""
    found = aws_queries.security_groups(clients, names, vpc)
    if not found:
        return None
    return SecurityGroup(found[0]["GroupId"], found[0]["VpcId"], any(group["IpPermissions"] for group in found))


def _log_days(clients: Clients, need: Need) -> int | None:
    name = need.request.names.log_group
    groups = aws_queries.log_groups(clients, name)
    if name not in groups:
        raise NotReady(f"no log group {name}", need.setup())
    return groups[name]


def _subscriptions(clients: Clients, need: Need) -> list[Subscription]:
    names = need.request.names
    arn = names.topic_arn(clients.region, clients.account)
    pages = clients.sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
    try:
        with aws.translating(f"look up the SNS topic {arn}"):
            found = [each for page in pages for each in page["Subscriptions"]]
    except NotFound:
        raise NotReady(
            f"no SNS topic {names.topic}: no email when a run ends", f"{need.setup()} --email ADDRESS"
        ) from None
    return [Subscription(each["Endpoint"], each["SubscriptionArn"].startswith("arn:")) for each in found]


def _budget(clients: Clients, need: Need) -> str:
    name = need.request.names.budget(clients.region)
    found = aws.call(
        f"look up the budget {name}",
        lambda: clients.budgets.describe_budget(AccountId=clients.account, BudgetName=name),
        absent={"NotFoundException"},
    )
    if found is None:
        raise NotReady("no budget: no alert on monthly spend", f"{need.setup()} --email ADDRESS --budget DOLLARS")
    limit = found["Budget"]["BudgetLimit"]
    return f"{limit['Amount']} {limit['Unit']} a month"


def _repository(clients: Clients, need: Need) -> str:
    """Looks up the repository's URI; "" where --image makes it unnecessary."""
    name = need.request.names.repository
    if need.request.image:
        return ""
    found = aws.call(
        f"look up the image repository {name}",
        lambda: clients.ecr.describe_repositories(repositoryNames=[name]),
        absent={"RepositoryNotFoundException"},
    )
    if found is None:
        raise NotReady(f"no image repository {name}", need.setup())
    return str(found["repositories"][0]["repositoryUri"])


def _image(clients: Clients, request: LaunchRequest) -> str:
    if request.image:
        return aws_queries.pinned_image(clients, request.image)
    return aws_queries.newest_image(clients, request.names)


def _places(urls: Sequence[str]) -> list[PlaceFacts]:
    s3, found = aws.client("s3", ATTEMPTS), []
    for url in urls:
        here = place(url)
        try:
            S3Store(here.bucket, here.prefix, s3).check_readable()
        except NotFound as error:
            raise NotReady(error.message, f"aws s3 mb s3://{here.bucket}") from None
        found.append(PlaceFacts(url, aws.bucket_region(s3, here.bucket)))
    return found


def _bucket_keys(need: Need) -> dict[str, str]:
    """Looks up the buckets' customer-managed keys; AWS's own key needs no permission. Source: S3 guide, "Using
    server-side encryption with AWS KMS"."""
    s3, found = aws.client("s3", ATTEMPTS), dict[str, str]()
    for bucket in sorted({place(url).bucket for url in [*need.inputs, *need.outputs]}):
        answer = aws.call(
            f"look up the encryption of s3://{bucket}",
            partial(s3.get_bucket_encryption, Bucket=bucket),
            absent={"ServerSideEncryptionConfigurationNotFoundError", "NoSuchBucket"},
        )
        for rule in answer["ServerSideEncryptionConfiguration"]["Rules"] if answer else []:
            key = rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID", "")
            if key and not key.endswith("alias/aws/s3"):
                found[bucket] = key
    return found
