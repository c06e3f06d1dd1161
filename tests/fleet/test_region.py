"""The default region of a launch: that of the output's bucket."""

from __future__ import annotations

import pytest

from pdfbatch.errors import NotReady
from pdfbatch.fleet.clients import Clients
from tests.fleet.conftest import Account


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_without_a_region_the_buckets_is_used(account: Account, monkeypatch: pytest.MonkeyPatch, region: str) -> None:
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    account.client("s3").create_bucket(Bucket="far", **where)
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    clients = Clients(bucket="far")
    assert clients.region == region
    assert clients.ec2.meta.region_name == region


def test_a_region_that_is_set_wins_over_the_buckets(account: Account) -> None:
    assert Clients(bucket="far").region == "us-east-1"


def test_without_both_it_says_how_to_set_one(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(NotReady, match="no AWS region is set"):
        _ = Clients().region
