"""Every AWS error becomes one of ours, with a hint and without secrets."""

from __future__ import annotations

import inspect
import os
import string
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore import exceptions as botocore_exceptions
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from pdfbatch import __version__, aws
from pdfbatch.aws.errors import translate
from pdfbatch.errors import (
    AccessDenied,
    ExitCode,
    NotFound,
    NotReady,
    PdfbatchError,
    PreconditionFailed,
    StoreError,
    StoreFull,
    UsageError,
)
from pdfbatch.store import open_store

SECRET = "hunter2"
LEAKY = f"http://user:{SECRET}@proxy:3128/b/k?X-Amz-Signature={SECRET}&X-Amz-Security-Token={SECRET} AKIA{'A' * 16}"


def refusal(code: str, status: int = 400, operation: str = "PutObject", **answer: Any) -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": f"It says why, {LEAKY}", **answer},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}},
    }
    return ClientError(response, operation)


def botocore_errors() -> list[BotoCoreError]:
    """One of each kind that botocore knows, its blanks filled with what must not leak."""
    kinds = [
        kind
        for _, kind in inspect.getmembers(botocore_exceptions, inspect.isclass)
        if issubclass(kind, BotoCoreError) and kind is not BotoCoreError
    ]
    blanks = [{name for _, name, _, _ in string.Formatter().parse(kind.fmt) if name} for kind in kinds]
    extra = {botocore_exceptions.WaiterError: {"last_response": {}}}
    return [
        kind(**dict.fromkeys(names, LEAKY), **extra.get(kind, {})) for kind, names in zip(kinds, blanks, strict=True)
    ]


def assert_a_person_can_use(error: PdfbatchError) -> None:
    shown = f"{error.message} {error.hint}"
    assert error.message.startswith("Cannot write s3://bucket/key: ")
    assert len(error.hint) > 20
    assert "{" not in shown
    assert "\n" not in shown
    assert SECRET not in shown
    assert "AKIA" not in shown


@pytest.mark.parametrize("error", botocore_errors(), ids=lambda error: type(error).__name__)
def test_every_error_botocore_has_gets_a_message_and_a_hint(error: BotoCoreError) -> None:
    assert_a_person_can_use(translate(error, "write s3://bucket/key"))


@pytest.mark.parametrize(
    ("code", "status", "kind", "says"),
    [
        ("NoSuchBucket", 404, NotFound, "bucket does not exist"),
        ("NoSuchKey", 404, NotFound, "no such object"),
        ("404", 404, NotFound, "no such object"),
        ("AccessDenied", 403, AccessDenied, "access denied (AccessDenied: It says why"),
        ("403", 403, AccessDenied, "access denied"),
        ("SomethingNewAboutRights", 403, AccessDenied, "access denied"),
        ("KMS.DisabledException", 400, AccessDenied, "encryption key"),
        ("InvalidAccessKeyId", 403, NotReady, "credentials (InvalidAccessKeyId)"),
        ("SignatureDoesNotMatch", 403, NotReady, "credentials (SignatureDoesNotMatch)"),
        ("ExpiredToken", 400, NotReady, "expired"),
        ("RequestTimeTooSkewed", 403, NotReady, "clock"),
        ("PermanentRedirect", 301, NotReady, "another region"),
        ("SlowDown", 503, StoreError, "busy"),
        ("InternalError", 500, StoreError, "busy"),
        ("SomethingNewAboutLoad", 503, StoreError, "busy"),
        ("PreconditionFailed", 412, PreconditionFailed, "first"),
        ("ConditionalRequestConflict", 409, PreconditionFailed, "first"),
        ("QuotaExceeded", 403, StoreFull, "full"),
        ("InvalidBucketName", 400, UsageError, "not allowed"),
        ("InvalidObjectState", 403, StoreError, "archived"),
        ("KeyTooLongError", 400, StoreError, "1,024"),
        ("BadDigest", 400, StoreError, "damaged"),
        ("NeverHeardOf", 400, StoreError, "NeverHeardOf: It says why"),
        ("NotImplemented", 501, StoreError, "NotImplemented"),
    ],
)
def test_a_refusal_becomes_ours(code: str, status: int, kind: type[PdfbatchError], says: str) -> None:
    error = translate(refusal(code, status), "write s3://bucket/key")
    assert type(error) is kind
    assert says in error.message
    assert_a_person_can_use(error)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("NoCredentialsError", NotReady),
        ("PartialCredentialsError", NotReady),
        ("ProfileNotFound", NotReady),
        ("UnauthorizedSSOTokenError", NotReady),
        ("SSOTokenLoadError", NotReady),
        ("NoRegionError", NotReady),
        ("EndpointConnectionError", StoreError),
        ("ConnectTimeoutError", StoreError),
        ("ReadTimeoutError", StoreError),
        ("ProxyConnectionError", StoreError),
        ("SSLError", StoreError),
        ("IncompleteReadError", StoreError),
        ("ResponseStreamingError", StoreError),
        ("ParamValidationError", UsageError),
    ],
)
def test_an_error_that_never_reached_aws_becomes_ours(name: str, kind: type[PdfbatchError]) -> None:
    (error,) = [error for error in botocore_errors() if type(error).__name__ == name]
    assert type(translate(error, "write s3://bucket/key")) is kind


