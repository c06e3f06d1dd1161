"""The pipeline of the engine `command`: fetch a batch, run the command on it, publish what it made.

One thread makes all decisions: the one that iterates `run`. Each batch runs in a thread of its own, in a pair of fresh
folders. A batch whose command fails is divided: each document runs alone, so that one of them costs only itself.
"""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from pdfbatch.documents.sandbox.children import Failure
from pdfbatch.errors import AccessDenied, NotFound, NotReady, StoreError, StoreFull
from pdfbatch.markdown.document import anchors
from pdfbatch.records import Outcome, PageResult, ReadOptions, Reason, SourceDocument
from pdfbatch.runs.inputs import bad_name
from pdfbatch.runs.partition import work_of
from pdfbatch.store import Store
from pdfbatch.store.scratch import copied
from pdfbatch.visible import visible
from pdfbatch.worker.command_files import Made, made_files, markdown_for
from pdfbatch.worker.command_publish import publish_files
from pdfbatch.worker.command_run import TRY_LATER, Ended, run_command
from pdfbatch.worker.events import TICK_SECONDS
from pdfbatch.worker.hooks import Hooks
from pdfbatch.worker.patience import patiently
from pdfbatch.worker.stop import Stop
from pdfbatch.worker.threads import in_thread
from pdfbatch.worker.work import MadeBy, SliceWork
from pdfbatch.worker.workload import Offer, Pause

_KILL_SECONDS = 10.0
"""How long a killed command may take to end, and its documents to be published."""


class Folders(NamedTuple):
    """Where a slice reads and writes; `scratch` is a local folder."""

    source: Store
    output: Store
    scratch: Path


class CommandPipeline:
    """Turns documents into outcomes."""

    def __init__(
        self, folders: Folders, made_by: MadeBy, options: ReadOptions, stop: Stop, hooks: Hooks, batches: int
    ) -> None:
        """`batches`: how many run at once."""
        self._folders = folders
        self._made_by = made_by
        self._options = options
        self._stop = stop
        self._hooks = hooks
        self._batches = batches
        self._running: dict[Future[list[Outcome]], Sequence[SliceWork]] = {}
        self._is_killed = False
        self.is_finished = False
        """Whether `run` ended because nothing is left."""

    def run(self, offers: Iterable[Offer | Pause]) -> Iterator[Outcome]:
        """Yields outcomes as they come. After a stop, commands that are running may end; the documents of those that do
        not are left for the next process.

        Raises:
            StoreFull, AccessDenied, NotReady: nothing can be written any more; published documents stay.
        """
        todo = iter(offers)
        while not self._stop.asked and (self._start(todo) or self._running):
            yield from self._ended(TICK_SECONDS)
        until = time.monotonic() + self._stop.seconds
        while self._running and time.monotonic() < until:
            yield from self._ended(TICK_SECONDS)
        self._is_killed = True
        until = time.monotonic() + _KILL_SECONDS
        while self._running and time.monotonic() < until:
            yield from self._ended(TICK_SECONDS)
        self.is_finished = not self._running and next(todo, None) is None

    def save_pages(self) -> None:
        """Does nothing: a command's work can only be published whole."""

    def reading(self) -> list[str]:
        """Returns what the commands are running on, for display. May be called from any thread."""
        return [_some(works) for works in list(self._running.values())]

    def _start(self, todo: Iterator[Offer | Pause]) -> bool:
        """Starts batches until enough are running or no document is there now; returns whether there may be more."""
        while len(self._running) < self._batches:
            offers, may_come = self._next_batch(todo)
            if not offers:
                return may_come
            works = [SliceWork(each.document, time.monotonic(), each.block) for each in offers if each.block.is_mine()]
            batch = _Batch(self._folders, self._made_by, self._options, self._hooks.now, lambda: self._is_killed)
            self._running[in_thread(partial(batch.outcomes, works), "command")] = works
        return True

    def _next_batch(self, todo: Iterator[Offer | Pause]) -> tuple[list[Offer], bool]:
        """Returns the offers that are there now, at most a batch, and whether more may come."""
        offers = list[Offer]()
        for each in islice(todo, self._options.command.batch):
            if isinstance(each, Pause):
                return offers, True
            offers.append(each)
        return offers, len(offers) == self._options.command.batch

    def _ended(self, seconds: float) -> Iterator[Outcome]:
        """Yields the outcomes of batches that end within `seconds`."""
        if not self._running:
            time.sleep(seconds)
        for future in wait(self._running, seconds, FIRST_COMPLETED).done:
            works = {work.key: work for work in self._running.pop(future)}
            for outcome in future.result():
                self._count(outcome, works[outcome.key].document)
                yield outcome
        self._hooks.tick()

    def _count(self, outcome: Outcome, document: SourceDocument) -> None:
        reasons = dict(outcome.failed_pages)
        for number in range(1, outcome.pages + 1):
            page = PageResult(number=number, reason=reasons.get(number))
            self._hooks.page_done(page, work_of(document) / outcome.pages, False)
        if outcome.output is not None:
            self._hooks.on_durable()


