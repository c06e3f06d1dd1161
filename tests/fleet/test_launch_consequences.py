"""What becomes of a launch as AWS goes on: keys, prices, capacity and expiry."""

from __future__ import annotations

import pytest

from pdfbatch.fleet.down import end
from pdfbatch.fleet.values import Wish
from tests.fleet.conftest import SPOT_G_QUOTA, Account
from tests.fleet.launching import Bench


@pytest.fixture
def bench(account: Account) -> Bench:
    account.order("ticking", False)
    return Bench(account)


def test_down_removes_more_launch_templates_than_aws_lists_on_one_page(account: Account) -> None:
    bench = Bench(account, documents=17)
    account.order("quota", {"code": SPOT_G_QUOTA, "value": 68})
    bench.launch(Wish(workers=17))
    assert end(bench.clients, lambda _: True, bench.sleep).templates == 17
    assert account.client("ec2").describe_launch_templates()["LaunchTemplates"] == []


def test_instances_live_though_the_accounts_default_key_is_one_the_fleet_may_not_use(bench: Bench) -> None:
    key = bench.account.client("kms").create_key()["KeyMetadata"]["Arn"]
    bench.account.client("ec2").modify_ebs_default_kms_key_id(KmsKeyId=key)
    bench.launch()
    bench.sleep(1)
    assert len(bench.account.instances()) == 5
