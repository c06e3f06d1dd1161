"""Remember what was found in the last pictures, so that the same pixels are not read twice.

A region that may be turned otherwise is read again, and a letterhead stands on every page of a document. The networks
give the same answer for the same picture, so nothing else changes.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np

from pdfbatch.documents.pdf.raster import Pixels

Answer = TypeVar("Answer")


class Remembered(Generic[Answer]):
    """The answers for the last `most` different pictures."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._answers: OrderedDict[tuple[tuple[int, ...], bytes], Answer] = OrderedDict()

    def of(self, picture: Pixels, find: Callable[[Pixels], Answer]) -> Answer:
        """Return the known answer for a picture, or that of `find`."""
        whole = np.ascontiguousarray(picture)
        key = whole.shape, hashlib.blake2b(whole.data, digest_size=16).digest()
        self._answers[key] = answer = self._answers.pop(key) if key in self._answers else find(whole)
        if len(self._answers) > self._most:
            self._answers.popitem(last=False)
        return answer
