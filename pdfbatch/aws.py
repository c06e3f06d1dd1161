"""Wraps boto3: creates clients with our retries and timeouts, and translates AWS's errors into ours.

boto3 is imported when the first client is created, so that work on local folders starts without it. Regions,
credentials, profiles and endpoints follow boto3's own variables (`AWS_DEFAULT_REGION`, `AWS_PROFILE`,
`AWS_ENDPOINT_URL`, …).

The type of an error says how far it reaches: `NotReady` (credentials, clock, region) affects every further call, a
`StoreError` only the current one.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar, overload

from pdfbatch import __version__
from pdfbatch.errors import (
    AccessDenied,
    NotFound,
    NotReady,
    PdfbatchError,
    PreconditionFailed,
    StoreError,
    StoreFull,
    UsageError,
)

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
POOL_CONNECTIONS = 32
"""More threads than this on one client wait for a free connection."""

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
    """Creates a client that threads can share, but that must not cross a fork; `region` "": from boto3's settings.

    The default `attempts` outlast a short outage: right for running work, too long when a person waits.

    Creating a client takes about 30 ms, so keep it. boto3's sessions are not thread-safe, so one thread at a time makes
    clients of the session.
    """
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=POOL_CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": attempts},
        tcp_keepalive=True,
        user_agent_extra=f"pdfbatch/{__version__}",
    )
    with translating(f"use {service}"), _making_a_client:
        session = _session()
        try:
            return session.client(service, region_name=region or None, config=config)  # type: ignore[call-overload]  # `service` is any of boto3's names
        except ValueError as error:
            raise _error(_BAD_ENDPOINT, f"use {service}") from error


def _session() -> Session:
    return _session_under(frozenset(item for item in os.environ.items() if item[0].startswith(_SETTINGS)))


@lru_cache(maxsize=1)
def _session_under(_settings: frozenset[tuple[str, str]]) -> Session:
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
        raise _error(_NO_REGION, "determine the region")
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


def translate(error: Exception, what: str) -> PdfbatchError:
    """Translates one of botocore's errors to "Cannot {what}: {reason}." and a hint. Secrets are removed."""
    from botocore.exceptions import ClientError

    if isinstance(error, ClientError):
        return _translate_answer(error.response, error.operation_name, what)
    detail = _without_secrets(str(error))
    meaning = next((meaning for kind, meaning in _meaning_of_kinds() if isinstance(error, kind)), None)
    if meaning is None:
        meaning, detail = _BAD_SETTINGS, f"{type(error).__name__}: {detail}"
    translated = _error(meaning, what, detail=detail)
    translated.broke_off = _broke_off(error)
    return translated


def translate_refusal(code: str, message: str, operation: str, what: str) -> PdfbatchError:
    """Translates the refusal of one item in an otherwise successful batch."""
    return _translate_answer({"Error": {"Code": code, "Message": message}}, operation, what)


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


def _broke_off(error: BaseException) -> bool:
    from botocore import exceptions as e
    from urllib3.exceptions import HTTPError

    return isinstance(
        error, (HTTPError, e.HTTPClientError, e.IncompleteReadError, e.ChecksumError, e.FlexibleChecksumError)
    )


class _Meaning(NamedTuple):
    kind: type[PdfbatchError]
    reason: str
    hint: str


_LOG_IN = "Log in again (`aws sso login`, or get new keys) and run the same command; finished work is kept."
_LATER = "Run the same command again later; finished documents are kept. If it recurs, use fewer workers."