def test_an_answer_that_is_not_s3s_is_called_so() -> None:
    assert "not from AWS" in translate(ResponseParserError("<html>"), "read s3://bucket/key").message


def test_a_denial_names_the_permission_to_ask_for() -> None:
    hints = [
        translate(refusal("AccessDenied", 403, operation), "do it").hint for operation in ("PutObject", "ListObjectsV2")
    ]
    assert "s3:PutObject" in hints[0]
    assert "s3:ListBucket" in hints[1]


def test_a_denial_by_the_buckets_key_asks_for_the_key() -> None:
    answer = {
        "Error": {"Code": "AccessDenied", "Message": "User: me is not authorized to perform: kms:GenerateDataKey"}
    }
    error = translate(ClientError(answer, "PutObject"), "write s3://bucket/key")
    assert "kms:GenerateDataKey" in error.hint
    assert "pdfbatch setup --kms-key" in error.hint
    assert "s3:PutObject" not in error.hint


def test_a_bucket_elsewhere_is_named_with_its_region() -> None:
    assert "eu-west-1" in translate(refusal("PermanentRedirect", 301, Region="eu-west-1"), "read it").message


def test_errors_of_our_own_pass_untouched() -> None:
    mine = NotFound("mine", "keep it")
    with pytest.raises(NotFound) as caught, aws.translating("read"):
        raise mine
    assert caught.value is mine
    with pytest.raises(ValueError, match="endpoint"), aws.translating("read"):
        raise ValueError("a bug about an endpoint")


def test_no_credentials_is_an_account_that_is_not_ready(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(NotReady, match="no usable AWS credentials") as caught:
        open_store(f"s3://{bucket}/").check_readable()
    assert caught.value.exit_code == ExitCode.NOT_READY


def test_an_unknown_profile_is_an_account_that_is_not_ready(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(NotReady, match="nobody"):
        open_store(f"s3://{bucket}/").check_readable()


def test_services_that_need_a_region_report_a_missing_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with pytest.raises(NotReady, match="region") as caught:
        aws.client("ec2")
    assert "AWS_DEFAULT_REGION" in caught.value.hint


@pytest.mark.parametrize("endpoint", ["not an address", "127.0.0.1:9000", "http://"])
def test_an_endpoint_that_is_not_a_url_is_a_usage_error(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(UsageError, match="endpoint") as caught:
        open_store("s3://bucket/").check_readable()
    assert "AWS_ENDPOINT_URL" in caught.value.hint


def test_an_unreachable_endpoint_is_reported_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StoreError, match="cannot be reached") as caught:
        open_store("s3://bucket/").check_readable()
    assert "AWS_ENDPOINT_URL" in caught.value.hint


def test_a_bucket_that_does_not_exist_is_named(s3_endpoint: str) -> None:
    store = open_store("s3://nobody-made-this/in/")
    for check in (store.check_readable, store.check_writable):
        with pytest.raises(NotFound, match="s3://nobody-made-this/in/: the bucket does not exist"):
            check()


def test_many_threads_that_make_clients_at_once_share_those_of_each_service(s3_endpoint: str) -> None:
    with ThreadPoolExecutor(8) as threads:
        services = ("s3", "sqs", "sns", "ec2") * 4
        clients = list(threads.map(lambda service: aws.client(service), services))
    assert len({id(client) for client in clients}) == 4
    assert [client.meta.service_model.service_name for client in clients] == list(services)


def test_other_attempts_regions_and_settings_have_clients_of_their_own(
    s3_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [aws.client("s3"), aws.client("s3", attempts=1), aws.client("s3", region="eu-west-1")]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    found.append(aws.client("s3"))
    assert len({id(client) for client in found}) == 4
    assert found[3].meta.endpoint_url == "http://127.0.0.1:9"


def test_a_forked_process_makes_its_own_client(s3_endpoint: str) -> None:
    ours = aws.client("s3")
    child = os.fork()
    if not child:
        os._exit(aws.client("s3") is ours)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert aws.client("s3") is ours


def test_a_client_says_who_it_is_and_retries(s3_endpoint: str) -> None:
    config = aws.client("s3").meta.config
    assert f"pdfbatch/{__version__}" in config.user_agent
    assert (config.retries["mode"], config.max_pool_connections) == ("standard", 64)


def test_a_local_folder_needs_no_boto3() -> None:
    code = (
        "import sys; from pdfbatch.store import open_store; list(open_store('.').list('x'));"
        "sys.exit(any(m in sys.modules for m in ('boto3', 'botocore', 'urllib3')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
