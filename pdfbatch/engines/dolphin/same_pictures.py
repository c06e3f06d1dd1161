"""Read equal pictures once: a header that is printed alike on every page gives the same answer on each."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

import numpy as np

from pdfbatch.engines.dolphin.jobs import Pixels, Read

MOST = 256
"""Pictures whose answers are remembered."""
_Hear = Callable[[Read], None]


class SamePictures:
    """The answers to pictures asked for before. Not thread-safe."""

    def __init__(self) -> None:
        self._answers: OrderedDict[bytes, Read] = OrderedDict()
        self._waiting: dict[bytes, list[_Hear]] = {}

    def ask(self, prompt: str, picture: Pixels, hear: _Hear) -> _Hear | None:
        """Asks for the answer to a picture and a prompt, which `hear` gets: at once, or when it comes. If none of them
        was asked for before, returns what must be called with the answer, else None."""
        key = _key(prompt, picture)
        if key in self._answers:
            self._answers.move_to_end(key)
            hear(self._answers[key])
            return None
        if key in self._waiting:
            self._waiting[key].append(hear)
            return None
        self._waiting[key] = [hear]
        return partial(self._answer, key)

    def _answer(self, key: bytes, read: Read) -> None:
        if read.ending != "memory":
            self._answers[key] = read
        if len(self._answers) > MOST:
            self._answers.popitem(last=False)
        for hear in self._waiting.pop(key):
            hear(read)


def _key(prompt: str, picture: Pixels) -> bytes:
    digest = hashlib.blake2b(f"{prompt} {picture.shape}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(picture).data)
    return digest.digest()
