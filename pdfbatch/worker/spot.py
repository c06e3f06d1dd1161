"""Polls EC2's metadata service for Spot interruption notices and rebalance recommendations.

Source: EC2 User Guide, "Spot Instance interruption notices", "EC2 instance rebalance recommendations" and "Use the
Instance Metadata Service": version 2 returns a token for a PUT, and 401 once it has expired; 404 means that there is no
notice. AWS recommends to poll every 5 s.
"""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

ANSWER_SECONDS = 2.0
TOKEN_SECONDS = 3600
_RENEWED_BEFORE_SECONDS = 60.0
_ACTION = "spot/instance-action"
_REBALANCE = "events/recommendations/rebalance"

_log = logging.getLogger(__name__)


class Notice(NamedTuple):
    """A Spot interruption notice: `action` is terminate, stop or hibernate, at `time` or soon after."""

    action: str
    time: datetime


class SpotWatch:
    """A thread that reports an interruption notice and a rebalance recommendation, each once.

    Errors of the service or of the callbacks never end the thread or the worker: it polls again. `endpoint` ends with
    "/".
    """

    def __init__(
        self,
        endpoint: str,
        on_notice: Callable[[Notice], None],
        on_rebalance: Callable[[], None],
        seconds: float = 5.0,
    ) -> None:
        self._metadata = Metadata(endpoint)
        self._on_notice = on_notice
        self._on_rebalance = on_rebalance
        self._seconds = seconds
        self._noticed = self._rebalanced = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spot", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Ends the thread without waiting for a request in progress."""
        self._ended.set()

    def __enter__(self) -> SpotWatch:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def _run(self) -> None:
        while not self._noticed:
            for look in (self._look_for_notice, self._look_for_rebalance):
                try:
                    look()
                except Exception as error:
                    _log.debug("the metadata service: %s", error)
            if self._ended.wait(self._seconds):
                return

    def _look_for_notice(self) -> None:
        body = self._metadata.get(_ACTION)
        if body is None or self._ended.is_set():
            return
        notice = _notice(body)
        self._noticed = True
        _log.warning("Spot interruption notice: %s at %s", notice.action, notice.time.isoformat())
        self._on_notice(notice)

    def _look_for_rebalance(self) -> None:
        if self._noticed or self._rebalanced:
            return
        body = self._metadata.get(_REBALANCE)
        if body is None or self._ended.is_set():
            return
        datetime.fromisoformat(json.loads(body)["noticeTime"])  # raises if it is not a recommendation
        self._rebalanced = True
        _log.warning("rebalance recommendation: a Spot interruption is more likely now")
        self._on_rebalance()


def _notice(body: bytes) -> Notice:
    """Parses a notice like `{"action": "terminate", "time": "2026-11-25T19:45:00Z"}`."""
    found = json.loads(body)
    at = datetime.fromisoformat(found["time"])
    return Notice(str(found["action"]), at if at.tzinfo else at.replace(tzinfo=UTC))


class Metadata:
    """A client of the metadata service, version 2; it ignores proxy settings. Every call may raise OSError."""

    def __init__(self, endpoint: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._latest = endpoint + "latest/"
        self._clock = clock
        self._opener = build_opener(ProxyHandler({}))
        self._token = ""
        self._renew_at = -math.inf

    def get(self, path: str) -> bytes | None:
        """Returns the value at a path under `meta-data/`; None if there is none (404)."""
        try:
            try:
                return self._get_with_token(path)
            except HTTPError as error:
                if error.code != HTTPStatus.UNAUTHORIZED:
                    raise
            self._renew_at = -math.inf
            return self._get_with_token(path)
        except HTTPError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return None
            raise

    def _get_with_token(self, path: str) -> bytes:
        if self._clock() >= self._renew_at:
            self._renew()
        return self._ask(Request(f"{self._latest}meta-data/{path}", headers={"X-aws-ec2-metadata-token": self._token}))

    def _renew(self) -> None:
        lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_SECONDS)}
        self._token = self._ask(Request(self._latest + "api/token", method="PUT", headers=lifetime)).decode("ascii")
        self._renew_at = self._clock() + TOKEN_SECONDS - _RENEWED_BEFORE_SECONDS

    def _ask(self, request: Request) -> bytes:
        try:
            with self._opener.open(request, timeout=ANSWER_SECONDS) as answer:
                body: bytes = answer.read()
                return body
        except HTTPError as error:
            error.close()
            raise
