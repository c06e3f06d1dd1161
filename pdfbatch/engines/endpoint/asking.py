"""Threads that ask an endpoint, as many at once as the pace allows.

They are daemons: a request that hangs must not hold up the end of the process.
"""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from pdfbatch.engines.endpoint.answer import Answer, Trouble
from pdfbatch.engines.endpoint.client import Client
from pdfbatch.engines.endpoint.pace import Gate, Pace
from pdfbatch.engines.endpoint.page import LETTERS_PER_TOKEN, use_of
from pdfbatch.engines.endpoint.patience import SILENCE, Again, Circuit, End, Fail, Give, Tries
from pdfbatch.engines.endpoint.tasks import Drawn
from pdfbatch.records import EndpointOptions, EndpointUse, Reason


class Outside(NamedTuple):
    """A monotonic clock in seconds, random numbers from 0 to 1, and how long an endpoint may be silent."""

    clock: Callable[[], float] = time.monotonic
    dice: Callable[[], float] = random.random
    silence: float = SILENCE


class Asked(NamedTuple):
    """How it ended, and what it cost. None: it was given up, because the run ends."""

    end: Give | Fail | End | None
    use: EndpointUse = EndpointUse()


class Question(NamedTuple):
    """A picture to ask about, `seconds` for one request, and who is told how it ended, in any thread."""

    picture: Drawn
    prompt: str
    seconds: float
    ended: Callable[[Asked], None]


class Askers:
    """Thread-safe. Threads start with the first questions."""

    def __init__(self, client: Client, endpoint: EndpointOptions, retries: int, outside: Outside) -> None:
        self._client = client
        self._endpoint = endpoint
        self._retries = retries
        self._outside = outside
        self._gate = Gate(Pace(endpoint.most_requests), outside.clock)
        self._circuit = Circuit(outside.clock(), outside.silence)
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[Question | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._is_draining = threading.Event()

    @property
    def limit(self) -> int:
        """How many requests may be under way now."""
        return self._gate.limit

    def submit(self, question: Question) -> None:
        if self._is_draining.is_set():
            question.ended(Asked(None))
            return
        self._waiting.put(question)
        with self._lock:
            if len(self._threads) >= self._endpoint.most_requests:
                return
            thread = threading.Thread(target=self._work, name=f"endpoint-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
        thread.start()

    def drain(self) -> None:
        """Gives up what is not at the endpoint, or would have to be asked again."""
        self._is_draining.set()
        while True:
            try:
                question = self._waiting.get_nowait()
            except queue.Empty:
                return
            if question is not None:
                question.ended(Asked(None))

    def close(self) -> None:
        """Ends the threads, without waiting for requests under way."""
        self.drain()
        self._gate.close()
        for _thread in self._threads:
            self._waiting.put(None)

    def _work(self) -> None:
        while (question := self._waiting.get()) is not None:
            try:
                asked = self._conversation(question)
            except Exception as error:  # a fault of ours fails this page alone
                asked = Asked(Fail(Reason.ENGINE_ERROR, f"{type(error).__name__}: {error}"))
            question.ended(asked)

    def _conversation(self, question: Question) -> Asked:
        """Asks until there is a result."""
        tries, temperature, use = Tries(self._retries), 0.0, EndpointUse()
        while self._gate.enter():
            result = self._one_request(question, temperature)
            if isinstance(result, Answer):
                use = use.plus(use_of(result, question.picture, question.prompt, self._endpoint.price))
            if silence := self._silence(result):
                return Asked(End(silence), use)
            step = tries.after(result, self._outside.dice())
            if not isinstance(step, Again):
                return Asked(step, use)
            if self._is_draining.wait(step.seconds):
                break
            temperature = step.temperature
        return Asked(None, use)

    def _one_request(self, question: Question, temperature: float) -> Answer | Trouble:
        clock = self._outside.clock
        sent = clock()
        result: Answer | Trouble | None = None
        try:
            result = self._client.ask(question.picture.png, question.prompt, temperature, question.seconds)
        finally:
            if isinstance(result, Answer):
                tokens = result.tokens_out or len(result.text) // LETTERS_PER_TOKEN
                self._gate.leave_answered(clock() - sent, tokens)
            elif result is not None and result.blame in ("busy", "late"):
                self._gate.leave_refused(sent, result.wait)
            else:
                self._gate.leave()
        return result

    def _silence(self, result: Answer | Trouble) -> Trouble | None:
        """Returns the trouble of an endpoint that has answered nothing for too long. What is wrong with one page alone
        is an answer too."""
        now = self._outside.clock()
        with self._lock:
            if isinstance(result, Answer) or result.blame == "page":
                self._circuit.answered(now)
                return None
            is_open = self._circuit.failed(now)
        detail = f"{result.detail}; it has answered nothing for {self._outside.silence:.0f} s"
        return Trouble("fatal", detail, status=result.status) if is_open else None
