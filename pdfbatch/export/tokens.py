"""Counts tokens with the vocabulary `o200k_base`, which is inside the package bpe-openai: nothing is downloaded."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

TOKENIZER = "o200k_base"


def count_tokens(text: str) -> int:
    """Returns the number of tokens; the time grows with the length alone, whatever the text."""
    return int(_tokenizer().count(text))


@cache
def _tokenizer() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it opens its data in an old way when it is imported
        from bpe_openai import _bindings  # the public class refuses texts of more than a million characters

        return _bindings.tokenizer_for_encoding(TOKENIZER)
