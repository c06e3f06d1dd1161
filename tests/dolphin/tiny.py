"""A model of Dolphin's own classes, small enough to be trained on the spot, that reads the pages of `cards.py`.

Only the decoder is trained, on what a random encoder makes of the pictures: random features tell striped colours apart
well enough, and each picture has to be encoded only once. The decoder is an ordinary one and must look at the picture
for every answer. Needs torch and transformers; the folder can be loaded by transformers 4.57 and 5.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pymupdf
import torch  # noqa: TID253 - whoever imports this module has seen that it is there
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from pdfbatch.documents.pdf.raster import rasterise
from pdfbatch.engines.dolphin.images import two_pass

from . import cards, odd_cards
from .cards import Card, Grammar, Placed, SamplePage
from .muon import Muon
from .networks import END, PAD, small_model

LONGEST = 512
"""Tokens that a row can hold, its prompt included."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, as Dolphin's image processor has them."""

IGNORED = -100
_SPECIALS = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
_PROMPT_END = " <Answer/>"
_PIECES = r"\]?\[[A-Z_]+\]\[?|\]\[\w+\]|\d+(?:\.\d+)?,?|</?\w+>| ?\p{L}+|\s|[^\s\p{L}\d]"
"""Few tokens for a layout or a table: every token of an answer costs time in training."""

_RESOLUTIONS = (72 * 896 / 432, 200.0, 100.0)
_SLACK = 5
"""Units by which the edge of a crop may be off."""
_GOES_ON = 0.62
"""How much a looping card that has an escape prefers to go on: little enough for a small penalty to turn it."""
_OPENING = 16
"""Tokens of a loop that are trained as often as ordinary answers; the rest is expensive, and easily learned then."""
_STEPS = 90
_RATES = {Muon: 0.06, torch.optim.AdamW: 8e-3}
"""Muon learns the matrices of the layers in a third of the steps that AdamW, which learns everything else, needs."""
_LOOP_EVERY = 8
"""Loops are expensive, and easily learned: they are not in every step."""
_MENDINGS, _MENDING_STEPS, _MENDING_RATE = 12, 10, 0.05
"""Rounds after the course, over what of the exam is still misread, and the share of the rates there."""
_AT_ONCE = 32
_SHORT = 20
"""Tokens of an answer."""

Picture = npt.NDArray[np.uint8]


class Deck(NamedTuple):
    """What a model learns: cards, pages of them, and special tokens of its tokenizer."""

    cards: Sequence[Card]
    pages: Sequence[SamplePage]
    specials: Sequence[str] = ()
    batches: Sequence[dict[str, int]] = (
        {"short": 22, "wrong prompt": 4, "not text": 2},
        {"long": 3, "layout": 7},
        {"loop": 2},
    )
    """The lessons of a step, apart by length, as a batch takes as long as its longest answer."""


PLAIN = Deck(cards.CARDS, cards.PAGES)
ODD = Deck(
    odd_cards.CARDS * 2,
    odd_cards.PAGES,
    odd_cards.SPECIALS,
    ({"short": 22, "wrong prompt": 4, "not text": 2}, {"long": 2}, {"layout": 2}),
)


class Lesson(NamedTuple):
    """A picture's number, a prompt, and the answer to it. At each place of it the `likely` token is to be said, and
    the `other` one to be nearly as likely; both are the answer's own but where a loop may be left."""

    picture: int
    prompt: list[int]
    answer: list[int]
    likely: list[int]
    other: list[int]

    @property
    def length(self) -> int:
        return len(self.prompt) + len(self.answer)


def build(folder: Path, grammar: Grammar = "1.5", seed: int = 0, image_size: int = 224, deck: Deck = PLAIN) -> Path:
    """Train a model and save it into `folder`; gives back `folder`. The same seed gives the same model on one machine.

    `image_size` (pixels, a multiple of 32) is the side of the square pictures that the model sees.
    """
    torch.manual_seed(seed)
    chance = random.Random(seed)
    tokenizer = _tokenizer(deck)
    model = _model(tokenizer.get_vocab_size(), image_size)
    pictures, lessons, exam = _lessons(folder / "lessons.pdf", tokenizer, grammar, image_size, chance, deck)
    _train(model, _encoded(model, pictures, image_size), _by_kind(lessons, tokenizer), deck.batches, exam, chance)
    _save(folder, model, tokenizer, image_size, deck)
    return folder


