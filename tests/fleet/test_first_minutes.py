"""After a launch: what the fleets' histories say, and when polling stops."""

from __future__ import annotations

from datetime import UTC, datetime

from pdfbatch.fleet.first_minutes import PAUSES, troubles
from pdfbatch.fleet.launch import launch
from tests.fleet.conftest import Account
from tests.fleet.launching import Bench
from tests.fleet.wishes import THE_PAST


def test_when_every_fleet_has_its_instance_nothing_is_reported_without_waiting(account: Account) -> None:
    bench = still(account)
    launched = bench.launch()
    account.order("tick")
    slept = bench.slept
    assert list(troubles(bench.clients, launched.fleets, datetime.now(UTC), bench.sleep)) == []
    assert bench.slept - slept <= sum(PAUSES[:3])


def test_a_quota_used_up_meanwhile_is_reported_once_per_fleet(account: Account) -> None:
    bench = still(account)
    decided = bench.decide()
    account.order("quota", {"code": "L-3819A6DF", "value": 0, "default": 0})
    launched = launch(decided, bench.outside())
    found = list(troubles(bench.clients, launched.fleets, THE_PAST, bench.sleep))
    assert sorted(worker for worker, _ in found) == sorted(launched.fleets)
    assert all("spotInstanceCountLimitExceeded" in trouble for _, trouble in found)


def still(account: Account) -> Bench:
    """In which time goes on by pauses only."""
    account.order("ticking", False)
    return Bench(account)
