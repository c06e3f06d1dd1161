"""What the pages show, read from the store: runs, the table of documents, and single documents."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from pdfbatch.errors import NotFound
from pdfbatch.records import Manifest, Outcome, RunKeys
from pdfbatch.runs import manifest
from pdfbatch.runs.past import run_ids
from pdfbatch.runs.progress import RunStatus, read_records, summarise
from pdfbatch.runs.record_reader import RecordReader
from pdfbatch.runs.timeline import Timeline, timeline
from pdfbatch.store import S3Store, Store
from pdfbatch.web.document import Document, read_document, version_of
from pdfbatch.web.index import Index
from pdfbatch.web.marks import Marks
from pdfbatch.web.pictures import Pictures
from pdfbatch.web.plots import bars_of
from pdfbatch.web.run_page import Course, run_fragments

_KEPT_INDEXES = 3
_KEPT_DOCUMENTS = 8
_S3_SECONDS, _LOCAL_SECONDS = 10.0, 2.0


class Site:
    """Several threads may use it."""

    def __init__(
        self, store: Store, run: str | None, clock: Callable[[], datetime], pictures: Pictures, marks: Marks
    ) -> None:
        """`run` is shown where an address names none; None: the current one, and the documents of all runs."""
        self.store = store
        self.pictures = pictures
        self.marks = marks
        self.seconds = _S3_SECONDS if isinstance(store, S3Store) else _LOCAL_SECONDS
        """How often a page that is open looks for news."""
        self._run = run
        self._clock = clock
        self._lock = threading.Lock()
        self._manifests: dict[str, Manifest] = {}
        self._readers: dict[str, RecordReader] = {}
        self._indexes: OrderedDict[str, Index] = OrderedDict()
        self._documents: OrderedDict[tuple[str, str], Document] = OrderedDict()

    def runs(self) -> Sequence[str]:
        """Returns the ids of all runs, the newest first."""
        return run_ids(self.store)[::-1]

    def scope(self, asked: str) -> str:
        """Returns the run whose documents are shown; "" for those of all runs.

        Raises:
            NotFound: there is no such run.
        """
        wanted = asked or self._run or ""
        if wanted:
            self.manifest(wanted)
        return wanted

    def manifest(self, run: str) -> Manifest:
        """Returns the manifest of a run.

        Raises:
            NotFound: there is no such run.
        """
        if run not in self._manifests:
            if run not in run_ids(self.store):
                raise NotFound("There is no such run.", "Choose one of the list.")
            self._manifests[run] = manifest.load(self.store, run)
        return self._manifests[run]

    def status(self, asked: str) -> RunStatus:
        """Returns the status of a run, or of the current one."""
        return self._state(asked)[0]

    def run(self, asked: str) -> tuple[RunStatus, Mapping[str, str]]:
        """Returns the status of a run, or of the current one, and the parts of its page that change."""
        status, course = self._state(asked)
        counts = self.index(status.run).pages_over_time(course.began, course.until, bars_of(course))
        return status, run_fragments(status, Course(course, counts))

    def _state(self, asked: str) -> tuple[RunStatus, Timeline]:
        run = asked or self._run or manifest.current(self.store) or ""
        frozen, now = self.manifest(run), self._clock()
        with self._lock:
            reader = self._readers.setdefault(run, RecordReader(self.store, RunKeys(run)))
            records = read_records(self.store, frozen, reader)
        return summarise(frozen, records, now), timeline(frozen, records, now)

    def index(self, scope: str) -> Index:
        """Returns the table of documents, with the news of the last seconds."""
        with self._lock:
            found = self._indexes.pop(scope, None) or Index(self.store, scope or None)
            self._indexes[scope] = found
            while len(self._indexes) > _KEPT_INDEXES:
                self._indexes.popitem(last=False)
        found.keep_up(self.seconds)
        return found

    def outcome(self, scope: str, key: str) -> tuple[str, Outcome]:
        """Returns the run and the outcome of a document.

        Raises:
            NotFound: no run has an outcome for this key; so no other file can be named.
        """
        found = self.index(scope).outcome(key)
        if found is None:
            raise NotFound("There is no such document.", "Choose one in the table of documents.")
        return found

    def document(self, outcome: Outcome) -> Document:
        """Returns what was published of a document."""
        place = outcome.key, version_of(self.store, outcome.key)
        with self._lock:
            if place in self._documents:
                self._documents.move_to_end(place)
                return self._documents[place]
        found = read_document(self.store, outcome)
        with self._lock:
            self._documents[place] = found
            while len(self._documents) > _KEPT_DOCUMENTS:
                self._documents.popitem(last=False)
        return found
