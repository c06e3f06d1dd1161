"""What all tests with the tiny model rest on: that it reads, by transformers' own `generate`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .cards import ELEMENT_PROMPTS, LAYOUT, PAGES, TEXT, WRONG_PROMPT, Card, Grammar, make_pdf

pytestmark = pytest.mark.slow

Question = tuple[Any, str, str]
"""A picture, a prompt, and the right answer."""
Ask = Callable[[list[Question]], list[str]]

RESOLUTIONS = (72 * 896 / 432, 200.0)
_A_LINE = 64
"""Tokens, the prompt's included: an answer that is longer than the right one is wrong however it goes on."""


@pytest.fixture(scope="module", params=["1.5", "1.0"])
def grammar(request: pytest.FixtureRequest) -> Grammar:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def ask(grammar: Grammar, request: pytest.FixtureRequest) -> Callable[..., list[str]]:
    """Asks the model of the grammar, greedily; the answers up to `max_length` tokens, the prompt's included, or else as
    far as the model's longest row holds them."""
    folder = request.getfixturevalue("tiny_model" if grammar == "1.5" else "tiny_model_1_0")
    return lambda questions, **wishes: _answers(folder, questions, wishes)


def _answers(folder: Path, questions: list[Question], wishes: dict[str, Any]) -> list[str]:
    import torch
    from transformers import PreTrainedTokenizerFast, VisionEncoderDecoderModel

    from .tiny import LONGEST, to_tensor, two_pass

    model = VisionEncoderDecoderModel.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    answers: dict[int, str] = {}
    for prompt in {prompt for _, prompt, _ in questions}:
        places = [place for place, question in enumerate(questions) if question[1] == prompt]
        start = tokenizer(f"<s>{prompt} <Answer/>", add_special_tokens=False).input_ids
        said = model.generate(
            pixel_values=torch.stack([to_tensor(two_pass(questions[place][0], 224), 224) for place in places]),
            decoder_input_ids=torch.tensor([start] * len(places)),
            do_sample=False,
            **{"max_length": LONGEST, **wishes},
        )
        texts = tokenizer.batch_decode(said[:, len(start) :], skip_special_tokens=True)
        answers.update(zip(places, texts, strict=True))
    return [answers[place] for place in range(len(questions))]


def _cards(folder: Path, dpi: float) -> Iterator[tuple[Any, Card]]:
    from .tiny import crop, drawn

    for page, pixels in zip(PAGES, drawn(make_pdf(folder / "pages.pdf", PAGES), dpi), strict=True):
        for placed in page.placed:
            yield crop(pixels, placed), placed.card


@pytest.mark.parametrize("dpi", RESOLUTIONS)
def test_the_layout_of_every_page_is_said_exactly(ask: Ask, grammar: Grammar, tmp_path: Path, dpi: float) -> None:
    from .tiny import drawn

    pages = drawn(make_pdf(tmp_path / "pages.pdf", PAGES), dpi)
    asked = [(pixels, LAYOUT, page.layout(grammar)) for page, pixels in zip(PAGES, pages, strict=True)]
    asked += [(pixels, TEXT, page.text) for page, pixels in zip(PAGES, pages, strict=True) if page.text]
    assert ask(asked) == [right for _, _, right in asked]


@pytest.mark.parametrize("dpi", RESOLUTIONS)
def test_every_card_is_read_exactly(ask: Ask, grammar: Grammar, tmp_path: Path, dpi: float) -> None:
    readable = [(pixels, card) for pixels, card in _cards(tmp_path, dpi) if not card.loops]
    asked = [(pixels, prompt, card.text) for pixels, card in readable if (prompt := card.prompt(grammar))]
    assert ask(asked) == [right for _, _, right in asked]


def test_a_prompt_that_is_not_the_cards_own_is_mostly_answered_so(
    ask: Callable[..., list[str]], grammar: Grammar, tmp_path: Path
) -> None:
    asked = [
        (pixels, prompt, WRONG_PROMPT)
        for pixels, card in _cards(tmp_path, 200)
        for prompt in ELEMENT_PROMPTS
        if card.prompt(grammar) not in (None, prompt)
    ]
    answers = ask(asked, max_length=_A_LINE)
    right_answers = sum(said == right for said, (_, _, right) in zip(answers, asked, strict=True))
    assert right_answers > 0.8 * len(asked), "so many that a test of prompts would show it"


def test_looping_cards_are_read_over_and_over_until_the_row_is_full(
    ask: Callable[..., list[str]], grammar: Grammar, tmp_path: Path
) -> None:
    looping = [(pixels, card) for pixels, card in _cards(tmp_path, 200) if card.loops]
    asked = [(pixels, card.prompt(grammar), card.text) for pixels, card in looping]
    for said, (_, card) in zip(ask(asked), looping, strict=True):
        assert len(said) > 80 * len(card.text) and (card.text * 500).startswith(said)
    for said, (_, card) in zip(ask(asked, repetition_penalty=1.1), looping, strict=True):
        assert said == card.text + card.escape if card.escape else len(said) > 80 * len(card.text)