_UNKNOWN = _Meaning(
    StoreError, "AWS refused it ({detail})", "Run the same command again; if it recurs, look up this error code."
)
_NO_BUCKET = _Meaning(
    NotFound,
    "the bucket does not exist",
    "Check its spelling and your account (`aws s3 ls`), or create it with `aws s3 mb`.",
)
_NO_OBJECT = _Meaning(NotFound, "no such object", "It may have been removed meanwhile; list the folder again.")
_DENIED = _Meaning(
    AccessDenied,
    "access denied ({detail})",
    "Ask for the permission {permission}, or choose other credentials with AWS_PROFILE.",
)
_BAD_KEYS = _Meaning(
    NotReady,
    "AWS does not accept the credentials ({code})",
    "Check AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; `aws sts get-caller-identity` must work.",
)
_EXPIRED = _Meaning(NotReady, "the credentials have expired", _LOG_IN)
_NO_KEYS = _Meaning(
    NotReady,
    "no usable AWS credentials ({detail})",
    "Run `aws configure` or `aws sso login`, or set AWS_PROFILE; on EC2 give the instance a role.",
)
_CLOCK = _Meaning(
    NotReady, "this machine's clock is wrong", "Set the clock (`timedatectl set-ntp true`) and run again."
)
_BAD_SETTINGS = _Meaning(
    NotReady, "the AWS settings are not valid ({detail})", "Check ~/.aws/config and the AWS_… variables."
)
_NO_REGION = _Meaning(
    NotReady,
    "no AWS region is set",
    "Choose one, for example `export AWS_DEFAULT_REGION=us-east-1`, or `aws configure`.",
)
_BAD_REGION = _Meaning(
    NotReady, "there is no such AWS region ({detail})", "Correct AWS_DEFAULT_REGION, or the region in ~/.aws/config."
)
_OTHER_REGION = _Meaning(
    NotReady,
    "the bucket is in another region{region}",
    "Set AWS_DEFAULT_REGION to the bucket's region, and clear AWS_ENDPOINT_URL.",
)
_BUSY = _Meaning(StoreError, "AWS is still busy after several attempts ({code})", _LATER)
_LOST = _Meaning(
    PreconditionFailed, "another writer was first", "Nothing is lost: the existing object was written completely."
)
_FULL = _Meaning(StoreFull, "the store is full", "Free space or raise its quota, then run the same command again.")
_BAD_NAME = _Meaning(
    UsageError,
    "a name or value is not allowed ({detail})",
    "Use s3://bucket/prefix/ with a bucket name of lowercase letters, digits and hyphens.",
)
_ARCHIVED = _Meaning(
    StoreError, "the object is archived (Glacier)", "Restore it first (`aws s3api restore-object`), then run again."
)
_KMS = _Meaning(
    AccessDenied,
    "its encryption key cannot be used ({detail})",
    "For instances run `pdfbatch setup --kms-key ARN`; for yourself ask for kms:Decrypt and kms:GenerateDataKey.",
)
_TOO_LONG = _Meaning(
    StoreError, "the key is longer than S3's 1,024 bytes", "Shorten the folder names or the output prefix."
)
_UNREACHABLE = _Meaning(
    StoreError,
    "AWS cannot be reached ({detail})",
    "Check the network, HTTPS_PROXY, AWS_ENDPOINT_URL and AWS_DEFAULT_REGION, then run again.",
)
_NO_TLS = _Meaning(
    StoreError,
    "the connection is not trusted ({detail})",
    "Set AWS_CA_BUNDLE to your network's certificates, then run again.",
)
_BAD_ENDPOINT = _Meaning(
    UsageError,
    "the endpoint address is not valid",
    "Correct AWS_ENDPOINT_URL, as in http://127.0.0.1:9000, or clear it.",
)
_NOT_S3 = _Meaning(
    StoreError, "the answer is not from AWS", "Check that AWS_ENDPOINT_URL points to a working S3 server."
)
_BROKEN = _Meaning(
    StoreError, "the data arrived damaged ({detail})", "Run the same command again; if it recurs, check the network."
)

_MEANING_OF_CODES: dict[str, _Meaning] = {
    code: meaning
    for meaning, codes in [
        (_NO_BUCKET, "NoSuchBucket"),
        (_NO_OBJECT, "NoSuchKey NoSuchVersion NotFound 404"),
        (
            _DENIED,
            "AccessDenied AccessDeniedException AllAccessDisabled AccountProblem Forbidden UnauthorizedOperation"
            " UnauthorizedAccess InvalidPayer 403 401",
        ),
        (
            _BAD_KEYS,
            "InvalidAccessKeyId SignatureDoesNotMatch InvalidClientTokenId UnrecognizedClientException AuthFailure"
            " IncompleteSignature InvalidToken InvalidSecurity NotSignedUp MissingAuthenticationToken",
        ),
        (_EXPIRED, "ExpiredToken ExpiredTokenException TokenRefreshRequired RequestExpired"),
        (_CLOCK, "RequestTimeTooSkewed RequestInTheFuture"),
        (
            _OTHER_REGION,
            "PermanentRedirect TemporaryRedirect AuthorizationHeaderMalformed IllegalLocationConstraintException 301",
        ),
        (
            _BUSY,
            "SlowDown ServiceUnavailable InternalError InternalFailure RequestTimeout RequestTimeoutException"
            " Throttling ThrottlingException ThrottledException"
            " RequestLimitExceeded RequestThrottled TooManyRequestsException"
            " BandwidthLimitExceeded LimitExceededException PriorRequestNotComplete OperationAborted Busy"
            " 429 500 502 503 504",
        ),
        (_LOST, "PreconditionFailed ConditionalRequestConflict 412"),
        (_FULL, "QuotaExceeded XMinioStorageFull InsufficientStorage 507"),
        (_BAD_NAME, "InvalidBucketName InvalidURI"),
        (_ARCHIVED, "InvalidObjectState"),
        (_TOO_LONG, "KeyTooLongError"),
        (_BROKEN, "BadDigest XAmzContentSHA256Mismatch IncompleteBody InvalidDigest XAmzContentChecksumMismatch"),
    ]
    for code in codes.split()
}


