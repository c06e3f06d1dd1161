"""Measure how pdfbatch grows with the number of keys, against a fast S3 server on this computer.

Each step runs in a process of its own, so that its peak memory is known: `python -m bench.scale STEP WORKERS`. The
inputs are flat keys of random sizes; the ledger, Markdown and heartbeats of a finished run are made here.
"""

from __future__ import annotations

import gzip
import json
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from pdfbatch.records import (
    CURRENT_RUN_KEY,
    Counts,
    CurrentRun,
    DoneMark,
    FleetRecord,
    Heartbeat,
    Manifest,
    Outcome,
    ReadOptions,
    RunKeys,
    output_key,
)
from pdfbatch.runs import ledger, manifest, slices
from pdfbatch.runs.begin import Request, begin
from pdfbatch.runs.partition import Slice
from pdfbatch.runs.remaining import remaining
from pdfbatch.runs.verify import verify
from pdfbatch.runs.whole import read_output_status, read_whole
from pdfbatch.store import Store, open_store
from pdfbatch.worker.resume import standing
from pdfbatch.worker.tally import Tally

from .figures import Figure, Section, at_most
from .measure import MIB, ROOT, say
from .s3_process import S3Process, s3_process
from .s3_server import etag_of

KEYS = (10_000, 100_000, 1_000_000)
WORKERS = 8
"""Of the run that is frozen and finished."""
STATUS_WORKERS = (5, 100, 1000)
STATUS_LATENCY_MS = 10
AFTER = {"plan": "plan of the next run"}
LINES_IN_A_SEGMENT = 50
"""A worker writes its ledger every five seconds: so many documents of a page are then done."""
RUN = "20260101T000000.000Z-0000"
AT, END = "2026-01-01T00:00:00.000Z", "2026-01-01T12:00:00.000Z"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
IN, OUT = "inputs", "outputs"
INPUT, OUTPUT = f"s3://{IN}/", f"s3://{OUT}/"


class Step(NamedTuple):
    name: str
    seconds: float
    cpu: float
    mib: float
    requests: int


def run(corpus: Path, scratch: Path, keys: Sequence[int] = KEYS) -> list[Section]:
    measured = {number: measured_steps(number) for number in keys}
    return [*(_section(number, steps) for number, steps in measured.items()), _growth(measured), _status_section()]


def measured_steps(documents: int) -> list[Step]:
    """Measures every step with so many keys."""
    with s3_process() as server:
        server.seed(IN, ((_key(number), _size(number)) for number in range(documents)))
        steps = [_step(server, name, documents) for name in ("list", "plan", "freeze")]
        run = json.loads(server.get(OUT, CURRENT_RUN_KEY))["run"]
        server.seed(OUT, _finished_run(documents, RunKeys(run)))
        last = ("worker", "join", "status", "report", "plan", "verify")
        return [*steps, *(_step(server, name, documents)._replace(name=AFTER.get(name, name)) for name in last)]


