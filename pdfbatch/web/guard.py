"""Who may see the pages: the person who has the address with the token, in a browser on this computer."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN = "token"
"""The parameter of the address."""
SAFE_HEADER = "x-pdfbatch"
"""Every POST must have this header: a page of another site cannot send it without asking first, and is refused."""
_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
_SAME = frozenset({"same-origin", "none"})
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_WELCOME = """<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,">
<meta http-equiv="refresh" content="0;url=/">
<title>pdfbatch</title><p><a href="/">Open the run</a></p></html>"""
"""The cookie is for this site alone (SameSite=Strict), so the next request must come from it: no redirect."""


class Guard:
    """Lets a request through only with a local Host, and with the token or the cookie that stands for it."""

    def __init__(self, app: ASGIApp, token: str, cookie: str) -> None:
        self._app = app
        self._token = token
        self._cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._refusal(HTTPConnection(scope))
        await (answer or self._app)(scope, receive, send_with_headers)

    def _refusal(self, request: HTTPConnection) -> Response | None:
        """Returns the answer to a request that does not get through; None if it does."""
        if not is_local(request.headers.get("host", "")):
            return PlainTextResponse("This address is served to this computer only.\n", 421)
        if self._is_known(request.cookies):
            return None if is_from_here(request.scope["method"], request.headers) else _refused()
        if not self._fits(request.query_params.get(TOKEN, "")):
            return _refused()
        return self._welcome()

    def _welcome(self) -> Response:
        answer = HTMLResponse(_WELCOME)
        answer.set_cookie(self._cookie, self._token, httponly=True, samesite="strict", path="/")
        return answer

    def _is_known(self, cookies: Mapping[str, str]) -> bool:
        return self._fits(cookies.get(self._cookie, ""))

    def _fits(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self._token.encode())


def is_local(host: str) -> bool:
    """Whether a Host header names this computer. A name of somebody's own that resolves to 127.0.0.1 (DNS rebinding)
    does not."""
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        name, port = host, ""
    return name.lower() in _HOSTS and (not colon or port.isdigit() or host.endswith("]"))


def is_from_here(method: str, headers: Headers) -> bool:
    """Whether a request may change something, if its method says so: only from one of our own pages."""
    if method in ("GET", "HEAD"):
        return True
    return headers.get(SAFE_HEADER) == "1" and headers.get("sec-fetch-site", "same-origin") in _SAME


def _refused() -> Response:
    return PlainTextResponse("Open the address that `pdfbatch view` printed: it has a token.\n", 403)
