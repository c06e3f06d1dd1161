"""Random pages with good and bad fonts, text painted in every way, unusual and hidden lines: if a page is ok, every
visible sentence is read and no hidden one."""

from __future__ import annotations

import random

import pymupdf
import pytest

from pdfbatch.documents.reading import read_page
from pdfbatch.documents.sight.letters import bare, likeness
from pdfbatch.records import ReadOptions
from tests.documents.sight_pages import (
    HIDERS,
    PAINTERS,
    SHOWERS,
    blank,
    half_missing,
    honest,
    saved,
    shifted,
    shuffled,
    swapped,
    write,
    write_mapped,
)
from tests.pages import markdown_of

WORDS = [
    "harbour",
    "captain",
    "winter",
    "office",
    "pupils",
    "lamp",
    "morning",
    "gulls",
    "boats",
    "river",
    "bakers",
    "bread",
    "market",
    "sunrise",
    "window",
    "garden",
    "letter",
    "answer",
    "summer",
    "bridge",
    "copper",
    "silver",
    "mountain",
    "village",
    "teacher",
    "engine",
    "paper",
    "candle",
    "orchard",
    "station",
    "thunder",
]
MAPS = [honest, shifted(29), shifted(7), swapped("aeo", "tns"), half_missing, lambda char: " "]
FEW, MANY = 16, 500
AT_ONCE = 4


def sentence(chance: random.Random) -> str:
    words = [chance.choice(WORDS) for _ in range(7)]
    return f"{' '.join(words).capitalize()}."


def random_page(seed: int) -> tuple[pymupdf.Page, list[str], list[str]]:
    """Return a page, the sentences that it shows, and those that it hides."""
    chance = random.Random(seed)
    page = blank(420, 560)
    shown = [sentence(chance) for _ in range(3)]
    hidden: list[str] = []
    write(page, shown, top=50, fontname=chance.choice(["helv", "tiro", "cour"]), size=9)
    top = 110.0
    for kind in chance.sample(["map", "paint", "hide", "show", "hide", "show"], 4):
        lines = [sentence(chance) for _ in range(3)]
        if kind == "map":
            write_mapped(page, lines, top, MAPS[-2] if seed % 9 == 0 else chance.choice([*MAPS[:4], shuffled(seed)]))
            shown += lines
        elif kind == "paint":
            chance.choice(PAINTERS)(page, lines, top)
            shown += lines
        elif kind == "hide":
            chance.choice(HIDERS)(page, lines[0], top + 30)
            hidden.append(lines[0])
        else:
            chance.choice(SHOWERS)(page, lines[0], top + 30)
            shown.append(lines[0])
        top += 100
    page.set_rotation(chance.choice([0, 0, 0, 90]))
    return page, shown, hidden


def faults_of(seed: int, tmp_path) -> list[str]:
    page, shown, hidden = random_page(seed)
    result = read_page(saved(page, tmp_path / f"{seed}.pdf"), 1).page
    text = bare(markdown_of(result, ReadOptions(keep_headers=True)))
    missing = [f"{seed} lacks {line!r}" for line in shown if not holds(text, line)]
    return missing + [f"{seed} has {line!r}" for line in hidden if holds(text, line)]


def holds(text: str, line: str) -> bool:
    """Compare letter by letter, allowing a letter or two that the recogniser misread."""
    line = bare(line)
    if line in text:
        return True
    starts = range(0, max(1, len(text) - len(line) + 1))
    return any(text[at : at + 4] == line[:4] and likeness(text[at : at + len(line)], line) > 0.93 for at in starts)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, FEW, AT_ONCE))
def test_visible_text_is_read_and_hidden_text_is_not(tmp_path, first):
    assert [fault for seed in range(first, first + AT_ONCE) for fault in faults_of(seed, tmp_path)] == []


@pytest.mark.long
@pytest.mark.parametrize("first", range(FEW, FEW + MANY, 20))
def test_visible_text_is_read_on_many_pages(tmp_path, first):
    assert [fault for seed in range(first, first + 20) for fault in faults_of(seed, tmp_path)] == []


def test_a_hidden_sentence_would_be_noticed():
    assert holds(bare("One. Two three four five six. Seven."), "Two three four five six.")
    assert not holds(bare("One. Seven."), "Two three four five six.")
