"""Lets S3 tell a pool's queue what arrives in the input, and stops that.

A bucket has one set of notifications, which is always replaced as a whole: what others have configured is read first,
and written back unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from pdfbatch import aws
from pdfbatch.errors import NotReady, PdfbatchError
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.names import TAG_WATCHES, partition
from pdfbatch.fleet.policies import BucketPlace
from pdfbatch.fleet.resources import Resource
from pdfbatch.records import WILD, Chosen

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import NotificationConfigurationTypeDef

EVENTS = ["s3:ObjectCreated:*"]
PDF_SUFFIXES = (".pdf", ".PDF")
"""S3 compares suffixes by case. `.Pdf` and the like are found when a worker lists the input."""
PAUSES = (2.0, 5.0, 12.0, 30.0)
"""Seconds between tries: S3 checks at once whether it may send to the queue, whose policy may take a minute to hold.
Source: API reference of SQS, SetQueueAttributes."""
NO_BUCKET = {"NoSuchBucket"}
_NOT_YET = "InvalidArgument"
_SAFE = "/!-_.*'()"
"""Characters that S3 takes as they are in a filter; a space becomes `+`. Source: S3 user guide, "Configuring event
notifications using object key name filtering"."""


def suffixes_of(chosen: Chosen) -> tuple[str, ...]:
    """Returns the endings of the keys that can be documents; ("",) where they may end in any way. None is the end of
    another, which S3 would refuse. Pure."""
    if not chosen.include:
        return PDF_SUFFIXES
    endings = {_ending(pattern) for pattern in chosen.include}
    both = {each for ending in endings for each in (ending.lower(), ending.upper(), ending)}
    return tuple(sorted(one for one in both if not any(one != other and one.endswith(other) for other in both)))


def _ending(pattern: str) -> str:
    """Returns the literal extension that every file has that a pattern matches; "" if there is none."""
    last = pattern.rpartition("/")[2]
    dot = last.rfind(".")
    is_extension = last.startswith("*") and dot > 0 and not WILD & set(last[dot:])
    return last[dot:] if is_extension else ""


def allow_s3(clients: Clients, queue: str, arn: str, bucket: str) -> None:
    """Lets S3 send to a queue, from this bucket of this account only."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {
            "ArnEquals": {"aws:SourceArn": f"arn:{partition(clients.region)}:s3:::{bucket}"},
            "StringEquals": {"aws:SourceAccount": clients.account},
        },
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    with aws.translating(f"let S3 send to {queue}"):
        clients.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})


def subscribe(
    clients: Clients, arn: str, name: str, place: BucketPlace, suffixes: Iterable[str], sleep: Callable[[float], None]
) -> None:
    """Adds notifications about new objects to those of the bucket, with Ids that begin with `name`.

    Raises:
        NotReady: the bucket is in another region, or has a notification for the same objects.
    """
    region = aws.bucket_region(clients.s3, place.bucket)
    if region != clients.region:
        raise NotReady(
            f"s3://{place.bucket} is in {region}, and S3 sends events only to queues of its own region.",
            f"Launch in {region}: AWS_DEFAULT_REGION={region}. Or leave out --watch-input.",
        )
    ours = [_notification(f"{name}-{number}", arn, place.prefix, suffix) for number, suffix in enumerate(suffixes)]
    for pause in (*PAUSES, None):
        try:
            _replace(clients, place.bucket, lambda before: [*_without(before, arn), *ours])
        except PdfbatchError as error:
            if error.code != _NOT_YET:
                raise
            if pause is None or "overlap" in error.message:
                raise NotReady(f"S3 refuses the notifications: {error.message}", _refused(place.bucket)) from error
            sleep(pause)
        else:
            return


def _refused(bucket: str) -> str:
    return (
        f"s3://{bucket} may have another notification for the same objects, and S3 allows only one: see `aws s3api "
        f"get-bucket-notification-configuration --bucket {bucket}`. Or leave out --watch-input."
    )


def unsubscribe(clients: Clients, queues: Iterable[Resource]) -> None:
    """Removes the notifications that go to these queues; all others stay. To be called before the queues are deleted:
    S3 refuses changes to a bucket's notifications while one goes nowhere."""
    for queue in queues:
        if bucket := queue.tags.get(TAG_WATCHES):
            name = queue.id.rpartition("/")[2]
            arn = f"arn:{partition(clients.region)}:sqs:{clients.region}:{clients.account}:{name}"
            _replace(clients, bucket, lambda before, arn=arn: _without(before, arn), check=False)  # type: ignore[misc]


def _replace(clients: Clients, bucket: str, change: Callable[[list[Any]], list[Any]], *, check: bool = True) -> None:
    """Changes a bucket's notifications to queues. `check`: S3 tries whether it may send to all destinations."""
    found = aws.call(
        f"read the notifications of s3://{bucket}",
        lambda: clients.s3.get_bucket_notification_configuration(Bucket=bucket, ExpectedBucketOwner=clients.account),
        absent=NO_BUCKET,
    )
    if found is None:
        return
    others: Any = {name: value for name, value in found.items() if name != "ResponseMetadata"}
    before = others.get("QueueConfigurations", [])
    if (after := change(before)) == before:
        return
    whole: NotificationConfigurationTypeDef = others | {"QueueConfigurations": after}
    with aws.translating(f"change the notifications of s3://{bucket}"):
        clients.s3.put_bucket_notification_configuration(
            Bucket=bucket,
            NotificationConfiguration=whole,
            ExpectedBucketOwner=clients.account,
            SkipDestinationValidation=not check,
        )


def _without(notifications: Iterable[Any], arn: str) -> list[Any]:
    return [each for each in notifications if each["QueueArn"] != arn]


def _notification(name: str, arn: str, prefix: str, suffix: str) -> dict[str, Any]:
    rules = [
        {"Name": what, "Value": quote_plus(value, safe=_SAFE)}
        for what, value in (("prefix", prefix), ("suffix", suffix))
        if value
    ]
    filtered = {"Filter": {"Key": {"FilterRules": rules}}} if rules else {}
    return {"Id": name, "QueueArn": arn, "Events": EVENTS, **filtered}