def _meaning_of_kinds() -> list[tuple[type[Exception], _Meaning]]:
    """Lists the errors of calls that got no answer, subclasses before base classes (botocore 1.44)."""
    from botocore import exceptions as e
    from botocore.parsers import ResponseParserError
    from urllib3.exceptions import HTTPError

    meanings: list[tuple[_Meaning, list[type[Exception]]]] = [
        (_EXPIRED, [e.UnauthorizedSSOTokenError, e.LoginRefreshRequired]),
        (
            _NO_KEYS,
            [
                *(e.NoCredentialsError, e.PartialCredentialsError, e.CredentialRetrievalError, e.ProfileNotFound),
                *(e.ConfigParseError, e.ConfigNotFound, e.NoAuthTokenError, e.TokenRetrievalError, e.SSOError),
                *(e.LoginError, e.InvalidConfigError, e.InfiniteLoopConfigError, e.UnknownCredentialError),
                *(e.RefreshWithMFAUnsupportedError, e.MetadataRetrievalError),
            ],
        ),
        (_NO_REGION, [e.NoRegionError]),
        (_BAD_REGION, [e.InvalidRegionError, e.UnknownRegionError]),
        (_BROKEN, [e.IncompleteReadError, e.ResponseStreamingError, e.ChecksumError, e.FlexibleChecksumError]),
        (_NO_TLS, [e.SSLError]),
        (_UNREACHABLE, [e.HTTPClientError, e.ConnectionError, HTTPError]),
        (_BAD_NAME, [e.ParamValidationError, e.InvalidDNSNameError, e.InvalidHostLabelError, e.UnsupportedS3ArnError]),
        (_BAD_ENDPOINT, [e.UnknownEndpointError, e.EndpointProviderError, e.InvalidEndpointConfigurationError]),
        (_NOT_S3, [ResponseParserError]),
    ]
    return [(kind, meaning) for meaning, kinds in meanings for kind in kinds]


def _translate_answer(answer: Any, operation: str, what: str) -> PdfbatchError:
    """Translates a botocore response with `Error` and perhaps `ResponseMetadata`."""
    error, metadata = answer.get("Error", {}), answer.get("ResponseMetadata", {})
    code, said = str(error.get("Code", "")), _without_secrets(str(error.get("Message", "")))
    meaning = _meaning_of(code, str(metadata.get("HTTPStatusCode", "")), said)
    region = error.get("Region") or metadata.get("HTTPHeaders", {}).get("x-amz-bucket-region")
    translated = _error(
        meaning,
        what,
        code=code,
        detail=f"{code}: {said}",
        permission=_permission_for(operation),
        region=f", {region}" if region else "",
    )
    translated.code, translated.said = code, said
    return translated


def _meaning_of(code: str, status: str, said: str = "") -> _Meaning:
    if code.startswith("KMS.") or (code == "AccessDenied" and "kms:" in said):  # S3 names the action of KMS it lacked
        return _KMS
    if code not in _MEANING_OF_CODES and (status in ("401", "403", "404", "429") or status.startswith("50")):
        code = status
    return _MEANING_OF_CODES.get(code, _UNKNOWN)


def _error(meaning: _Meaning, what: str, **fields: str) -> PdfbatchError:
    return meaning.kind(f"Cannot {what}: {meaning.reason.format(**fields)}.", meaning.hint.format(**fields))


_S3_PERMISSIONS = {
    "ListObjectsV2": "s3:ListBucket",
    "HeadBucket": "s3:ListBucket",
    "HeadObject": "s3:GetObject",
    "DeleteObjects": "s3:DeleteObject",
}


def _permission_for(operation: str) -> str:
    """Returns the IAM action behind an API operation. Only S3's object calls differ from the operation's name."""
    if operation in _S3_PERMISSIONS:
        return _S3_PERMISSIONS[operation]
    return f"s3:{operation}" if operation.endswith("Object") else operation


_SECRETS = [
    (re.compile(r"//[^/@\s]+@"), "//"),  # user:password@ of a proxy or endpoint
    (re.compile(r"(?i)(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s\"']+"), r"\1…"),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b"), "…"),
]


def _without_secrets(text: str) -> str:
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return " ".join(text.split()).rstrip(".")
