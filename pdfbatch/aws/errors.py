"""What AWS's errors mean: translates them into ours, with the reason and the next step for a person.

The type of an error says how far it reaches: `NotReady` (credentials, clock, region) affects every further call, a
`StoreError` only the current one.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

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


def translate(error: Exception, what: str) -> PdfbatchError:
    """Translates one of botocore's errors to "Cannot {what}: {reason}." and a hint. Secrets are removed."""
    from botocore.exceptions import ClientError

    if isinstance(error, ClientError):
        return _translate_answer(error.response, error.operation_name, what)
    detail = _without_secrets(str(error))
    meaning = next((meaning for kind, meaning in _meaning_of_kinds() if isinstance(error, kind)), None)
    if meaning is None:
        meaning, detail = _BAD_SETTINGS, f"{type(error).__name__}: {detail}"
    translated = error_of(meaning, what, detail=detail)
    translated.broke_off = _broke_off(error)
    return translated


def translate_refusal(code: str, message: str, operation: str, what: str) -> PdfbatchError:
    """Translates the refusal of one item in an otherwise successful batch."""
    return _translate_answer({"Error": {"Code": code, "Message": message}}, operation, what)


def _broke_off(error: BaseException) -> bool:
    from botocore import exceptions as e
    from urllib3.exceptions import HTTPError

    return isinstance(
        error, (HTTPError, e.HTTPClientError, e.IncompleteReadError, e.ChecksumError, e.FlexibleChecksumError)
    )


class Meaning(NamedTuple):
    kind: type[PdfbatchError]
    reason: str
    hint: str


_LOG_IN = "Log in again (`aws sso login`, or get new keys) and run the same command; finished work is kept."
_LATER = "Run the same command again later; finished documents are kept. If it recurs, use fewer workers."

_UNKNOWN = Meaning(
    StoreError, "AWS refused it ({detail})", "Run the same command again; if it recurs, look up this error code."
)
_NO_BUCKET = Meaning(
    NotFound,
    "the bucket does not exist",
    "Check its spelling and your account (`aws s3 ls`), or create it with `aws s3 mb`.",
)
_NO_OBJECT = Meaning(NotFound, "no such object", "It may have been removed meanwhile; list the folder again.")
_DENIED = Meaning(
    AccessDenied,
    "access denied ({detail})",
    "Ask for the permission {permission}, or choose other credentials with AWS_PROFILE.",
)
_BAD_KEYS = Meaning(
    NotReady,
    "AWS does not accept the credentials ({code})",
    "Check AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; `aws sts get-caller-identity` must work.",
)
_EXPIRED = Meaning(NotReady, "the credentials have expired", _LOG_IN)
_NO_KEYS = Meaning(
    NotReady,
    "no usable AWS credentials ({detail})",
    "Run `aws configure` or `aws sso login`, or set AWS_PROFILE; on EC2 give the instance a role.",
)
_CLOCK = Meaning(NotReady, "this machine's clock is wrong", "Set the clock (`timedatectl set-ntp true`) and run again.")
_BAD_SETTINGS = Meaning(
    NotReady, "the AWS settings are not valid ({detail})", "Check ~/.aws/config and the AWS_… variables."
)
NO_REGION = Meaning(
    NotReady,
    "no AWS region is set",
    "Choose one, for example `export AWS_DEFAULT_REGION=us-east-1`, or `aws configure`.",
)
_BAD_REGION = Meaning(
    NotReady, "there is no such AWS region ({detail})", "Correct AWS_DEFAULT_REGION, or the region in ~/.aws/config."
)
_OTHER_REGION = Meaning(
    NotReady,
    "the bucket is in another region{region}",
    "Set AWS_DEFAULT_REGION to the bucket's region, and clear AWS_ENDPOINT_URL.",
)
_BUSY = Meaning(StoreError, "AWS is still busy after several attempts ({code})", _LATER)
_LOST = Meaning(
    PreconditionFailed, "another writer was first", "Nothing is lost: the existing object was written completely."
)
_FULL = Meaning(StoreFull, "the store is full", "Free space or raise its quota, then run the same command again.")
_BAD_NAME = Meaning(
    UsageError,
    "a name or value is not allowed ({detail})",
    "Use s3://bucket/prefix/ with a bucket name of lowercase letters, digits and hyphens.",
)
_ARCHIVED = Meaning(
    StoreError, "the object is archived (Glacier)", "Restore it first (`aws s3api restore-object`), then run again."
)
_KMS = Meaning(
    AccessDenied,
    "its encryption key cannot be used ({detail})",
    "For instances run `pdfbatch setup --kms-key ARN`; for yourself ask for kms:Decrypt and kms:GenerateDataKey.",
)
_TOO_LONG = Meaning(
    StoreError, "the key is longer than S3's 1,024 bytes", "Shorten the folder names or the output prefix."
)
_UNREACHABLE = Meaning(
    StoreError,
    "AWS cannot be reached ({detail})",
    "Check the network, HTTPS_PROXY, AWS_ENDPOINT_URL and AWS_DEFAULT_REGION, then run again.",
)
_NO_TLS = Meaning(
    StoreError,
    "the connection is not trusted ({detail})",
    "Set AWS_CA_BUNDLE to your network's certificates, then run again.",
)
BAD_ENDPOINT = Meaning(
    UsageError,
    "the endpoint address is not valid",
    "Correct AWS_ENDPOINT_URL, as in http://127.0.0.1:9000, or clear it.",
)
_NOT_S3 = Meaning(
    StoreError, "the answer is not from AWS", "Check that AWS_ENDPOINT_URL points to a working S3 server."
)
_BROKEN = Meaning(
    StoreError, "the data arrived damaged ({detail})", "Run the same command again; if it recurs, check the network."
)

