"""The queues of pools: makes, fills, finds and deletes them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping

from pdfbatch import aws
from pdfbatch.errors import AccessDenied
from pdfbatch.fleet import watching
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.names import DEAD, TAG_STACK, TAG_WATCHES, Names, output_digest
from pdfbatch.fleet.policies import place
from pdfbatch.fleet.resources import Resource
from pdfbatch.fleet.values import Plan
from pdfbatch.records import Manifest, Pool
from pdfbatch.runs.messages import LONGEST_WAIT, NO_QUEUE, SqsQueue
from pdfbatch.runs.pool import all_blocks, pointer_to

MOST_RECEIVES = 100
"""After so many receipts a message becomes a dead letter. Spot interruptions and scaling count too, so it is high: what
kills its workers is found earlier, by its lease."""
_KEPT_SECONDS = 14 * 24 * 3600
"""SQS's longest."""
_QUEUE_NAME = re.compile(rf"_\d{{8}}T\d{{6}}-\d{{3}}Z-[0-9a-f]{{4}}(?:{DEAD})?$")
"""The end of every pool's queue name; see `Names.queue`."""


def make(clients: Clients, plan: Plan, manifest: Manifest) -> Pool:
    """Creates a run's queue and its dead-letter queue; a second call returns the same ones."""
    name = Names(plan.stack).queue(plan.run)
    watched = {TAG_WATCHES: place(manifest.input).bucket} if manifest.watches_input else {}
    dead = _create(clients, plan.tags, name + DEAD, {})
    redrive = {"deadLetterTargetArn": _arn(clients, dead), "maxReceiveCount": MOST_RECEIVES}
    queue = _create(clients, plan.tags | watched, name, {"RedrivePolicy": json.dumps(redrive)})
    return Pool(
        run=plan.run,
        region=clients.region,
        queue=queue,
        dead_letters=dead,
        workers=list(range(plan.workers)),
        used=plan.workers,
    )


def watch(clients: Clients, pool: Pool, manifest: Manifest, sleep: Callable[[float], None]) -> None:
    """Lets S3 send what arrives in the input to the queue; does nothing for a run that does not watch it."""
    if not manifest.watches_input:
        return
    delete(clients, _left_by_earlier_runs(clients, manifest))
    there, arn = place(manifest.input), _arn(clients, pool.queue)
    watching.allow_s3(clients, pool.queue, arn, there.bucket)
    name = pool.queue.rpartition("/")[2]
    watching.subscribe(clients, arn, name, there, watching.suffixes_of(manifest.chosen), sleep)


def _create(clients: Clients, tags: Mapping[str, str], name: str, more: dict[str, str]) -> str:
    attributes = {"MessageRetentionPeriod": str(_KEPT_SECONDS), "ReceiveMessageWaitTimeSeconds": str(LONGEST_WAIT)}
    with aws.translating(f"create the queue {name}"):
        answer = clients.sqs.create_queue(QueueName=name, Attributes=attributes | more, tags=tags)  # type: ignore[arg-type]  # names of attributes
    return answer["QueueUrl"]


def _arn(clients: Clients, url: str) -> str:
    with aws.translating(f"look at {url}"):
        return clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def fill(clients: Clients, pool: Pool, manifest: Manifest) -> None:
    """Sends a message for every block."""
    SqsQueue(clients.sqs, pool.queue).send(pointer_to(pool.run, block) for block in all_blocks(manifest))


def queues(clients: Clients) -> list[Resource]:
    """Lists pdfbatch's queues in the region; `id` is the URL. None where listing is not permitted: who may not list
    them has made none."""
    found = []
    try:
        with aws.translating("list the queues"):
            pages = clients.sqs.get_paginator("list_queues").paginate(PaginationConfig={"PageSize": 1000})
            urls = [url for page in pages for url in page.get("QueueUrls", []) if _QUEUE_NAME.search(url)]
    except AccessDenied:
        return []
    for url in urls:
        tags = _tags(clients, url)
        if TAG_STACK in tags:
            found.append(Resource(url, tags, None))
    return found


def _left_by_earlier_runs(clients: Clients, manifest: Manifest) -> list[Resource]:
    """Returns the queues of other runs on this output. All have ended: an output has one run at a time. S3 would not
    send the same events to a second queue."""
    digest = output_digest(manifest.output)
    return [each for each in queues(clients) if each.output == digest and each.run != manifest.run]


def _tags(clients: Clients, url: str) -> dict[str, str]:
    answer = aws.call(f"look at {url}", lambda: clients.sqs.list_queue_tags(QueueUrl=url), absent=NO_QUEUE)
    return dict(answer.get("Tags", {})) if answer else {}


def delete(clients: Clients, there: Iterable[Resource]) -> None:
    """Deletes queues with their messages, and first the notifications that go to them; one that is already gone is no
    error. SQS may list them for a minute more."""
    found = list(there)
    watching.unsubscribe(clients, found)
    for each in found:
        SqsQueue(clients.sqs, each.id).remove()
