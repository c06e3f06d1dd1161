"""The manual: its generated pages are up to date, it builds, and its links lead somewhere."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import pdfbatch
from docs.generate.__main__ import DOCS, PAGES
from tests.docs import lines
from tests.docs.lines import ROOT

LINK = re.compile(r"""\]\(([^)#\s]+)(?:#[^)]*)?\)|(?:src|srcset)="([^"]+)\"""")
LARGEST_PICTURE = 300_000


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_matches_the_code(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), "run `make docs`"


@pytest.mark.slow
def test_the_manual_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    built = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True
    )
    assert (built.returncode, built.stderr) == (0, "")
    site = tmp_path / "site"
    fetched = re.compile(r'<(?:script|img|link rel="stylesheet")[^>]*(?:src|href)="https?:')
    assert {page.name for page in site.rglob("*.html") if fetched.search(page.read_text())} == set()


def test_every_page_is_in_the_contents() -> None:
    text = re.sub(r"^theme:.*?(?=^\w)", "", (ROOT / "mkdocs.yml").read_text(), flags=re.M | re.S)
    listed = {name for entry in yaml.safe_load(text)["nav"] for name in entry.values()}
    assert {path.name for path in DOCS.glob("*.md")} == listed


@pytest.mark.parametrize("page", lines.PAGES, ids=lambda path: path.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    targets = [first or second for first, second in LINK.findall(page.read_text())]
    assert [link for link in targets if "://" not in link and not (page.parent / link).exists()] == []


def test_the_pictures_are_small_and_fetch_nothing() -> None:
    pictures = sorted((DOCS / "pictures").iterdir())
    assert [path.name for path in pictures] == [
        "page-dark.png",
        "page-light.png",
        "status-dark.svg",
        "status-light.svg",
    ]
    assert all(path.stat().st_size < LARGEST_PICTURE for path in pictures)
    drawn = "".join(path.read_text() for path in pictures if path.suffix == ".svg")
    assert not re.search(r"url\(['\"]?https?:|href=\"https?:", drawn)


def test_the_version_is_the_same_everywhere() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert pdfbatch.__version__ == declared
    assert f"\n## {declared} - " in (ROOT / "CHANGELOG.md").read_text()