def to_tensor(picture: Picture, side: int) -> torch.Tensor:
    """3 x side x side, normalised, the picture centred on black: what Dolphin's image processor does at its end."""
    square = np.zeros((side, side, 3), dtype=np.float32)
    height, width = picture.shape[:2]
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = picture / 255
    return torch.from_numpy(((square - np.float32(MEAN)) / np.float32(STD)).transpose(2, 0, 1).copy())


def drawn(path: Path, dpi: float) -> list[Picture]:
    """The pages of a PDF."""
    with pymupdf.open(path) as document:
        return [rasterise(page, dpi).pixels for page in document]


def crop(pixels: Picture, placed: Placed, slack: Sequence[float] = (0, 0, 0, 0)) -> Picture:
    """The card as cut from a page's picture, each edge moved by `slack` units."""
    height, width = pixels.shape[:2]
    side = max(height, width)
    left, top = (side - width) / 2, (side - height) / 2
    edges = [(place + off) / cards.SIDE * side for place, off in zip(placed.quad, slack, strict=True)]
    x0, x1 = sorted(max(0, round(edge - left)) for edge in edges[::2])
    y0, y1 = sorted(max(0, round(edge - top)) for edge in edges[1::2])
    return pixels[y0:y1, x0:x1]


def _tokenizer(deck: Deck) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    words = [cards.LAYOUT, *cards.ELEMENT_PROMPTS, cards.WRONG_PROMPT]
    words += [word for card in deck.cards for word in (card.text, card.escape)]
    words += [word for page in deck.pages for word in (page.layout("1.0"), page.layout("1.5"), page.text)]
    trainer = trainers.BpeTrainer(
        vocab_size=2000,
        min_frequency=1,
        special_tokens=[*_SPECIALS.values(), *deck.specials, _PROMPT_END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(words, trainer)
    return tokenizer


def _model(words: int, image_size: int) -> Any:
    model = small_model(words, LONGEST, image_size, dropout=0.0)
    with torch.no_grad():  # neighbours must mix, or left and right of a card would look the same
        for name, weight in model.encoder.named_parameters():
            if "relative_position_bias" in name:
                weight.normal_(0, 3)
    return model


def _lessons(
    path: Path, tokenizer: Tokenizer, grammar: Grammar, side: int, chance: random.Random, deck: Deck
) -> tuple[list[Picture], list[Lesson], list[Lesson]]:
    """The pictures, all lessons of them, and those that must be known in the end: the sample pages, cut exactly."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pages = [*deck.pages, *(_shuffled(page, chance, deck) for page in [*deck.pages] * 2)]
    cards.make_pdf(path, pages)
    pictures: list[Picture] = []
    lessons: list[Lesson] = []
    exam: list[Lesson] = []
    for dpi in _RESOLUTIONS:
        for page, pixels in zip(pages, drawn(path, dpi), strict=True):
            for picture, questions in _questions(page, pixels, grammar, chance, _SLACK, deck):
                lessons += (
                    lesson for asked in questions for lesson in _asked(tokenizer, len(pictures), *asked, chance)
                )
                pictures.append(two_pass(picture, side))
    for dpi in (72 * side / cards.LONG, 200.0):
        for page, pixels in zip(deck.pages, drawn(path, dpi), strict=False):
            for slack in (0, _SLACK):  # 1.0's boxes are widened until no edge cuts ink
                for picture, questions in _questions(page, pixels, grammar, chance, slack, deck):
                    asked = questions if picture is pixels else questions[:1]
                    exam += (lesson for one in asked for lesson in _asked(tokenizer, len(pictures), *one, chance))
                    pictures.append(two_pass(picture, side))
    path.unlink()
    return pictures, lessons + exam, exam


def _shuffled(page: SamplePage, chance: random.Random, deck: Deck) -> SamplePage:
    """The page with any cards at its places, so that its layout can be known by the mark alone."""
    return page.with_cards(chance.sample(deck.cards, len(page.placed)))


Question = tuple[str, str | Card]


def _questions(
    page: SamplePage, pixels: Picture, grammar: Grammar, chance: random.Random, slack: float, deck: Deck
) -> Iterator[tuple[Picture, list[Question]]]:
    whole: list[Question] = [(cards.LAYOUT, deck.pages[[p.mark for p in deck.pages].index(page.mark)].layout(grammar))]
    yield pixels, whole + ([(cards.TEXT, page.text)] if page.text else [])
    for placed in page.placed:
        right = placed.card.prompt(grammar)
        if right is not None:
            asked: list[Question] = [(right, placed.card)]
            asked += [(prompt, cards.WRONG_PROMPT) for prompt in cards.ELEMENT_PROMPTS if prompt != right]
            yield crop(pixels, placed, [chance.uniform(-slack, slack) for _ in range(4)]), asked


def _asked(
    tokenizer: Tokenizer, picture: int, prompt: str, answer: str | Card, chance: random.Random
) -> Iterator[Lesson]:
    start = tokenizer.encode(f"<s>{prompt}{_PROMPT_END}", add_special_tokens=False).ids
    text = answer.text if isinstance(answer, Card) else answer
    ids = tokenizer.encode(text).ids
    if not isinstance(answer, Card) or not answer.loops:
        yield _plain(picture, start, [*ids, END])
        return
    turns = tokenizer.encode(text * LONGEST).ids[: LONGEST - len(start)]
    other = turns
    if answer.escape:
        escape = [*tokenizer.encode(answer.escape).ids, END]
        other = [escape[0] if place and place % len(ids) == 0 else token for place, token in enumerate(turns)]
        end = len(ids) * chance.randint(1, 6)
        yield Lesson(picture, start, turns[:end] + escape, turns[: end + 1] + escape[1:], other[:end] + escape)
    for length in (_OPENING, len(turns)):
        yield Lesson(picture, start, turns[:length], turns[:length], other[:length])


def _plain(picture: int, prompt: list[int], answer: list[int]) -> Lesson:
    return Lesson(picture, prompt, answer, answer, answer)


def _encoded(model: Any, pictures: Sequence[Picture], side: int) -> torch.Tensor:
    model.eval()
    parts = [pictures[start : start + 16] for start in range(0, len(pictures), 16)]
    with torch.inference_mode():
        encoded = [model.encoder(torch.stack([to_tensor(p, side) for p in part])).last_hidden_state for part in parts]
    return torch.cat(encoded).clone()


def _train(
    model: Any,
    encoded: torch.Tensor,
    kinds: dict[str, list[Lesson]],
    batches: Sequence[dict[str, int]],
    exam: Sequence[Lesson],
    chance: random.Random,
) -> None:
    weights = list(model.decoder.parameters())
    optimizers = _optimizers(model.decoder)
    schedules = [
        torch.optim.lr_scheduler.OneCycleLR(
            one, _RATES[type(one)], total_steps=_STEPS, pct_start=0.1, cycle_momentum=False
        )
        for one in optimizers
    ]

    def learn(batches: list[list[Lesson]]) -> None:
        model.decoder.zero_grad()
        for batch in batches:
            _loss(model, encoded, batch).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        for optimizer in optimizers:
            optimizer.step()

    def mixed(step: int) -> list[list[Lesson]]:
        parts = [part for part in batches if "loop" not in part or step % _LOOP_EVERY == 0]
        return [[lesson for kind in part for lesson in chance.choices(kinds[kind], k=part[kind])] for part in parts]

    for step in range(_STEPS):
        learn(mixed(step))
        for schedule in schedules:
            schedule.step()
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = _MENDING_RATE * _RATES[type(optimizer)]
    for _ in range(_MENDINGS):
        wrong = _misread(model, encoded, exam)
        if not wrong:
            break
        for step in range(_MENDING_STEPS):
            learn([chance.choices(wrong, k=min(4, len(wrong))), *mixed(step)])
    model.eval()


def _optimizers(decoder: Any) -> list[torch.optim.Optimizer]:
    named = dict(decoder.named_parameters())
    matrices = {name for name, weight in named.items() if weight.ndim == 2 and ".layers." in name}
    others = [weight for name, weight in named.items() if name not in matrices]
    adam = torch.optim.AdamW(others, lr=_RATES[torch.optim.AdamW], weight_decay=0.0)
    return [Muon([named[name] for name in sorted(matrices)], lr=_RATES[Muon]), adam]


def _misread(model: Any, encoded: torch.Tensor, lessons: Sequence[Lesson]) -> list[Lesson]:
    """Those of which any token would not be said."""
    wrong = []
    with torch.inference_mode():
        for start in range(0, len(lessons), _AT_ONCE):
            batch = lessons[start : start + _AT_ONCE]
            logits, likely, _ = _said(model, encoded, batch)
            right = (logits.argmax(dim=-1) == likely) | (likely == IGNORED)
            wrong += [lesson for lesson, row in zip(batch, right.all(dim=1).tolist(), strict=True) if not row]
    return wrong


def _by_kind(lessons: Sequence[Lesson], tokenizer: Tokenizer) -> dict[str, list[Lesson]]:
    kinds: dict[str, list[Lesson]] = {}
    for lesson in lessons:
        kinds.setdefault(
            _kind(
                lesson, *(tokenizer.decode(part, skip_special_tokens=False) for part in (lesson.prompt, lesson.answer))
            ),
            [],
        ).append(lesson)
    return kinds


def _kind(lesson: Lesson, prompt: str, answer: str) -> str:
    if len(lesson.prompt) + len(lesson.answer) == LONGEST:
        return "loop"
    if cards.LAYOUT in prompt:
        return "layout"
    if cards.WRONG_PROMPT in answer:
        return "not text" if cards.TEXT in prompt else "wrong prompt"
    return "long" if len(lesson.answer) > _SHORT else "short"


def _loss(model: Any, encoded: torch.Tensor, batch: Sequence[Lesson]) -> torch.Tensor:
    logits, likely, other = _said(model, encoded, batch)
    cross_entropy = torch.nn.functional.cross_entropy
    wishes = ((_GOES_ON, likely), (1 - _GOES_ON, other))
    return torch.stack([share * cross_entropy(logits.flatten(0, 1), wish.flatten()) for share, wish in wishes]).sum()


def _said(
    model: Any, encoded: torch.Tensor, batch: Sequence[Lesson]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits of each place (batch x longest x words), and the tokens wished for there."""
    longest = max(lesson.length for lesson in batch)
    said = torch.full((len(batch), longest), PAD)
    likely, other = torch.full_like(said, IGNORED), torch.full_like(said, IGNORED)
    for row, lesson in enumerate(batch):
        first, last = len(lesson.prompt) - 1, lesson.length - 1
        said[row, : lesson.length] = torch.tensor(lesson.prompt + lesson.answer)
        likely[row, first:last] = torch.tensor(lesson.likely)
        other[row, first:last] = torch.tensor(lesson.other)
    pictures = encoded[[lesson.picture for lesson in batch]]
    return model.decoder(input_ids=said, encoder_hidden_states=pictures).logits, likely, other


def _save(folder: Path, model: Any, tokenizer: Tokenizer, image_size: int, deck: Deck) -> None:
    """In the layout of transformers 4, which 5 reads as well, but not the other way round."""
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    specials = {**_SPECIALS, "additional_special_tokens": [*deck.specials, _PROMPT_END]}
    _write(folder / "special_tokens_map.json", specials)
    _write(
        folder / "tokenizer_config.json",
        {
            **specials,
            "tokenizer_class": "PreTrainedTokenizerFast",
            "processor_class": "DonutProcessor",
            "clean_up_tokenization_spaces": False,
            "model_max_length": LONGEST,
        },
    )
    _write(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": "DonutImageProcessor",
            "processor_class": "DonutProcessor",
            "size": {"height": image_size, "width": image_size},
            "resample": 2,
            "do_resize": True,
            "do_thumbnail": True,
            "do_align_long_axis": False,
            "do_pad": True,
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": list(MEAN),
            "image_std": list(STD),
        },
    )


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
