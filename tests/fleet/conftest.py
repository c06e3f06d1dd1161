"""An AWS account for tests: one server per session, reset for each test; aws_server.py says what it can do."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest

from pdfbatch.fleet.names import Names
from pdfbatch.fleet.policies import SERVICE_ROLES
from tests.fleet.places import Places

ROOT = Path(__file__).parents[2]
REGION = "us-east-1"
SPOT_G_QUOTA = "L-3819A6DF"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
IMAGE_MANIFEST = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
    "config": {
        "mediaType": "application/vnd.docker.container.image.v1+json",
        "size": 2,
        "digest": f"sha256:{hashlib.sha256(b'{}').hexdigest()}",
    },
    "layers": [
        {
            "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
            "size": 5_000_000_000,
            "digest": f"sha256:{hashlib.sha256(b'layer').hexdigest()}",
        }
    ],
}
PRICES = {
    "g4dn.xlarge": {"us-east-1a": 0.19, "us-east-1b": 0.20, "us-east-1c": 0.18, "us-east-1d": 0.21, "us-east-1f": 0.20},
    "g5.xlarge": {"us-east-1a": 0.41, "us-east-1b": 0.43},
}
"""Of a set-up account: dollars an hour by type and zone; us-east-1e has no G machines, as in AWS."""


class Account:
    """An account at this endpoint."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.names = Names()
        self._buckets = 0
        self._own_calls = 0

    def client(self, service: str) -> Any:
        return _client(service, self.endpoint)

    def reset(self) -> None:
        """An empty account, whose default VPC has its internet gateway as in AWS; moto leaves it out."""
        self._ask("moto-api/reset", b"", "POST")
        ec2 = self.client("ec2")
        default = [{"Name": "is-default", "Values": ["true"]}]
        for vpc in ec2.describe_vpcs(Filters=default)["Vpcs"]:
            self.give_a_way_out(vpc["VpcId"])
        self._own_calls = 0
        self._own_calls = len(self.calls())

    def give_a_way_out(self, vpc: str) -> None:
        """An internet gateway, and a route to it in the VPC's main table."""
        ec2 = self.client("ec2")
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        of_vpc = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "association.main", "Values": ["true"]}]
        (table,) = ec2.describe_route_tables(Filters=of_vpc)["RouteTables"]
        ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)

    def order(self, what: str, wish: Any = None) -> None:
        """Controls the server: `tick`, `clock`, `interrupt`, `faults`, …; see aws_server.py."""
        self._ask(f"_{what}", json.dumps(wish).encode(), "PUT")

    def calls(self, action: str | None = None) -> list[dict[str, Any]]:
        """The calls so far, in order: service, action, parameters, error."""
        calls: list[dict[str, Any]] = json.loads(self._ask("_calls"))
        return [call for call in calls[self._own_calls :] if action in (None, call["action"])]

    def instances(self) -> list[dict[str, Any]]:
        """The running instances of fleets: instance, fleet, tags, user_data, type, zone, region, image, launched."""
        living: list[dict[str, Any]] = json.loads(self._ask("_instances"))
        return living

    def spent(self) -> float:
        """Dollars for the instances of all fleets so far, without disks and addresses."""
        return float(json.loads(self._ask("_spent")))

    def _ask(self, path: str, body: bytes | None = None, method: str = "GET") -> bytes:
        request = urllib.request.Request(f"{self.endpoint}/{path}", body, method=method)
        with urllib.request.urlopen(request) as response:
            content: bytes = response.read()
        return content

    def bucket(self, name: str = "") -> str:
        """The name of a new, empty bucket."""
        self._buckets += 1
        name = name or f"bucket-{self._buckets}"
        self.client("s3").create_bucket(Bucket=name)
        return name

    def ready(self) -> Account:
        """Everything that `pdfbatch setup` and `make image push` create, a quota for 16 instances, and prices."""
        names = self.names
        iam, ec2 = self.client("iam"), self.client("ec2")
        iam.create_role(RoleName=names.role(REGION), AssumeRolePolicyDocument=json.dumps(TRUST))
        iam.create_instance_profile(InstanceProfileName=names.role(REGION))
        iam.add_role_to_instance_profile(InstanceProfileName=names.role(REGION), RoleName=names.role(REGION))
        for role, service in SERVICE_ROLES.items():
            path = f"/aws-service-role/{service}/"
            iam.create_role(RoleName=role, Path=path, AssumeRolePolicyDocument=json.dumps(TRUST))
        vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
        ec2.create_security_group(GroupName=names.security_group, Description="pdfbatch workers", VpcId=vpc)
        self.client("logs").create_log_group(logGroupName=names.log_group)
        topic = self.client("sns").create_topic(Name=names.topic)["TopicArn"]
        queue = self.client("sqs").create_queue(QueueName=f"{names.topic}-messages")["QueueUrl"]
        arn = self.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        self.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        self.push_image()
        self.order("quota", {"code": SPOT_G_QUOTA, "value": 64, "default": 0})
        self.order("prices", PRICES)
        return self

    def push_image(self, tag: str = "latest") -> str:
        """Creates an image in the account's repository and returns its digest."""
        ecr = self.client("ecr")
        ecr.create_repository(repositoryName=self.names.repository)
        manifest = json.dumps(IMAGE_MANIFEST)
        put = ecr.put_image(repositoryName=self.names.repository, imageManifest=manifest, imageTag=tag)
        return str(put["image"]["imageId"]["imageDigest"])

    def messages(self) -> list[dict[str, Any]]:
        """The messages published to the topic since the last call: Subject, Message and more, as in SNS."""
        sqs, found = self.client("sqs"), list[dict[str, Any]]()
        queue = sqs.get_queue_url(QueueName=f"{self.names.topic}-messages")["QueueUrl"]
        while batch := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            for message in batch:
                found.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return found


@cache
def _client(service: str, endpoint: str) -> Any:
    return boto3.client(service, endpoint_url=endpoint, region_name=REGION)  # type: ignore[call-overload]


@pytest.fixture(scope="session")
def aws_server(no_account: None) -> Iterator[str]:
    """The URL of the server."""
    command = [sys.executable, "-m", "tests.fleet.aws_server"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        server.kill()


@pytest.fixture
def account(aws_server: str, monkeypatch: pytest.MonkeyPatch) -> Account:
    """An empty account that AWS_ENDPOINT_URL names during this test; not to be mixed with `s3_endpoint`."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_server)
    account = Account(aws_server)
    account.reset()
    return account


@pytest.fixture
def still_account(account: Account) -> Account:
    """A set-up account in which time advances only by `order("tick")`."""
    account.order("ticking", False)
    return account.ready()


@pytest.fixture
def places(account: Account) -> Places:
    return Places(account)
