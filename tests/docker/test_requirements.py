"""The image installs what is pinned and nothing else, so the pins must hold all that pdfbatch asks for."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BASE = PROJECT["dependencies"]
EXCLUDED = (ROOT / "docker" / "requirements" / "excludes.txt").read_text().split()


def pins(engine: str) -> dict[str, str]:
    text = (ROOT / "docker" / "requirements" / f"{engine}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize(
    ("engine", "wanted"), [("cpu", BASE), ("dolphin", BASE + PROJECT["optional-dependencies"]["dolphin"])]
)
def test_every_requirement_is_pinned_at_a_version_that_will_do(engine: str, wanted: list[str]) -> None:
    pinned = pins(engine)
    asked = [Requirement(text) for text in wanted]
    missing = [str(one) for one in asked if one.name not in EXCLUDED and pinned.get(one.name, "") not in one.specifier]
    assert missing == []


def test_both_images_carry_the_same_versions() -> None:
    assert pins("cpu").items() <= pins("dolphin").items()


def test_torch_is_left_to_its_own_layer() -> None:
    assert [name for name in pins("dolphin") if name == "torch" or name.startswith(("nvidia", "triton"))] == []
