"""What becomes of a launch as AWS goes on: prices, keys, capacity and expiry, each as the simulated account has them."""

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
