"""What to do after an answer or a trouble: give, wait and ask again, fail the page, or end the run. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from pdfbatch.engines.endpoint.answer import Answer, Trouble
from pdfbatch.records import Reason

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
WARMER = 0.5
"""The temperature of the second try after a useless answer: at 0 the answer would be the same."""
SILENCE = 300.0
"""Seconds without any answer after which the endpoint is given up."""
_FEWEST = 5
_REASONS = {"late": Reason.TIMEOUT}


@dataclass(frozen=True)
class Give:
    answer: Answer


@dataclass(frozen=True)
class Again:
    """Ask again after `seconds`."""

    seconds: float
    temperature: float = 0.0


@dataclass(frozen=True)
class Fail:
    """The page cannot be read."""

    reason: Reason
    detail: str


@dataclass(frozen=True)
class End:
    """No page can be read."""

    trouble: Trouble


Step = Give | Again | Fail | End


class Tries:
    """Decides for one page. `most` is how often it may be asked again after a failure; waiting for an endpoint that is
    busy does not count. `dice` returns a random number from 0 to 1."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._failed = 0
        self._refused = 0
        self._useless = 0
        self._temperature = 0.0

    def after(self, result: Answer | Trouble, dice: float) -> Step:
        if isinstance(result, Answer):
            if result.is_useful or self._useless:
                return Give(result)
            self._useless += 1
            self._temperature = WARMER
            return Again(0.0, WARMER)
        if result.blame == "fatal":
            return End(result)
        if result.blame == "page":
            return Fail(Reason.ENGINE_ERROR, result.detail)
        if result.blame == "busy":
            self._refused += 1
            return Again(max(min(result.wait, LONGEST_WAIT), backoff(self._refused, dice)), self._temperature)
        self._failed += 1
        if self._failed > self._most:
            return Fail(_REASONS.get(result.blame, Reason.ENGINE_ERROR), result.detail)
        return Again(backoff(self._failed, dice), self._temperature)


def backoff(tries: int, dice: float) -> float:
    """Returns the seconds to wait after so many tries: twice as long each time, half of it by chance, so that those who
    were refused together do not come back together."""
    longest = min(LONGEST_WAIT, FIRST_WAIT * (1 << min(tries - 1, 10)))
    return longest * (0.5 + dice / 2)


class Circuit:
    """Opens when nothing was answered for too long. Times are in seconds on any clock that only goes forward."""

    def __init__(self, now: float, silence: float = SILENCE) -> None:
        self._heard = now
        self._silence = silence
        self._failures = 0

    def answered(self, now: float) -> None:
        self._heard = now
        self._failures = 0

    def failed(self, now: float) -> bool:
        """Takes a failure; True if the endpoint is to be given up."""
        self._failures += 1
        return self._failures >= _FEWEST and now - self._heard >= self._silence
