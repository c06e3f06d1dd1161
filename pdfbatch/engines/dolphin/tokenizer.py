"""Load a model's tokenizer, encode prompts and decode answers.

transformers takes 6 to 8 CPU seconds for Dolphin's 23,900 added tokens; the library below it reads the same file in
0.3 s. It is used wherever transformers would add nothing to that file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pdfbatch.engines.answers.loops import Flags, filler_tokens
from pdfbatch.engines.dolphin.layout import CODE_PROMPT, FORMULA_PROMPT, LAYOUT_PROMPT, TABLE_PROMPT, TEXT_PROMPT
from pdfbatch.engines.dolphin.model_files import read_config
from pdfbatch.errors import NotReady

if TYPE_CHECKING:
    import tokenizers

ANSWER = " <Answer/>"
"""Ends every prompt; the leading space is part of the token (Dolphin's chat.py)."""
VOCABULARY = 73_921
"""Tokens of Dolphin 1.0 and 1.5."""
PROMPT_TOKENS = {
    LAYOUT_PROMPT: [0, 47928, 286, 7996, 1160, 299, 495, 5262, 36, 73920],
    TEXT_PROMPT: [0, 17657, 3360, 301, 286, 1990, 36, 73920],
    TABLE_PROMPT: [0, 47928, 286, 4345, 301, 286, 1990, 36, 73920],
    FORMULA_PROMPT: [0, 17657, 3914, 301, 286, 1990, 36, 73920],
    CODE_PROMPT: [0, 17657, 3355, 301, 286, 1990, 36, 73920],
}
"""The prompts as the published tokenizer encodes them."""
_CLASSES = ("PreTrainedTokenizerFast", "TokenizersBackend")
"""transformers' names, 4 and 5, for a tokenizer that is its tokenizer.json and nothing else."""
_ADDED = ("content", "lstrip", "rstrip", "normalized", "single_word", "special")
_CLEANED = (" .", " ?", " !", " ,", " ' ", " n't", " 'm", " 's", " 've", " 're")


class Tokenizer:
    """`size` is the model's vocabulary, which may be larger than the tokenizer's. `cleans`: decoded texts lose spaces
    before punctuation, as in transformers' clean_up_tokenization."""

    def __init__(
        self, backend: tokenizers.Tokenizer, size: int, end: int, unknown: int | None, cleans: bool = False
    ) -> None:
        self._backend = backend
        self._size = size
        self._cleans = cleans
        self.end = end
        self.unknown = unknown
        """Banned from answers, as in Dolphin's demo (its `bad_words_ids`)."""
        self._known: dict[str, list[int]] = {}

    def prompt(self, text: str) -> list[int]:
        if text not in self._known:
            self._known[text] = self._backend.encode(f"<s>{text}{ANSWER}", add_special_tokens=False).ids
        return self._known[text]

    def draft(self, text: str) -> list[int]:
        """Encodes text that an answer may contain."""
        return self._backend.encode(text, add_special_tokens=False).ids if text else []

    def text(self, tokens: Sequence[int]) -> str:
        """Decodes tokens as Dolphin's demo does: without padding, start and end tokens, stripped."""
        said = self._backend.decode(list(tokens), skip_special_tokens=False)
        said = cleaned(said) if self._cleans else said
        for mark in ("<pad>", "</s>", "<s>"):
            said = said.replace(mark, "")
        return said.strip()

    @cached_property
    def fillers(self) -> Flags:
        """Which of the model's tokens are fillers, see loops.py."""
        size = max(self._size, self._backend.get_vocab_size())
        return filler_tokens(self._backend.decode_batch([[token] for token in range(size)], skip_special_tokens=False))


def cleaned(text: str) -> str:
    """The text as transformers' `clean_up_tokenization` makes it."""
    for before in _CLEANED:
        text = text.replace(before, before.strip())
    return text


def load_tokenizer(folder: Path, vocab_size: int, as_published: bool = False) -> Tokenizer:
    """Loads the tokenizer in `folder` for a model of `vocab_size` tokens. `as_published`: decoded texts are cleaned up
    if the checkpoint wants that.

    Raises:
        NotReady: there is no tokenizer, or not one for this model.
    """
    config = read_config(folder, "tokenizer_config.json")
    names = {**read_config(folder, "special_tokens_map.json"), **config}
    backend = _backend(folder, config, names)
    backend.no_truncation()
    backend.no_padding()
    end, unknown = (_id_of(backend, names.get(name)) for name in ("eos_token", "unk_token"))
    answer = backend.encode(ANSWER, add_special_tokens=False).ids
    if len(answer) != 1 or end is None:
        missing = repr(ANSWER) if len(answer) != 1 else "an end token"
        raise NotReady(f"The tokenizer in {folder} does not know {missing}.", "Use Dolphin 1.0 or 1.5.")
    cleans = as_published and bool(config.get("clean_up_tokenization_spaces"))
    tokenizer = Tokenizer(backend, vocab_size, end, unknown, cleans)
    fits = max(*answer, end) < vocab_size
    is_dolphins = vocab_size != VOCABULARY or all(tokenizer.prompt(text) == ids for text, ids in PROMPT_TOKENS.items())
    if not (fits and is_dolphins):
        raise NotReady(f"Model and tokenizer in {folder} do not belong together.", "Download their files again.")
    return tokenizer


def _backend(folder: Path, config: Mapping[str, Any], names: Mapping[str, Any]) -> tokenizers.Tokenizer:
    import tokenizers

    file = folder / "tokenizer.json"
    try:
        if config.get("tokenizer_class") in _CLASSES and file.is_file():
            backend = tokenizers.Tokenizer.from_file(str(file))
            if _is_complete(backend, config, names):
                return backend
        from transformers import AutoTokenizer

        loaded: tokenizers.Tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True).backend_tokenizer
        return loaded
    except Exception as error:  # tokenizers' errors have no more specific class
        raise NotReady(f"The tokenizer in {folder} cannot be loaded: {error}", "Download its files again.") from error


def _is_complete(backend: tokenizers.Tokenizer, config: Mapping[str, Any], names: Mapping[str, Any]) -> bool:
    """Whether transformers would change nothing: every token that its config adds is in the tokenizer already."""
    if "add_prefix_space" in config:
        return False
    added = {token: [getattr(it, name) for name in _ADDED] for token, it in backend.get_added_tokens_decoder().items()}
    wanted = config.get("added_tokens_decoder", {})
    if any(added.get(int(token)) != [it.get(name) for name in _ADDED] for token, it in wanted.items()):
        return False
    extra = [*names.get("additional_special_tokens", ()), *names.get("extra_special_tokens", ())]
    special = [names[name] for name in ("bos_token", "eos_token", "pad_token", "unk_token") if names.get(name)]
    there = {content for content, *_ in added.values()}
    return all(_content(token) in there for token in [*special, *extra])


def _id_of(backend: tokenizers.Tokenizer, token: Any) -> int | None:
    return None if token is None else backend.token_to_id(_content(token))


def _content(token: Any) -> str:
    """The text of a token that a config names, by itself or with its flags."""
    return str(token["content"] if isinstance(token, dict) else token)
