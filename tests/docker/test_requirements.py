"""The image installs what is pinned and nothing else, so the pins must hold all that pdfbatch asks for."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
BASE = PROJECT["dependencies"] + EXTRAS["view"] + EXTRAS["analysis"] + EXTRAS["events"]
EXCLUDED = (ROOT / "docker" / "requirements" / "excludes.txt").read_text().split()


def pins(engine: str) -> dict[str, str]:
    text = (ROOT / "docker" / "requirements" / f"{engine}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize(("engine", "wanted"), [("cpu", BASE), ("dolphin", BASE + EXTRAS["dolphin"])])
def test_every_requirement_is_pinned_at_a_version_that_will_do(engine: str, wanted: list[str]) -> None:
    pinned = pins(engine)
    asked = [Requirement(text) for text in wanted]
    missing = [str(one) for one in asked if one.name not in EXCLUDED and pinned.get(one.name, "") not in one.specifier]
    assert missing == []


def test_both_images_carry_the_same_versions() -> None:
    assert pins("cpu").items() <= pins("dolphin").items()


def test_torch_is_left_to_its_own_layer() -> None:
    assert [name for name in pins("dolphin") if name == "torch" or name.startswith(("nvidia", "triton"))] == []


def test_an_advisory_is_left_out_only_for_a_reason() -> None:
    lines = (ROOT / "docker" / "requirements" / "advisories.txt").read_text().splitlines()
    entries = [line for line in lines if line and not line.startswith("#")]
    assert [line for line in entries if not re.fullmatch(r"[A-Z]+-[\w-]+ +\S.{19,}", line)] == []


def test_every_action_of_the_workflows_is_pinned_by_its_commit_and_named_by_its_version() -> None:
    used = re.findall(r"uses: (.+)", (ROOT / ".github" / "workflows" / "ci.yml").read_text())
    assert used and all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+(\.\d+)*", each) for each in used)
