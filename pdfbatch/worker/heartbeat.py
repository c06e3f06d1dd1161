"""A thread that reports every few seconds that this worker is running, and its progress."""

import threading
from collections.abc import Callable
from datetime import datetime

from pdfbatch.errors import PdfbatchError, PreconditionFailed
from pdfbatch.records import Heartbeat, RunKeys
from pdfbatch.runs.lease import last_sign, refuse_twin
from pdfbatch.store import Store

_TRIES = 5


class HeartbeatLease:
    """Writes what `beat` returns to one key every `seconds`; ends last, with a final heartbeat.

    Before the first heartbeat, `inherit` is called with the last one of the slice's previous process, if any; before
    each later one, `renew`.
    """

    def __init__(
        self,
        store: Store,
        keys: RunKeys,
        worker: int,
        seconds: float,
        beat: Callable[[], Heartbeat],
        inherit: Callable[[Heartbeat], None],
        clock: Callable[[], datetime],
        renew: Callable[[], None],
    ) -> None:
        self._store = store
        self._keys = keys
        self._worker = worker
        self._seconds = seconds
        self._beat = beat
        self._inherit = inherit
        self._clock = clock
        self._renew = renew
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Writes the first heartbeat, which is the lease of the slice: of two processes that start at once, one fails.

        Raises:
            PdfbatchError: this worker is already running in another process.
        """
        for _ in range(_TRIES):
            try:
                self._take_over()
                break
            except PreconditionFailed:
                continue  # another process wrote a heartbeat in between: check again
        else:
            raise PdfbatchError(
                f"Worker {self._worker} of this run was started several times at once.", "Start it only once."
            )
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self._write()

    def _take_over(self) -> None:
        key = self._keys.heartbeat(self._worker)
        entry = self._store.head(key)
        known, mark = last_sign(self._store, self._keys, self._worker)
        first = self._beat()
        if known is not None:
            refuse_twin(known, mark, self._clock(), first.machine)
            self._inherit(known)
            first = self._beat()
        data = first.model_dump_json().encode()
        if entry is None:
            self._store.put_new(key, data)
        else:
            self._store.put_if(key, data, entry.etag)

    def _run(self) -> None:
        while not self._ended.wait(self._seconds):
            self._renew()
            self._write()

    def _write(self) -> None:
        try:
            self._store.put(self._keys.heartbeat(self._worker), self._beat().model_dump_json().encode())
        except PdfbatchError:
            # A missed heartbeat makes the worker look stale for a moment; that must not end the work.
            return
