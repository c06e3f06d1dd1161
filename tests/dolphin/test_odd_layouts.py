"""Layouts as real models write them at their worst, from a PDF to Markdown, by a tokenizer full of special tokens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.dolphin import cards, odd_cards
from tests.dolphin.local_runs import LocalRun

pytestmark = pytest.mark.slow

ODD = """\
<!-- page 1 -->

# On the counting of waves

On 2026.11.25 at 07:41 (41, 42; 43).

<table>
<tr><td colspan="2">2026</td></tr>
<tr><td>1</td><td>41</td></tr>
</table>

$$
n = 41 (7.5)
$$

![Figure 1: the harbour at noon](odd/figures/page-0001-006.png)

Figure 1: the harbour at noon

潮汐會的記錄 1901

A wave is counted when it breaks.
"""


def test_odd_layouts_and_a_tokenizer_full_of_special_tokens_lose_nothing(
    tiny_model_odd: Path, tmp_path: Path, local_run: LocalRun
) -> None:
    """Tags, nested and overlapping boxes, one that is written twice and one from right to left."""
    out = tmp_path / "out"
    (tmp_path / "in").mkdir()
    cards.make_pdf(tmp_path / "in" / "odd.pdf", odd_cards.PAGES)
    ended = local_run(tmp_path / "in", out, tiny_model_odd)
    assert ended.returncode == 0, ended.stderr
    assert (out / "odd.md").read_text() == ODD
    elements = json.loads((out / "odd.json").read_text())["pages"][0]["elements"]
    assert [element["tags"] for element in elements if element["label"] == "table"] == [["meta_num"]]


def test_the_odd_models_prompts_and_layout_are_spelled_digit_by_digit(tiny_model_odd: Path) -> None:
    from pdfbatch.engines.dolphin.model import load

    tokenizer = load(tiny_model_odd).tokenizer
    layout = tokenizer.prompt(odd_cards.ODD.layout("1.5"))
    assert 20 <= len(layout) / len(odd_cards.ODD.placed) <= 30, "tokens of an element, as in the real layouts"
