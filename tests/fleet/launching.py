"""A set-up account with PDFs in S3, for tests of a launch, its refusals and its `down`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.down import list_resources
from pdfbatch.fleet.launch import Effects, launch
from pdfbatch.fleet.plan import Decided
from pdfbatch.fleet.planning import LaunchProposal, propose
from pdfbatch.fleet.resources import Resources
from pdfbatch.fleet.template import SetupWish, template
from pdfbatch.fleet.values import Launched, LaunchRequest, Work
from pdfbatch.records import SourceDocument
from pdfbatch.store import Store, open_store
from samples import odd
from tests.fleet.conftest import Account

DOCUMENTS = 7


@cache
def clients_of(_endpoint: str) -> Clients:
    return Clients()


def eighteen_each(_: Store, documents: Sequence[SourceDocument], in_input: int) -> Work:
    """Replaces `sample.count_pages`, which opens PDFs and has its own tests."""
    return Work(documents=in_input, left=len(documents), sampled=1, pages_each=18)


class Bench:
    """A set-up account with PDFs in S3, ready for a launch."""

    def __init__(self, account: Account, documents: int = DOCUMENTS) -> None:
        self.account = account.ready()
        self.bucket = account.bucket()
        self.source: Store = open_store(f"s3://{self.bucket}/in/")
        self.output: Store = open_store(f"s3://{self.bucket}/out/")
        for number in range(documents):
            self.source.put(f"{number:03}.pdf", odd.text_page() + b"%%%d\n" % number)
        self.clients = clients_of(account.endpoint)
        self.messages: list[str] = []
        self.slept = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """The outside world of a launch; each pause is one tick of AWS, so no test waits."""
        self.slept += seconds
        self.account.order("tick")

    def propose(self, request: LaunchRequest | None = None) -> LaunchProposal:
        """A request for this bench's URLs, with the `null` engine."""
        request = replace(request or LaunchRequest(), source=self.source.url, output=self.output.url, engine="null")
        return propose(request, clients=self.clients, now=self.now(), environment={}, count_pages=eighteen_each)

    def decide(self, request: LaunchRequest | None = None) -> Decided:
        decided = self.propose(request).decided
        assert decided is not None
        return decided

    def launch(self, request: LaunchRequest | None = None, keep_partial: bool = False) -> Launched:
        return launch(self.decide(request), self.outside(), keep_partial)

    def set_up_for(self, source: str, output: str) -> None:
        """Creates a stack with only the metadata of these URLs."""
        wish = SetupWish(inputs=(source,), outputs=(output,))
        body = {
            "Metadata": template(wish, "us-east-1", "123456789012")["Metadata"],
            "Resources": {"Nothing": {"Type": "AWS::CloudFormation::WaitConditionHandle"}},
        }
        stacks = self.account.client("cloudformation")
        stacks.delete_stack(StackName=wish.names.stack)
        stacks.create_stack(StackName=wish.names.stack, TemplateBody=json.dumps(body))

    def outside(self) -> Effects:
        return Effects(self.clients, self.output, {}, self.messages.append, self.sleep, self.now)

    def left(self) -> Resources:
        return list_resources(self.clients)

    def state(self) -> list[str]:
        return [entry.key for entry in self.output.list(".pdfbatch/")]