class _Batch:
    """Runs the command on some documents. Everything in it runs in the batch's thread."""

    def __init__(
        self,
        folders: Folders,
        made_by: MadeBy,
        options: ReadOptions,
        clock: Callable[[], datetime],
        is_killed: Callable[[], bool],
    ) -> None:
        self._folders = folders
        self._made_by = made_by
        self._options = options
        self._clock = clock
        self._is_killed = is_killed

    def outcomes(self, works: Sequence[SliceWork]) -> list[Outcome]:
        """Returns the outcomes of documents; without those whose command was killed because of a stop."""
        place = self._folders.scratch / uuid.uuid4().hex
        inputs, outputs = place / "in", place / "out"
        try:
            inputs.mkdir(parents=True)
            outputs.mkdir()
            failed, fetched = self._fetch(works, inputs)
            if not fetched:
                return failed
            ended = self._run(inputs, outputs, place / "log")
            if ended.is_stopped:
                return failed
            if ended.code == 0 and not ended.is_late:
                made = made_files(outputs, [work.key for work in fetched])
                return failed + [self._published(work, made[work.key]) for work in fetched]
        finally:
            shutil.rmtree(place, ignore_errors=True)
        if len(fetched) > 1:
            return failed + [outcome for work in fetched for outcome in self.outcomes([work])]
        return [*failed, self._failed(fetched[0], self._why(ended))]

    def _fetch(self, works: Sequence[SliceWork], inputs: Path) -> tuple[list[Outcome], list[SliceWork]]:
        failed, fetched = list[Outcome](), list[SliceWork]()
        for work in works:
            if failure := self._fetched(work, inputs):
                failed.append(self._failed(work, failure))
            else:
                fetched.append(work)
        return failed, fetched

    def _fetched(self, work: SliceWork, inputs: Path) -> Failure | None:
        source, key, retries = self._folders.source, work.key, self._options.max_retries
        if work.document.twin:
            return work.name_clash()
        if fault := bad_name(self._folders.output, key):
            return Failure(Reason.BAD_NAME, fault)
        target = inputs / key
        try:
            entry = patiently(lambda: source.head(key), retries)
            if entry is None:
                return Failure(Reason.MISSING, "is no longer in the input")
            work.document = work.document._replace(size=entry.size, etag=entry.etag)
            work.digest = patiently(lambda: source.digest(key), retries)
            target.parent.mkdir(parents=True, exist_ok=True)
            path = patiently(lambda: source.fetch(key, target), retries)
            if path != target:
                copied(path, target)
        except NotFound:
            return Failure(Reason.MISSING, "is no longer in the input")
        except (StoreFull, NotReady):
            raise
        except StoreError as error:
            return Failure(Reason.STORE_ERROR, error.message)
        except OSError as error:  # such as one name for a file and a folder
            return Failure(Reason.BAD_NAME, f"the folder of the command cannot hold it: {error.strerror}")
        return None

    def _run(self, inputs: Path, outputs: Path, log: Path) -> Ended:
        command = self._options.command
        line = command.shell_line(inputs, outputs)
        for attempt in range(self._options.max_retries + 1):
            ended = run_command(line, command.seconds, command.memory_mib, log, self._is_killed)
            if ended.code != TRY_LATER or attempt == self._options.max_retries:
                break
            shutil.rmtree(outputs)
            outputs.mkdir()
            time.sleep(2.0**attempt)
        return ended

    def _published(self, work: SliceWork, files: Sequence[Made]) -> Outcome:
        markdown = markdown_for(work.key, files)
        if markdown is None:
            return self._failed(work, Failure(Reason.COMMAND_FAILED, "the command wrote nothing for it"))
        pages = anchors(markdown.decode("utf-8", "replace"))
        work.numbers = [page.number for page in pages]
        if work.numbers != list(range(1, len(pages) + 1)):
            return self._failed(work, Failure(Reason.COMMAND_FAILED, "its page anchors are not 1, 2, 3 and so on"))
        for page in pages:
            work.results.add(PageResult(number=page.number, reason=page.reason))
        outcome = work.outcome(self._made_by, time.monotonic() - work.started, self._clock())
        try:
            if outcome.output is not None:
                publish_files(self._folders.output, work.document, files, markdown, self._options.max_retries)
        except (StoreFull, AccessDenied, NotReady):
            raise
        except StoreError as error:
            return self._failed(work, Failure(Reason.STORE_ERROR, error.message))
        return outcome

    def _failed(self, work: SliceWork, failure: Failure) -> Outcome:
        return work.failed(failure, self._made_by, time.monotonic() - work.started, self._clock())

    def _why(self, ended: Ended) -> Failure:
        said = f": {visible(ended.last_line)}" if ended.last_line else ""
        if ended.is_late:
            return Failure(Reason.TIMEOUT, f"the command took longer than {self._options.command.seconds:g} s{said}")
        if ended.code < 0 or ended.code > 128:
            number = -ended.code if ended.code < 0 else ended.code - 128
            return Failure(Reason.CRASHED, f"the command was ended by signal {number}{said}")
        return Failure(Reason.COMMAND_FAILED, f"the command ended with exit code {ended.code}{said}")


def _some(works: Sequence[SliceWork]) -> str:
    if not works:
        return ""
    more = f" and {len(works) - 1} more" if len(works) > 1 else ""
    return works[0].key + more
