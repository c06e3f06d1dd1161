"""News for a page that is open: what has changed since the last time, as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping

from starlette.concurrency import run_in_threadpool

from pdfbatch.errors import PdfbatchError
from pdfbatch.web.site import Site

_TROUBLE = "trouble"


async def news(site: Site, run: str) -> AsyncIterator[str]:
    """Yields the changed fragments of the run page by id, and `version`, which changes with the table of documents."""
    known: dict[str, str] = {}
    while True:
        found = await run_in_threadpool(_state, site, run)
        changed = {name: text for name, text in found.items() if known.get(name) != text}
        known |= changed
        # A comment keeps the connection, and tells us when nobody listens any more.
        yield f"data: {json.dumps(changed)}\n\n" if changed else ": nothing new\n\n"
        await asyncio.sleep(site.seconds)


def _state(site: Site, run: str) -> Mapping[str, str]:
    try:
        _, fragments = site.run(run)
        return {**fragments, "version": str(site.index(run).version), _TROUBLE: ""}
    except PdfbatchError as error:
        return {_TROUBLE: error.message}
