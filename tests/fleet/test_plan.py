"""The decision before a launch: pure, from made-up answers of AWS."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from rich.console import Console

from pdfbatch.errors import NotReady, UsageError
from pdfbatch.fleet import pricing
from pdfbatch.fleet.aws_queries import family_of
from pdfbatch.fleet.plan import Decided, decide
from pdfbatch.fleet.values import Account, Ami, LaunchRequest, Pace, Plan, Quota, Range, Work, Zone
from pdfbatch.records import SourceDocument
from pdfbatch.runs.remaining import Remaining
from pdfbatch.views.fleet import plan_screen

RUN = "20261125T120000.000Z-beef"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
PRICES = {"us-east-1a": 0.19, "us-east-1b": 0.21}
SEED = Work(documents=4000, left=4000, bytes_left=4 * 2**30, sampled=24, pages_each=18)


def account(limit: float | None = 64, used: float = 0, prices: dict[str, float] = PRICES, gpu: str = "T4") -> Account:
    return Account(
        number="123456789012",
        region="us-east-1",
        zones=[
            Zone(
                name=zone,
                subnet=f"subnet-{zone[-1]}",
                prices={"g4dn.xlarge": prices[zone]} if zone in prices else {},
                score=9,
            )
            for zone in ("us-east-1a", "us-east-1b")
        ],
        vcpus={"g4dn.xlarge": 4},
        gpus={"g4dn.xlarge": gpu},
        quota=Quota(code="L-3819A6DF", name="All G and VT Spot Instance Requests", limit=limit, used=used),
        ami=Ami(id="ami-1"),
        image="123456789012.dkr.ecr.us-east-1.amazonaws.com/pdfbatch@sha256:" + "a" * 64,
        profile="pdfbatch-worker",
        security_groups=["sg-1"],
        log_group="/aws/ec2/pdf-workers/pdfbatch",
    )


def decision(
    asked: LaunchRequest | None = None,
    work: Work = SEED,
    found: Account | None = None,
    measured: Pace | None = None,
    engine: str = "dolphin",
) -> Decided:
    request = replace(
        asked or LaunchRequest(),
        source="s3://bucket/papers/",
        output="s3://bucket/markdown/",
        engine=engine,
        model="ByteDance/Dolphin-1.5@" + "c" * 40,
    )
    documents = [SourceDocument(f"{number:05}.pdf", 1000, f"e{number}") for number in range(work.left)]
    rest = Remaining(documents, work.documents - work.left, None)
    return decide(request, rest, work, found or account(), measured, run=RUN, now=NOW, environment={})


def plan(asked: LaunchRequest | None = None, work: Work = SEED, found: Account | None = None) -> Plan:
    return decision(asked, work, found).plan


def hour(spot: float) -> float:
    return pricing.instance_hour(spot, 100)


def shown(plan: Plan, width: int, details: bool = False) -> str:
    console = Console(width=width, file=StringIO(), color_system=None)
    console.print(plan_screen(plan, details))
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue()


# ── the seed example: 4,000 PDFs of 18 pages, 5 machines ─────────────────────────────────────────────────────────


def test_at_the_pace_of_the_seed_example_the_plan_has_its_hours_and_dollars() -> None:
    found = plan(LaunchRequest(pages_per_second=72_000 / 5 / 33 / 3600))
    assert found.pages == Range(low=72_000, high=72_000)
    assert found.hours is not None and found.cost is not None
    assert found.hours.low == pytest.approx(33 + pricing.BOOT_HOURS)
    assert found.hours.high == pytest.approx((33 + pricing.BOOT_HOURS) * pricing.UNLUCKY)
    assert found.cost.low == pytest.approx(found.hours.low * 5 * hour(0.19))
    assert found.cost.high == pytest.approx(found.hours.high * 5 * hour(0.21))
    assert found.worst_cost == pytest.approx(5 * hour(0.21 * 1.5) * 48)
    assert found.cost.high < found.worst_cost < 100


def test_the_hard_cap_is_workers_times_price_ceiling_times_hours_whatever_the_pages() -> None:
    assert plan(LaunchRequest(workers=3, max_hours=10)).worst_cost == pytest.approx(3 * hour(0.21 * 1.5) * 10)
    assert plan(LaunchRequest(workers=3, max_hours=10, max_price=0.526)).worst_cost == pytest.approx(
        3 * hour(0.526) * 10
    )


def test_on_demand_the_hard_cap_needs_no_ceiling() -> None:
    found = plan(LaunchRequest(workers=3, max_hours=10, market="on-demand"))
    assert found.worst_cost == pytest.approx(3 * hour(0.21) * 10) and found.max_prices == {}


@pytest.mark.parametrize(
    ("documents", "pages_each", "hours"), [(1, 21, 2.0), (4000, 18, 48.0), (100, 18, 4.0), (10, 18, 2.0)]
)
def test_the_default_of_max_hours_is_several_times_the_expected_time(
    documents: int, pages_each: float, hours: float
) -> None:
    work = Work(documents=documents, left=documents, sampled=1, pages_each=pages_each)
    found = plan(LaunchRequest(pages_per_second=0.12), work)
    assert found.max_hours == hours
    assert found.hours is not None and (found.max_hours >= 3 * found.hours.high or found.max_hours == 48)


@pytest.mark.parametrize(
    ("pages", "pace", "workers"), [(21, 1.0, 1), (3600, 1.0, 1), (7200, 1.0, 2), (72_000, 1.0, 5), (72_000, 0.12, 21)]
)
def test_the_suggested_workers_each_have_enough_work_for_a_boot(pages: int, pace: float, workers: int) -> None:
    assert pricing.suggested_workers(Range(low=pages, high=pages), Pace(low=pace, high=pace, source="")) == workers


def test_five_gpus_are_not_used_for_21_pages_unless_requested() -> None:
    work = Work(documents=7, left=7, sampled=7, pages_each=3)
    few = plan(LaunchRequest(fewer_workers=True), work)
    assert few.workers == 1 and any("--workers N" in note for note in few.notes)
    asked = plan(LaunchRequest(), work)
    assert asked.workers == 5 and "(suggested for this work: 1)" in shown(asked, 200)


def test_a_faster_gpu_has_a_faster_pace_than_a_t4() -> None:
    assert "the endpoint decides" in pricing.estimated_pace("endpoint", "T4", 4).source
    paces = {gpu: pricing.estimated_pace("dolphin", gpu, 4) for gpu in ("T4", "A10G", "A100", "Unheard-of")}
    assert paces["T4"].high < paces["A10G"].high < paces["A100"].high
    assert "like a T4" in paces["Unheard-of"].source


def test_disk_prices_are_those_of_the_region() -> None:
    assert pricing.instance_hour(0.19, 100, 0.152) - pricing.instance_hour(0.19, 100) == pytest.approx(
        (100 + 125 / 2) * (0.152 - 0.08) / 730
    )


def test_the_pace_is_an_estimate_until_it_is_measured_or_given() -> None:
    assert "not measured" in plan().pace.source
    measured = Pace(low=0.7, high=0.9, source="measured in run x")
    assert decision(measured=measured).plan.pace == measured
    assert decision(LaunchRequest(pages_per_second=2), measured=measured).plan.pace.low == 2


def test_a_plan_that_cannot_finish_in_time_says_so() -> None:
    assert any("cannot finish within 2 hours" in note for note in plan(LaunchRequest(max_hours=2)).notes)
    assert not any("within" in note for note in plan(LaunchRequest(max_hours=700)).notes)


@given(max_cost=st.floats(1, 1000), workers=st.integers(1, 16), spot=st.floats(0.05, 3), max_hours=st.floats(0.5, 720))
def test_max_cost_bounds_the_worst_case(max_cost: float, workers: int, spot: float, max_hours: float) -> None:
    prices = {"us-east-1a": spot, "us-east-1b": spot / 2}
    try:
        found = plan(
            LaunchRequest(workers=workers, max_cost=max_cost, max_hours=max_hours), found=account(prices=prices)
        )
    except UsageError as refusal:
        assert max_cost < workers * (hour(spot) + spot) * 0.5 and "--max-cost" in refusal.hint
        return
    assert found.worst_cost <= max_cost + 1e-6 or found.max_hours == max_hours
    assert found.worst_cost <= workers * (hour(spot) + spot) * max_hours + 1e-6
    assert abs(found.expiry - NOW - timedelta(hours=found.max_hours)) < timedelta(seconds=1)


def test_max_cost_needs_a_price() -> None:
    with pytest.raises(NotReady, match="No price is known"):
        plan(LaunchRequest(max_cost=10), found=account(prices={}))


def test_without_any_price_the_time_is_still_estimated_and_limited() -> None:
    found = plan(found=account(prices={}))
    assert found.cost is None and found.hours is not None
    assert any("no spot price" in warning for warning in found.warnings)
    assert "Hard cap unknown (" in shown(found, 120)


@given(documents=st.integers(1, 30), wanted=st.integers(1, 30), limit=st.integers(0, 200), used=st.integers(0, 200))
def test_workers_are_capped_by_documents_and_quota_and_every_cap_is_noted(
    documents: int, wanted: int, limit: int, used: int
) -> None:
    work = Work(documents=documents, left=documents, sampled=1, pages_each=3)
    room = max(0, limit - used) // 4
    assume(room > 0)  # else a requirement is missing, and nothing is decided
    found = plan(LaunchRequest(workers=wanted), work, account(limit, used))
    assert found.workers == min(documents, wanted, room)
    assert bool([note for note in found.notes if "instead of" in note]) == (found.workers < wanted)


def test_an_unknown_quota_caps_nothing() -> None:
    assert plan(LaunchRequest(workers=40), found=account(limit=None)).workers == 40


def test_a_varying_sample_gives_a_range_and_a_full_count_gives_a_number() -> None:
    some = Work(documents=1000, left=1000, sampled=24, pages_each=10, pages_each_error=1.5)
    assert pricing.pages_left(some) == Range(low=7000, high=13_000)
    every = Work(documents=3, left=3, sampled=3, pages_each=2)
    assert pricing.pages_left(every) == Range(low=6, high=6)
    assert pricing.pages_left(Work(documents=3, left=3)) is None


@pytest.mark.parametrize(
    ("types", "code"),
    [
        (["g4dn.xlarge", "g5.xlarge", "gr6.4xlarge", "g6f.xlarge"], "L-3819A6DF"),
        (["vt1.3xlarge"], "L-3819A6DF"),
        (["p3.2xlarge"], "L-7212CCBC"),
        (["c7i.xlarge", "m5.large", "t3.micro", "inferno"], "L-34B43A08"),
        (["inf2.xlarge"], "L-B5D1601B"),
    ],
)
def test_each_family_has_its_quota(types: list[str], code: str) -> None:
    assert family_of(types)[0] == code


def test_types_of_two_quotas_are_refused() -> None:
    with pytest.raises(UsageError, match="different quotas"):
        family_of(["g4dn.xlarge", "c7i.xlarge"])


@pytest.mark.parametrize(
    "tag", [("a b", "x"), ("a/b", "x"), ("aws:x", "y"), ("pdfbatch:run", "y"), ("", "x"), ("a", "ü😀")]
)
def test_a_tag_that_ec2_would_refuse_is_refused_first(tag: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match="is not allowed"):
        plan(LaunchRequest(tags=(tag,)))


def test_the_manifest_is_complete_from_the_start() -> None:
    frozen = decision(LaunchRequest(workers=3, limit=100)).frozen.manifest
    assert (frozen.run, frozen.total_workers) == (RUN, 3) and frozen.created == NOW
    assert (frozen.input, frozen.output) == ("s3://bucket/papers/", "s3://bucket/markdown/")
    assert frozen.engine == "dolphin" and frozen.model.startswith("ByteDance/")
    assert frozen.image == account().image and frozen.ami == "ami-1"
    assert frozen.documents == 100


def test_the_fleet_record_has_the_price_of_every_type_and_zone() -> None:
    record = decision().record
    assert record.prices == {
        "g4dn.xlarge@us-east-1a": pytest.approx(hour(0.19)),
        "g4dn.xlarge@us-east-1b": pytest.approx(hour(0.21)),
    }
    assert record.worst_price == pytest.approx(hour(0.21))


# ── the screen ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("width", [80, 120])
def test_the_screen_shows_everything_needed_before_confirming(width: int) -> None:
    made = plan(LaunchRequest(pages_per_second=0.12))
    text = " ".join(shown(made, width).split())
    for fact in (
        "4,000 PDFs to convert",
        "72,000 pages",
        "5 × g4dn.xlarge (T4) Spot, one EC2 Fleet per worker",
        "Time 33.5–38.5 h Cost $",
        f"Hard cap ${made.worst_cost:.2f} (48 h)",
        "20 vCPUs needed, 0 in use, 64 allowed (L-3819A6DF)",
    ):
        assert fact in text, fact


@pytest.mark.parametrize("width", [80, 120])
def test_the_details_show_prices_zones_ami_and_image(width: int) -> None:
    made = plan(LaunchRequest(pages_per_second=0.12))
    text = " ".join(shown(made, width, details=True).split())
    for fact in (
        "0.12 pages/s per worker, as given",
        "us-east-1a",
        "0.1900",
        "of 16,384 bytes",
        "AWS terminates them at 2026-11-27 12:00 UTC",
    ):
        assert fact in text, fact


def test_a_plan_and_its_question_fit_into_80_by_24() -> None:
    lines = shown(plan(work=DIGITAL), 80).splitlines()
    assert len(lines) <= 20 and max(map(len, lines)) <= 80


# ── the other engine's price ─────────────────────────────────────────────────────────────────────────────────────

DIGITAL = SEED.model_copy(update={"layers_looked_at": 72, "layers_healthy": 60})


@pytest.mark.parametrize(
    ("gpu", "vcpus", "share", "pace"),
    [
        (1.0, 4, 0.0, (1.0, 2.0)),
        (1.0, 4, 1.0, (1.8, 3.6)),
        (0.5, 4, 0.8, (0.5 / 0.32, 1.0 / 0.32)),
        (10.0, 4, 0.9, (2.0, 4.0)),
    ],
    ids=["no layers", "all layers: the CPU decides", "the model decides", "a fast model waits for the CPU"],
)
def test_the_pace_of_auto_is_limited_by_the_busier_of_cpu_and_model(
    gpu: float, vcpus: int, share: float, pace: tuple[float, float]
) -> None:
    assert pricing.auto_pace(gpu, 2 * gpu, vcpus, share) == pytest.approx(pace)


def test_a_plan_shows_what_auto_would_cost_where_text_layers_are_good() -> None:
    made = plan(work=DIGITAL)
    assert made.engine == "dolphin" and made.cost is not None and made.alternative is not None
    assert made.alternative.engine == "auto"
    assert made.alternative.cost.low < made.cost.low and made.alternative.cost.high < made.cost.high / 2
    screen = " ".join(shown(made, 200).split())
    cost = made.alternative.cost
    assert f"or about ${cost.low:.2f}–{cost.high:.2f} with --engine auto (suggested)" in screen
    assert "an estimate: 60 of 72 sampled pages have a good text layer" in screen


def test_a_plan_for_auto_uses_the_text_layers_and_shows_what_dolphin_would_cost() -> None:
    made = decision(work=DIGITAL, engine="auto").plan
    assert made.alternative is not None and made.cost is not None
    assert made.alternative.engine == "dolphin" and made.alternative.cost.high > 2 * made.cost.high
    assert "83 % of the sampled pages with a good text layer" in made.pace.source
    assert plan(work=DIGITAL).alternative == made.alternative.model_copy(update={"engine": "auto", "cost": made.cost})


@pytest.mark.parametrize("work", [SEED, Work(documents=9, left=9, layers_looked_at=3, layers_healthy=3)])
def test_without_sampled_text_layers_no_alternative_price_is_shown(work: Work) -> None:
    made = plan(work=work)
    assert made.alternative is None
    assert "--engine auto" not in shown(made, 200)


def test_documents_with_the_content_of_another_take_no_time() -> None:
    documents = [SourceDocument(f"{number:05}.pdf", 1000, f"e{number % 10}") for number in range(100)]
    work = Work(documents=100, left=100, sampled=10, pages_each=10)
    asked = replace(LaunchRequest(workers=2), source="s3://in/", output="s3://out/", engine="cpu")
    rest = Remaining(documents, 0, None)
    decided = decide(asked, rest, work, account(), None, run=RUN, now=NOW, environment={})
    assert (decided.plan.work.copies, decided.frozen.manifest.documents) == (90, 100)
    assert decided.plan.pages == pricing.pages_left(work.model_copy(update={"left": 10}))
