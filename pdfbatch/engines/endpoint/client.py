"""Requests to the endpoint, one at a time for each thread. Everything that comes back is bounded: bytes and seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import NamedTuple, Protocol

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProxyError, SSLError
from urllib3.exceptions import TimeoutError as Urllib3TimeoutError

from pdfbatch import __version__
from pdfbatch.engines.endpoint.answer import Answer, Trouble, answer_of, is_same_model, models_in, trouble_of
from pdfbatch.engines.endpoint.request import Dialect, body_of
from pdfbatch.errors import NotReady, did_you_mean
from pdfbatch.http_pools import http_pool
from pdfbatch.records import KEY_VARIABLE, EndpointOptions
from pdfbatch.visible import visible

CONNECT_SECONDS = 10.0
CHECK_SECONDS = 20.0
MOST_BYTES = 8 * 2**20
_PIECE = 2**16
_HIDDEN = "***"
_SHOWN_MODELS = 10
_UNTRIED = (NewConnectionError, ConnectTimeoutError, ProxyError)
_WORDS = {NewConnectionError: "no connection", ConnectTimeoutError: "no connection", ProxyError: "the proxy refuses"}


class Client(Protocol):
    """A model that is asked for pictures."""

    def ask(self, png: bytes, prompt: str, temperature: float, seconds: float) -> Answer | Trouble:
        """Asks `prompt` about a picture; gives up after about so many seconds."""

    def check(self, must_answer: bool) -> None: ...

    def refusal(self, trouble: Trouble) -> NotReady: ...

    def close(self) -> None: ...


class _Response(NamedTuple):
    status: int
    headers: Mapping[str, str]
    data: bytes


class HttpClient:
    """Thread-safe. `key` is sent to the endpoint and nowhere else: redirects are not followed, and it is taken out of
    whatever the endpoint says. `now` is the time of day, `clock` is monotonic."""

    def __init__(
        self, options: EndpointOptions, key: str, now: Callable[[], datetime], clock: Callable[[], float]
    ) -> None:
        self._options = options
        self._key = key
        self._now = now
        self._clock = clock
        self._dialect = Dialect()
        self._pools = http_pool(options.url, most=options.most_requests)

    def ask(self, png: bytes, prompt: str, temperature: float, seconds: float) -> Answer | Trouble:
        while True:
            spoken = self._dialect
            body = body_of(self._options, spoken, png, prompt, temperature)
            response = self._exchange("POST", "/chat/completions", body, seconds)
            if isinstance(response, Trouble):
                return response
            if response.status == HTTPStatus.OK:
                result = answer_of(response.data)
                return result if isinstance(result, Answer) else self._without_key(result)
            trouble = self._trouble(response)
            corrected = spoken.corrected(trouble.said) if trouble.status == HTTPStatus.BAD_REQUEST else None
            if corrected is None:
                return trouble
            self._dialect = corrected

    def check(self, must_answer: bool) -> None:
        """Asks for the endpoint's models. With `must_answer` it must be there now; otherwise it may still be starting.

        Raises:
            NotReady: it refuses, does not know the model, or is something else.
        """
        response = self._exchange("GET", "/models", None, CHECK_SECONDS)
        url = self._options.url
        if isinstance(response, Trouble):
            if must_answer or response.blame == "fatal":
                raise NotReady(f"{url}: {response.detail}.", "Start the server, or correct --endpoint-url.")
            return
        if response.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise self.refusal(self._trouble(response))
        if response.status != HTTPStatus.OK:
            return  # not every endpoint lists its models
        models = models_in(response.data)
        if models is None:
            raise NotReady(f"{url} does not answer as OpenAI's API does.", "The address usually ends with /v1.")
        if models and not any(is_same_model(self._options.model, name) for name in models):
            raise _no_model(url, self._options.model, models)

    def close(self) -> None:
        self._pools.clear()

    def refusal(self, trouble: Trouble) -> NotReady:
        """Returns the error for an endpoint that takes no page."""
        hints = {
            HTTPStatus.UNAUTHORIZED: f"Set {KEY_VARIABLE} in the environment to a valid key.",
            HTTPStatus.FORBIDDEN: f"Check what the key in {KEY_VARIABLE} may do.",
            HTTPStatus.NOT_FOUND: "Check --endpoint-url, which usually ends with /v1, and --endpoint-model.",
        }
        hint = "Check the endpoint, then run the same command again: finished pages are kept."
        key = hints.get(HTTPStatus(trouble.status), hint) if trouble.status in set(HTTPStatus) else hint
        return NotReady(f"{self._options.url}: {trouble.detail}.", key)

    def _trouble(self, response: _Response) -> Trouble:
        return self._without_key(trouble_of(response.status, response.headers, response.data, self._now()))

    def _without_key(self, trouble: Trouble) -> Trouble:
        if not self._key:
            return trouble
        detail, said = (text.replace(self._key, _HIDDEN) for text in (trouble.detail, trouble.said))
        return Trouble(trouble.blame, detail, trouble.wait, trouble.status, said)

    def _exchange(self, method: str, path: str, body: bytes | None, seconds: float) -> _Response | Trouble:
        ends = self._clock() + seconds
        headers = {
            "User-Agent": f"pdfbatch/{__version__}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            **({"Content-Type": "application/json"} if body is not None else {}),
            **({"Authorization": f"Bearer {self._key}"} if self._key else {}),
        }
        try:
            answer = self._pools.request(
                method,
                self._options.url + path,
                body=body,
                headers=headers,
                retries=False,
                redirect=False,
                preload_content=False,
                timeout=urllib3.Timeout(connect=min(seconds, CONNECT_SECONDS), read=seconds),
            )
            try:
                data = self._read(answer, ends)
            finally:
                answer.close()  # of a body that was not read to its end, nothing must be left for the next request
        except (HTTPError, OSError) as error:
            return _unanswered(error, seconds)
        return data if isinstance(data, Trouble) else _Response(answer.status, answer.headers, data)

    def _read(self, answer: urllib3.BaseHTTPResponse, ends: float) -> bytes | Trouble:
        parts, size = list[bytes](), 0
        while part := answer.read1(_PIECE, decode_content=False):
            parts.append(part)
            size += len(part)
            if size > MOST_BYTES:
                return Trouble("broken", f"the endpoint answered with more than {MOST_BYTES // 2**20} MiB")
            if self._clock() > ends:
                return Trouble("late", "the endpoint did not finish its answer in time")
        answer.release_conn()
        return b"".join(parts)


def _unanswered(error: Exception, seconds: float) -> Trouble:
    """Returns the trouble of a request without an answer. urllib3's own words may hold addresses."""
    if isinstance(error, SSLError):
        return Trouble("fatal", f"the endpoint's certificate is not accepted ({visible(str(error.args[0]))[:200]})")
    if isinstance(error, _UNTRIED):
        words = next(words for kind, words in _WORDS.items() if isinstance(error, kind))
        return Trouble("busy", f"the endpoint cannot be reached ({words})")
    if isinstance(error, Urllib3TimeoutError):
        return Trouble("late", f"the endpoint did not answer within {seconds:.0f} s")
    return Trouble("broken", "the endpoint broke the connection off")


def _no_model(url: str, model: str, models: list[str]) -> NotReady:
    shown = ", ".join(visible(name) for name in models[:_SHOWN_MODELS])
    more = " …" if len(models) > _SHOWN_MODELS else ""
    hint = f"{did_you_mean(model, models)} Give --endpoint-model one of: {shown}{more}"
    return NotReady(f"{url} has no model {visible(model)!r}.", hint.lstrip())
