"""The engine `endpoint`: every page is read by the model behind an address."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pdfbatch.documents.sandbox.children import Children
from pdfbatch.documents.sandbox.server import READING
from pdfbatch.errors import UsageError
from pdfbatch.records import KEY_VARIABLE, EndpointOptions, ReadOptions

if TYPE_CHECKING:
    from pdfbatch.engines.endpoint.client import HttpClient
    from pdfbatch.engines.endpoint.reader import EndpointReader


class EndpointEngine:
    """`key` is the endpoint's, "" if it wants none; it stays in this process.

    Raises:
        UsageError: there is no endpoint, or the key cannot be one.
    """

    name = "endpoint"
    preload = READING
    places: Sequence[Path] = ()

    def __init__(self, options: EndpointOptions | None, key: str) -> None:
        if options is None:
            raise UsageError(
                "The endpoint is not named.",
                "Give --endpoint-url https://HOST/v1 and --endpoint-model NAME; see docs/endpoint.md.",
            )
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise UsageError(f"{KEY_VARIABLE} is not a key: it has spaces or other signs in it.", "Set it again.")
        self._options = options
        self._key = key

    @property
    def url(self) -> str:
        return self._options.url

    @property
    def model(self) -> str:
        return self._options.model

    def pinned_model(self) -> str:
        """Returns the model's name; asks the endpoint first whether it is there.

        Raises:
            NotReady: it is not, it refuses, or it does not know the model.
        """
        client = self._client()
        try:
            client.check(must_answer=True)
        finally:
            client.close()
        return self.model

    def reader(self, children: Children, options: ReadOptions, scratch: Path) -> AbstractContextManager[EndpointReader]:
        return self._reader(children, options, scratch)

    @contextmanager
    def _reader(self, children: Children, options: ReadOptions, scratch: Path) -> Iterator[EndpointReader]:
        from pdfbatch.engines.endpoint.reader import EndpointReader

        client = self._client()
        client.check(must_answer=False)
        with EndpointReader(client, self._options, children, options, scratch) as reader:
            yield reader

    def _client(self) -> HttpClient:
        from pdfbatch.engines.endpoint.client import HttpClient

        return HttpClient(self._options, self._key, lambda: datetime.now(UTC), time.monotonic)
