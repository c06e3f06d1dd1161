"""Recipes of the cookbook that need AWS, run as they are written against the simulated account."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pdfbatch.runs import manifest
from pdfbatch.runs.orders import load_order
from pdfbatch.store import open_store
from tests.docs.lines import ROOT, calls
from tests.fleet.batch_bench import set_up_batch
from tests.fleet.places import Places
from tests.program import Program
from tests.triage.pages import two_outputs

GROUP = "pdfbatch"
"""The schedules of the stack."""


def recipe(number: int, **places: str) -> list[list[str]]:
    """Returns the commands of a recipe with other places."""
    text = (ROOT / "docs" / "cookbook.md").read_text()
    section = text.split(f"\n## {number}. ")[1].split("\n## ")[0]
    found = list(calls(section))
    return [[places.get(word, word) for word in words] for words in found]


def run(pdfbatch: Program, words: list[str], **environment: str) -> str:
    asks = words[0] in ("launch", "scale", "retry-failures", "schedule") and words[1] != "list"
    ended = pdfbatch(*words, *(["--yes"] if asks else []), **environment)
    assert ended.returncode == 0, (words, ended.stderr)
    return ended.stdout


@pytest.mark.slow
def test_a_tool_of_ones_own_runs_in_a_pool_of_workers(places: Places, pdfbatch: Program) -> None:
    for number in range(3):
        open_store(places.input).put(f"{number}.png", b"a picture")
    of = {"s3://papers/scans/": places.input, "s3://papers/text/": places.output}
    launch, status, scale, retry = recipe(15, **of)
    image = launch.index("--image")
    run(pdfbatch, [*launch[:image], *launch[image + 2 :]])  # the account has only the one that `make image push` pushes
    first = manifest.current(places.store) or ""
    frozen = manifest.load(places.store, first)
    assert frozen.is_pool and frozen.options.command.line == "mytool {in} {out}"
    run(pdfbatch, scale)
    assert status[-1] == "--watch" and "0 of 4 workers" in run(pdfbatch, status[:-1])
    pdfbatch("down", places.output, "--yes")
    places.finish(first)
    run(pdfbatch, retry)


def test_a_schedule_makes_pictures_and_statistics_of_what_is_new(places: Places, pdfbatch: Program) -> None:
    set_up_batch(places.account)
    scheduler = places.account.client("scheduler")
    scheduler.create_schedule_group(Name=GROUP)
    setup, schedule, listed = recipe(16, **{"s3://papers/pdfs/": places.input, "s3://papers/md/": places.output})
    assert "--schedules" in setup
    run(pdfbatch, [*schedule, "--engine", "cpu"])
    also = load_order(places.store, "nightly").manifest.options.also
    assert {each.name: each.options.get("format") for each in also} == {"images": "webp", "analysis": None}
    assert places.output in run(pdfbatch, listed)
    found = scheduler.get_schedule(GroupName=GROUP, Name="nightly")
    assert found["ScheduleExpression"] == "cron(0 3 * * ? *)"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow's libraries have many
def test_a_triage_is_trained_named_by_its_alias_and_frozen_into_a_schedule(
    places: Places, pdfbatch: Program, tmp_path: Path
) -> None:
    set_up_batch(places.account)
    places.account.client("scheduler").create_schedule_group(Name=GROUP)
    bucket = places.input.removesuffix("in/")
    two_outputs(open_store(f"{bucket}cpu/"), open_store(f"{bucket}dolphin/"))
    of = {
        "s3://papers/sample-cpu/": f"{bucket}cpu/",
        "s3://papers/sample-dolphin/": f"{bucket}dolphin/",
        "s3://papers/pdfs/": places.input,
        "s3://papers/md/": places.output,
    }
    *launches, train, schedule, score = recipe(17, **of)
    assert [words[0] for words in launches] == ["launch", "launch"]
    tracking = {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    run(pdfbatch, train, **tracking)
    run(pdfbatch, schedule, **tracking)
    frozen = load_order(places.store, "nightly").manifest.options.triage
    assert frozen is not None and frozen.name == "models:/pdfbatch-triage/1"
    assert "models:/pdfbatch-triage/1" in run(pdfbatch, [score[0], score[1], f"{bucket}cpu/", *score[3:]], **tracking)


def test_each_recipe_has_a_number_of_its_own() -> None:
    text = (ROOT / "docs" / "cookbook.md").read_text()
    numbers = [int(number) for number in re.findall(r"^## (\d+)\. ", text, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
