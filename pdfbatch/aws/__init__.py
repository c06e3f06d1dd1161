"""Wraps boto3: creates clients with our retries and timeouts, and translates AWS's errors into ours.

boto3 is imported when the first client is created, so that work on local folders starts without it. Regions,
credentials, profiles and endpoints follow boto3's own variables (`AWS_DEFAULT_REGION`, `AWS_PROFILE`,
`AWS_ENDPOINT_URL`, …).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from pdfbatch import __version__
from pdfbatch.aws.errors import BAD_ENDPOINT, NO_REGION, error_of, translate
from pdfbatch.errors import PdfbatchError

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.loaders import Loader
    from mypy_boto3_batch import BatchClient
    from mypy_boto3_budgets import BudgetsClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_pricing import PricingClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_service_quotas import ServiceQuotasClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_sts import STSClient

T = TypeVar("T")

MAX_ATTEMPTS = 12
"""With botocore 1.44's backoff (50 ms or, when throttled, 1 s, doubled up to 20 s, with jitter): 35 to 75 s in all."""
CONNECT_SECONDS = 10
READ_SECONDS = 60
ANY_REGION = "us-east-1"
"""S3 answers here for buckets in every region of the partition, and STS for every account."""
POOL_CONNECTIONS = 64
"""More threads than this on one client wait for a free connection."""

_Variables = frozenset[tuple[str, str]]
"""The names and values of variables that boto3 reads."""
_SETTINGS = ("AWS_", "BOTO_", "HOME")
"""How the names of the variables begin that boto3 reads."""

_making_a_client = threading.Lock()


@overload
def client(service: Literal["batch"], attempts: int = ..., region: str = ...) -> BatchClient: ...
@overload
def client(service: Literal["budgets"], attempts: int = ..., region: str = ...) -> BudgetsClient: ...
@overload
def client(
    service: Literal["cloudformation"], attempts: int = MAX_ATTEMPTS, region: str = ""
) -> CloudFormationClient: ...
@overload
def client(service: Literal["ec2"], attempts: int = ..., region: str = ...) -> EC2Client: ...
@overload
def client(service: Literal["ecr"], attempts: int = ..., region: str = ...) -> ECRClient: ...
@overload
def client(service: Literal["events"], attempts: int = ..., region: str = ...) -> EventBridgeClient: ...
@overload
def client(service: Literal["iam"], attempts: int = ..., region: str = ...) -> IAMClient: ...
@overload
def client(service: Literal["logs"], attempts: int = ..., region: str = ...) -> CloudWatchLogsClient: ...
@overload
def client(service: Literal["pricing"], attempts: int = ..., region: str = ...) -> PricingClient: ...
@overload
def client(service: Literal["s3"], attempts: int = ..., region: str = ...) -> S3Client: ...
@overload
def client(service: Literal["sagemaker"], attempts: int = ..., region: str = ...) -> SageMakerClient: ...
@overload
def client(
    service: Literal["scheduler"], attempts: int = MAX_ATTEMPTS, region: str = ""
) -> EventBridgeSchedulerClient: ...
@overload
def client(service: Literal["secretsmanager"], attempts: int = ..., region: str = ...) -> SecretsManagerClient: ...
@overload
def client(
    service: Literal["service-quotas"], attempts: int = MAX_ATTEMPTS, region: str = ""
) -> ServiceQuotasClient: ...
@overload
def client(service: Literal["sns"], attempts: int = ..., region: str = ...) -> SNSClient: ...
@overload
def client(service: Literal["sqs"], attempts: int = ..., region: str = ...) -> SQSClient: ...
@overload
def client(service: Literal["ssm"], attempts: int = ..., region: str = ...) -> SSMClient: ...
@overload
def client(service: Literal["sts"], attempts: int = ..., region: str = ...) -> STSClient: ...
def client(service: str, attempts: int = MAX_ATTEMPTS, region: str = "") -> Any:
    """Returns a client that threads can share, but that must not cross a fork; `region` "": from boto3's settings.

    The default `attempts` outlast a short outage: right for running work, too long when a person waits.

    Creating a client takes 10 ms or more, so clients are kept; in a forked process new ones are made. boto3's sessions
    are not thread-safe, so one thread at a time makes clients of the session.
    """
    with translating(f"use {service}"), _making_a_client:
        return _client_under(_settings(), os.getpid(), service, attempts, region)


@lru_cache(maxsize=64)
def _client_under(_settings: _Variables, _process: int, service: str, attempts: int, region: str) -> Any:
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=POOL_CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": attempts},
        tcp_keepalive=True,
        user_agent_extra=f"pdfbatch/{__version__}",
    )
    try:
        return _session().client(service, region_name=region or None, config=config)  # type: ignore[call-overload]  # `service` is any of boto3's names
    except ValueError as error:
        raise error_of(BAD_ENDPOINT, f"use {service}") from error


def _settings() -> _Variables:
    return frozenset(item for item in os.environ.items() if item[0].startswith(_SETTINGS))


def _session() -> Session:
    return _session_under(_settings())


@lru_cache(maxsize=1)
def _session_under(_settings: _Variables) -> Session:
    """A session for these environment variables, which it has read; it shares the descriptions of AWS's services."""
    import boto3
    import botocore.session

    core = botocore.session.Session()
    core.register_component("data_loader", _loader())
    session = boto3.session.Session(botocore_session=core)
    paths = _loader().search_paths
    paths[:] = dict.fromkeys(paths)  # each session of boto3's appends its own
    return session


@cache
def _loader() -> Loader:
    import botocore.session

    loader: Loader = botocore.session.Session().get_component("data_loader")
    return loader


def region(bucket: str = "") -> str:
    """Returns the region from boto3's variables and files, else that of a bucket.

    Raises:
        NotReady: no region is set, and no bucket is given.
    """
    found = region_set()
    if not found and bucket:
        found = bucket_region(client("s3", region=ANY_REGION), bucket)
    if not found:
        raise error_of(NO_REGION, "determine the region")
    return found


def region_set() -> str:
    """Returns the region from boto3's variables and files; "" if they name none."""
    with translating("determine the region"), _making_a_client:
        return _session().region_name or ""


def bucket_region(s3: S3Client, bucket: str) -> str:
    """Looks up a bucket's region. For its two oldest regions, S3 answers with legacy names."""
    answer = call(f"look up the region of s3://{bucket}", lambda: s3.get_bucket_location(Bucket=bucket))
    place = answer.get("LocationConstraint")
    return {None: ANY_REGION, "EU": "eu-west-1"}.get(place, str(place))


@contextmanager
def translating(what: str) -> Iterator[None]:
    """Translates botocore's errors inside the block; `what` completes "Cannot …", as in "read s3://bucket/key"."""
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
    from botocore.parsers import ResponseParserError
    from urllib3.exceptions import HTTPError

    try:
        yield
    except (BotoCoreError, ClientError, HTTPClientError, ResponseParserError, HTTPError) as error:
        raise translate(error, what) from error


@overload
def call(what: str, ask: Callable[[], T]) -> T: ...
@overload
def call(what: str, ask: Callable[[], T], absent: Collection[str]) -> T | None: ...
def call(what: str, ask: Callable[[], T], absent: Collection[str] = ()) -> T | None:
    """Calls AWS and returns its answer; None for an error with one of the codes in `absent`.

    `what` completes "Cannot …". Any other error is raised with its `code`.
    """
    try:
        with translating(what):
            return ask()
    except PdfbatchError as error:
        if error.code not in absent or not error.code:
            raise
        return None
