"""What the decoder is asked for, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from pdfbatch.engines.answers.loops import MIN_SPAN

if TYPE_CHECKING:
    from torch import Tensor

Pixels = npt.NDArray[np.uint8]
Ending = Literal["whole", "truncated", "looped", "nan", "memory"]


@dataclass(eq=False)
class DecodeJob:
    """One picture and one prompt. `page_group` and `expected` (tokens) decide the order in which jobs start."""

    picture: Pixels
    """Height x width x 3, each at most the encoder's side; it is padded with black."""
    prompt: Sequence[int]
    page_group: int
    expected: int
    ended: Callable[[Read], None]
    limit: int | None = None
    """Tokens at most, without the prompt; None: as many as the model has positions."""
    loop_span: int = MIN_SPAN
    draft: Sequence[int] = ()
    """Tokens that the answer may contain, in their order. They make it faster, never different."""
    kind: str = ""
    """What the picture shows, by any name: drafts are used where they pay for jobs of that kind."""
    hidden: Tensor | None = None
    tokens: list[int] = field(default_factory=list)
    penalty: float = 1.0
    first_try: list[int] | None = None
    """The tokens before the loop, where the first try looped."""
    memory_tries: int = 0
    """How often in a row it ran out of memory as the only job, without decoding a token in between."""
    memory_tokens: int = 0

    @property
    def length(self) -> int:
        """Tokens in its row so far, the prompt included."""
        return len(self.prompt) + len(self.tokens)

    @property
    def kept(self) -> list[int]:
        """The longer result of two tries that did not finish."""
        return max(self.first_try or [], self.tokens, key=len)

    @property
    def is_begun(self) -> bool:
        """Whether decoding has started, even if the job is back in the pool."""
        return bool(self.tokens) or self.first_try is not None


@dataclass(frozen=True)
class Read:
    """The result of one job: the tokens without prompt and end token, and how decoding ended. A `looped` result is cut
    where it began to repeat itself; `retried` means that there was a second try."""

    tokens: list[int]
    ending: Ending
    retried: bool = False


@dataclass
class DecodeMeter:
    """Seconds of computing, and the work done in them. `drafted` of the steps verified drafts."""

    computing: float = 0.0
    steps: int = 0
    drafted: int = 0
    tokens: int = 0
    pictures: int = 0
    out_of_memory: int = 0
