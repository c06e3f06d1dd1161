"""The tokenizer is loaded without transformers where that changes nothing, and a wrong one is refused."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs torch and transformers, see the extra [dolphin]")
from tokenizers import AddedToken, decoders, models, pre_tokenizers
from tokenizers import Tokenizer as Backend

from pdfbatch.engines.dolphin.layout import LAYOUT_PROMPT, TEXT_PROMPT
from pdfbatch.engines.dolphin.tokenizer import PROMPT_TOKENS, VOCABULARY, Tokenizer, cleaned, load_tokenizer
from pdfbatch.errors import NotReady

SPECIALS = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
ADDED = [*"0123456789", *".,;:!?'-_()", "<td>", "</td>", "<table>", "中", "文", " <Answer/>"]
WORDS = ["The", " cat", " is", "n", "'t", " 's", " ", "\n", "ab", " ."]


def backend(added: list[str] = ADDED) -> Backend:
    """Byte-level, with digits, punctuation, tags and CJK as special tokens, as Dolphin's own has."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Backend(models.BPE({token: place for place, token in enumerate([*SPECIALS.values(), *alphabet])}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in [*SPECIALS.values(), *added]])
    return tokenizer


def save(folder: Path, tokenizer: Backend, **config: Any) -> Path:
    """As transformers 4 saves it."""
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = ("content", "lstrip", "rstrip", "normalized", "single_word", "special")
    decoder = {
        token: {name: getattr(added, name) for name in names}
        for token, added in tokenizer.get_added_tokens_decoder().items()
    }
    settings = {**SPECIALS, "tokenizer_class": "PreTrainedTokenizerFast", "added_tokens_decoder": decoder, **config}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def transformers_own(folder: Path) -> Any:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(folder)


def test_texts_and_prompts_are_those_of_transformers(tmp_path: Path) -> None:
    folder = save(tmp_path, backend())
    ours, theirs = load_tokenizer(folder, 400), transformers_own(folder)
    chance = random.Random(0)
    for _ in range(300):
        tokens = [chance.randrange(backend().get_vocab_size()) for _ in range(chance.randrange(40))]
        said = theirs.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        for mark in ("<pad>", "</s>", "<s>"):
            said = said.replace(mark, "")
        assert ours.text(tokens) == said.strip()
        text = "".join(chance.choices([*WORDS, *ADDED, *SPECIALS.values()], k=8))
        assert ours.prompt(text) == theirs(f"<s>{text} <Answer/>", add_special_tokens=False)["input_ids"]
    assert (ours.end, ours.unknown) == (theirs.eos_token_id, theirs.unk_token_id)


def without_answer(config: dict[str, Any]) -> None:
    (token,) = [token for token, it in config["added_tokens_decoder"].items() if it["content"] == " <Answer/>"]
    config["added_tokens_decoder"][token]["lstrip"] = True


def with_more(config: dict[str, Any]) -> None:
    config["additional_special_tokens"] = ["<new>", " <Answer/>"]


@pytest.mark.parametrize("change", [without_answer, with_more])
def test_what_only_the_config_adds_is_added(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    folder = save(tmp_path, backend())
    (folder / "config.json").write_text('{"model_type": "mbart"}')
    config = json.loads((folder / "tokenizer_config.json").read_text())
    change(config)
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    theirs = transformers_own(folder)
    for text in ("a <new> b", "a  "):
        expected = theirs(f"<s>{text} <Answer/>", add_special_tokens=False)["input_ids"]
        assert load_tokenizer(folder, 400).prompt(text) == expected


def test_padding_and_truncation_in_the_file_do_not_matter(tmp_path: Path) -> None:
    tokenizer = backend()
    plain = load_tokenizer(save(tmp_path / "plain", tokenizer), 400).prompt(LAYOUT_PROMPT)
    tokenizer.enable_truncation(5)
    tokenizer.enable_padding(length=60)
    assert load_tokenizer(save(tmp_path / "short", tokenizer), 400).prompt(LAYOUT_PROMPT) == plain


@pytest.mark.parametrize("wants", [None, False, True])
def test_the_published_way_cleans_up_spaces_if_the_checkpoint_wants_that(tmp_path: Path, wants: bool | None) -> None:
    config = {} if wants is None else {"clean_up_tokenization_spaces": wants}
    folder = save(tmp_path, backend(), **config)
    text = "It is n't here , he 's off ."
    tokens = backend().encode(text).ids
    assert load_tokenizer(folder, 400).text(tokens) == text
    published = load_tokenizer(folder, 400, as_published=True).text(tokens)
    assert published == ("It isn't here, he's off." if wants else text)


def test_cleaning_up_is_that_of_transformers() -> None:
    from transformers import PreTrainedTokenizerFast

    theirs = PreTrainedTokenizerFast(tokenizer_object=backend())
    chance = random.Random(0)
    for _ in range(300):
        text = "".join(chance.choices([" ", ".", "?", "!", ",", "'", " n't", " 'm", " 's", " 've", " 're", "a"], k=12))
        assert cleaned(text) == theirs.clean_up_tokenization(text)


def test_fillers_are_known_by_their_text(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(save(tmp_path, backend()), 400)
    shown = {token: bool(tokenizer.fillers[backend().token_to_id(token)]) for token in [*ADDED, "a", "Ċ", "Ġ", "â"]}
    assert len(tokenizer.fillers) == 400
    assert {token for token, filler in shown.items() if filler} == {*".,;:!?'-_()", "Ċ", "Ġ"}


def golden() -> Backend:
    """A tokenizer of Dolphin's size that encodes the prompts as the published one does, and little else."""
    pieces: dict[int, str] = {place: f"piece {place}" for place in range(VOCABULARY)}
    for text, (start, *middle, full_stop, answer) in PROMPT_TOKENS.items():
        words = text.removesuffix(".").split(" ")
        spaced = [words[0], *(f" {word}" for word in words[1:])]
        pieces |= dict(zip(middle, spaced, strict=True))
        pieces |= {start: "<s>", full_stop: ".", answer: " <Answer/>"}
    pieces |= {1: "<pad>", 2: "</s>", 3: "<unk>"}
    tokenizer = Backend(models.WordLevel({piece: token for token, piece in pieces.items()}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(".", "isolated"), pre_tokenizers.Split(" ", "merged_with_next")]
    )
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in [*SPECIALS.values(), " <Answer/>"]])
    return tokenizer


def test_dolphins_own_tokenizer_is_known_by_the_tokens_of_its_prompts(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(save(tmp_path, golden()), VOCABULARY)
    assert {text: tokenizer.prompt(text) for text in PROMPT_TOKENS} == PROMPT_TOKENS


def test_another_tokenizer_for_a_model_of_dolphins_size_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(NotReady) as error:
        load_tokenizer(save(tmp_path, backend()), VOCABULARY)
    assert "do not belong together" in error.value.message
    assert "\n" not in error.value.message


def test_a_small_model_may_have_any_tokenizer(tmp_path: Path) -> None:
    assert isinstance(load_tokenizer(save(tmp_path, backend()), 400), Tokenizer)
    assert load_tokenizer(tmp_path, 400).prompt(TEXT_PROMPT)[0] == 0
