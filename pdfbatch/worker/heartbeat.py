"""A thread that says every few seconds that this worker lives and how far it is."""

import threading
from collections.abc import Callable

from pdfbatch.errors import PdfbatchError
from pdfbatch.records import Heartbeat
from pdfbatch.store import Store


class Heart:
    """Overwrites one key with what `beat` returns, every `seconds`; ends last, with a last beat."""

    def __init__(self, store: Store, key: str, seconds: float, beat: Callable[[], Heartbeat]) -> None:
        self._store = store
        self._key = key
        self._seconds = seconds
        self._beat = beat
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Writes the first beat at once: a worker is visible before its first document."""
        self._write()
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self._write()

    def _run(self) -> None:
        while not self._ended.wait(self._seconds):
            self._write()

    def _write(self) -> None:
        try:
            self._store.put(self._key, self._beat().model_dump_json().encode())
        except PdfbatchError:
            # A missed beat makes the worker look stale for a moment; it must not end the work.
            return