def _step(server: S3Process, name: str, documents: int, workers: int = WORKERS) -> Step:
    server.requests()
    command = [sys.executable, "-m", __name__, name, str(workers)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    done = subprocess.run(
        command, env=environment | server.environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    requests = sum(number for kind, number in server.requests().items() if kind != "at once")
    step = Step(**json.loads(done.stdout), requests=requests)
    say(f"{documents or workers:,}: {name} {step.seconds:.1f} s ({step.cpu:.1f}), {step.mib:.0f} MiB, {requests:,}")
    return step


def _section(documents: int, steps: Sequence[Step]) -> Section:
    figures = [figure for step in steps for figure in _figures(step)]
    by_name = {step.name: step for step in steps}
    if documents >= KEYS[-1]:
        figures += [
            at_most("the start of a run", by_name["freeze"].seconds, 60, "s"),
            at_most("its peak memory", by_name["freeze"].mib, 1024, "MiB"),
            at_most("a worker's start", by_name["worker"].seconds, 10, "s"),
            at_most("its peak memory", by_name["worker"].mib, 300, "MiB"),
        ]
    return Section(f"{documents:,} keys, a run of {WORKERS} workers", figures)


def _figures(step: Step) -> list[Figure]:
    return [
        Figure(f"{step.name}: wall time", step.seconds, "s"),
        Figure(f"{step.name}: CPU time", step.cpu, "s"),
        Figure(f"{step.name}: peak memory", step.mib, "MiB"),
        Figure(f"{step.name}: requests", step.requests),
    ]


def _growth(measured: Mapping[int, Sequence[Step]]) -> Section:
    """The exponent e of CPU time ~ keys ** e, from the fewest keys to the most."""
    few, many = min(measured), max(measured)
    pairs = zip(measured[few], measured[many], strict=True)
    ratio = math.log(many / few) if many > few else math.inf
    return Section(
        f"Growth of CPU time from {few:,} to {many:,} keys, as an exponent",
        [at_most(one.name, round(math.log(other.cpu / one.cpu) / ratio, 2), 1.0) for one, other in pairs],
    )


def _status_section() -> Section:
    figures = []
    for workers in STATUS_WORKERS:
        with s3_process("--latency", str(STATUS_LATENCY_MS)) as server:
            server.seed(OUT, _running(workers))
            frozen = Manifest(
                run=RUN,
                created=AT,
                input=INPUT,
                output=OUTPUT,
                total_workers=workers,
                engine="cpu",
                slices=[1000] * workers,
            )
            server.put(OUT, RunKeys(RUN).manifest, gzip.compress(frozen.model_dump_json().encode()))
            step = _step(server, "status", 0, workers)
        figures += [
            at_most(f"{workers:,} workers", step.seconds, 2, "s"),
            Figure(f"{workers:,} workers: requests", step.requests),
        ]
    return Section(f"Status, each request answered after {STATUS_LATENCY_MS} ms", figures)


def _manifest(workers: int) -> Manifest:
    places = {"input": INPUT, "output": OUTPUT}
    return Manifest(run=RUN, created=AT, **places, total_workers=workers, engine="cpu", slices=[1000] * workers)


def _key(number: int) -> str:
    return f"doc-{number:07}.pdf"


def _size(number: int) -> int:
    return 50_000 + crc32(b"%d" % number) % 5_000_000


def _finished_run(documents: int, keys: RunKeys) -> Iterator[tuple[str, str | int]]:
    """Yields the objects that the workers of the frozen run would have written."""
    for number in range(documents):
        yield output_key(_key(number)), "<!-- page 1 -->\n\nText.\n"
    for worker in range(WORKERS):
        mine = range(worker, documents, WORKERS)
        for begin_ in range(0, len(mine), LINES_IN_A_SEGMENT):
            lines = (_line(number, worker) for number in mine[begin_ : begin_ + LINES_IN_A_SEGMENT])
            yield keys.ledger_segment(worker, begin_ // LINES_IN_A_SEGMENT + 1), "\n".join(lines) + "\n"
        counts = Counts(total=len(mine), ok=len(mine), pages_read=len(mine))
        yield keys.heartbeat(worker), _beat(worker, counts, is_done=True)
        yield keys.done_mark(worker), DoneMark(worker=worker, why="done", at=AT, counts=counts).model_dump_json()


def _line(number: int, worker: int) -> str:
    key = _key(number)
    outcome = Outcome(
        key=key, outcome="ok", pages=1, read_by={"text": 1}, scores={"1.0": 1}, engine="cpu", etag=etag_of(key)
    )
    return outcome.model_copy(
        update={"output": output_key(key), "size": _size(number), "worker": worker, "at": NOW}
    ).model_dump_json()


def _beat(worker: int, counts: Counts, *, is_done: bool) -> str:
    state = "done" if is_done else "running"
    return Heartbeat(worker=worker, state=state, counts=counts, started=AT, at=AT, seconds=60).model_dump_json()


def _running(workers: int) -> Iterator[tuple[str, str | int]]:
    """Yields a run of which half of the workers are done."""
    keys, counts = RunKeys(RUN), Counts(total=1000, ok=500, pages_read=5000)
    yield CURRENT_RUN_KEY, CurrentRun(run=RUN).model_dump_json()
    yield (
        keys.fleet,
        FleetRecord(
            run=RUN,
            region="us-east-1",
            launched=AT,
            deadline=END,
            end=END,
            expiry=END,
            instance_types=["g4dn.xlarge"],
            worst_price=1.0,
            image="",
            ami="",
            log_group="",
        ).model_dump_json(),
    )
    for worker in range(workers):
        yield keys.heartbeat(worker), _beat(worker, counts, is_done=worker % 2 == 0)
        if worker % 2 == 0:
            yield keys.done_mark(worker), DoneMark(worker=worker, why="done", at=AT, counts=counts).model_dump_json()


# ── the steps, in their own processes ────────────────────────────────────────────────────────────────────────────────


def _list(workers: int) -> object:
    return sum(1 for _ in open_store(INPUT).list())


def _plan(workers: int) -> object:
    """What `launch` reads and decides from the store; it also opens a sample of documents and asks AWS."""
    return remaining(open_store(INPUT), open_store(OUTPUT), NOW, redo_changed=False, all_failures=False)


def _freeze(workers: int) -> object:
    """The whole start of a run: list, select, divide, write."""
    wanted = Request(Slice(0, workers), "cpu", ReadOptions())
    return begin(open_store(INPUT), open_store(OUTPUT), wanted, lambda: NOW)


def _worker(workers: int) -> object:
    """What a worker that starts again reads before it works: its slice and its ledger."""
    output, tally = open_store(OUTPUT), Tally()
    frozen = _current(output)
    documents = slices.documents_of(output, frozen, 0)
    return standing(RunKeys(frozen.run), 0, documents, output, tally.recall)


def _join(workers: int) -> object:
    """What each worker does at its end, for all of them."""
    output = open_store(OUTPUT)
    frozen = _current(output)
    for worker in range(workers):
        ledger.compact(output, RunKeys(frozen.run), worker)
    return None


def _status(workers: int) -> object:
    output = open_store(OUTPUT)
    return read_output_status(output, _current(output), NOW)


def _report(workers: int) -> object:
    output = open_store(OUTPUT)
    return read_whole(output, _current(output), NOW)


def _verify(workers: int) -> object:
    verdict = verify(open_store(OUTPUT))
    if not verdict.sound:
        raise ValueError("the run is not sound")
    return verdict


def _current(output: Store) -> Manifest:
    return manifest.load(output, manifest.current(output) or "")


STEPS: dict[str, Callable[[int], object]] = {
    "list": _list,
    "plan": _plan,
    "freeze": _freeze,
    "worker": _worker,
    "join": _join,
    "status": _status,
    "report": _report,
    "verify": _verify,
}


def main() -> None:
    name, workers = sys.argv[1], int(sys.argv[2])
    open_store(INPUT).check_readable()  # loads botocore, which is no part of any step
    began, cpu = time.perf_counter(), time.process_time()
    STEPS[name](workers)
    seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent += children.ru_utime + children.ru_stime
    print(json.dumps({"name": name, "seconds": seconds, "cpu": spent, "mib": peak_mib()}))


def peak_mib() -> float:
    """Returns the peak of this process, without its children; getrusage on Linux also counts what it was before it
    became this program."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB


if __name__ == "__main__":
    main()
