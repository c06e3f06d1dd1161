"""Read equal pictures once: a header that is printed alike on every page gives the same answer on each."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable

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

    def is_first(self, prompt: str, picture: Pixels, hear: _Hear) -> bool:
        """Checks whether this picture has to be read with this prompt. Otherwise `hear` gets the answer: at once, or
        when it comes to the one who asked first."""
        key = _key(prompt, picture)
        if key in self._answers:
            self._answers.move_to_end(key)
            hear(self._answers[key])
            return False
        if key in self._waiting:
            self._waiting[key].append(hear)
            return False
        self._waiting[key] = []
        return True

    def heard(self, prompt: str, picture: Pixels, read: Read) -> None:
        """Passes on the answer for a picture that had to be read."""
        key = _key(prompt, picture)
        if read.ending != "memory":
            self._answers[key] = read
        if len(self._answers) > MOST:
            self._answers.popitem(last=False)
        for hear in self._waiting.pop(key, []):
            hear(read)


def _key(prompt: str, picture: Pixels) -> bytes:
    digest = hashlib.blake2b(f"{prompt} {picture.shape}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(picture).data)
    return digest.digest()