_MEANING_OF_CODES: dict[str, Meaning] = {
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


def _meaning_of_kinds() -> list[tuple[type[Exception], Meaning]]:
    """Lists the errors of calls that got no answer, subclasses before base classes (botocore 1.44)."""
    from botocore import exceptions as e
    from botocore.parsers import ResponseParserError
    from urllib3.exceptions import HTTPError

    meanings: list[tuple[Meaning, list[type[Exception]]]] = [
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
        (NO_REGION, [e.NoRegionError]),
        (_BAD_REGION, [e.InvalidRegionError, e.UnknownRegionError]),
        (_BROKEN, [e.IncompleteReadError, e.ResponseStreamingError, e.ChecksumError, e.FlexibleChecksumError]),
        (_NO_TLS, [e.SSLError]),
        (_UNREACHABLE, [e.HTTPClientError, e.ConnectionError, HTTPError]),
        (_BAD_NAME, [e.ParamValidationError, e.InvalidDNSNameError, e.InvalidHostLabelError, e.UnsupportedS3ArnError]),
        (BAD_ENDPOINT, [e.UnknownEndpointError, e.EndpointProviderError, e.InvalidEndpointConfigurationError]),
        (_NOT_S3, [ResponseParserError]),
    ]
    return [(kind, meaning) for meaning, kinds in meanings for kind in kinds]


def _translate_answer(answer: Any, operation: str, what: str) -> PdfbatchError:
    """Translates a botocore response with `Error` and perhaps `ResponseMetadata`."""
    error, metadata = answer.get("Error", {}), answer.get("ResponseMetadata", {})
    code, said = str(error.get("Code", "")), _without_secrets(str(error.get("Message", "")))
    meaning = _meaning_of(code, str(metadata.get("HTTPStatusCode", "")), said)
    region = error.get("Region") or metadata.get("HTTPHeaders", {}).get("x-amz-bucket-region")
    translated = error_of(
        meaning,
        what,
        code=code,
        detail=f"{code}: {said}",
        permission=_permission_for(operation),
        region=f", {region}" if region else "",
    )
    translated.code, translated.said = code, said
    return translated


def _meaning_of(code: str, status: str, said: str = "") -> Meaning:
    if code.startswith("KMS.") or (code == "AccessDenied" and "kms:" in said):  # S3 names the action of KMS it lacked
        return _KMS
    if code not in _MEANING_OF_CODES and (status in ("401", "403", "404", "429") or status.startswith("50")):
        code = status
    return _MEANING_OF_CODES.get(code, _UNKNOWN)


def error_of(meaning: Meaning, what: str, **fields: str) -> PdfbatchError:
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
