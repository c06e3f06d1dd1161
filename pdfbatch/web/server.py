"""Serves the pages on 127.0.0.1 until Ctrl-C."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import uvicorn

from pdfbatch.errors import UsageError
from pdfbatch.store import Store
from pdfbatch.store.scratch import scratch_folder
from pdfbatch.web.app import make_app
from pdfbatch.web.guard import TOKEN, Guard
from pdfbatch.web.marks import Marks
from pdfbatch.web.pictures import Pictures
from pdfbatch.web.site import Site

_HOST = "127.0.0.1"
_GOODBYE_SECONDS = 1


class View(NamedTuple):
    """What to show. `port` 0 takes a free one; `run` None shows the latest and all of them."""

    store: Store
    run: str | None
    port: int
    marks: Path


def serve(view: View, clock: Callable[[], datetime], opened: Callable[[str], None]) -> None:
    """Serves until Ctrl-C. `opened` is called with the address as soon as it answers.

    Raises:
        UsageError: the port is in use, or the file of the marks is something else.
    """
    marks = Marks(view.marks, view.store.url)
    with _socket(view.port) as listening, scratch_folder() as scratch, Pictures(scratch) as pictures:
        port, token = listening.getsockname()[1], secrets.token_urlsafe(24)
        site = Site(view.store, view.run, clock, pictures, marks)
        app = Guard(make_app(site), token, f"pdfbatch-{port}")
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=_GOODBYE_SECONDS
        )
        opened(f"http://{_HOST}:{port}/?{TOKEN}={token}")
        uvicorn.Server(config).run([listening])


def _socket(port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((_HOST, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise UsageError(
            f"Port {port} cannot be used: {error.strerror}.", "Leave out --port for a free one."
        ) from error
    return listening
