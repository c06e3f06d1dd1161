"""Dolphin at its full size in fp16 on a CUDA device, under the memory of a T4: `python -m bench gpu`."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from pdfbatch.engines.dolphin import memory
from pdfbatch.engines.dolphin.decode import Decoding
from pdfbatch.engines.dolphin.draft_policy import DraftPolicy
from pdfbatch.engines.dolphin.encoder import Published
from pdfbatch.engines.dolphin.graphs import CudaRecorder, Graphs, Recorder
from pdfbatch.engines.dolphin.slots import SlotEntry, Slots
from pdfbatch.engines.dolphin.step_shape import StepShape

from .dolphin_baseline import Baseline, PageByPage
from .dolphin_chip import Busy, chip_of, seconds_of, wait
from .dolphin_counted import T4_MEMORY, encoder_flop, step_bytes, times
from .dolphin_ours import Drafts, Ours, Setting, Watched, children, read_pages, ready, shape_of, watched, with_mistakes
from .dolphin_work import FULL, Geometry, Page, prompt, random_model, some_pages
from .figures import Figure, Section, at_least, at_most, share
from .measure import say

STRIDE = 2
GIB = 2**30


class Setup(NamedTuple):
    """Where and how much is measured. Pages come in blocks of `block` different ones, so that their pictures fit into
    memory; `main`, `trial` and `sample` are how many blocks or pages a run reads."""

    device: str = "cuda"
    geometry: Geometry = FULL
    block: int = 48
    main: int = 6
    trial: int = 2
    baseline: int = 3
    sample: int = 2
    shorter: int = 1
    cap_gib: float = T4_MEMORY
    seconds: float = 420
    """After which no further trial is begun."""
    recorder: Callable[[], Recorder] | None = None
    """What records steps; None: CUDA graphs on a CUDA device, nothing on others."""

    @property
    def is_cuda(self) -> bool:
        return "cuda" in self.device

    @property
    def item(self) -> int:
        return 2 if self.is_cuda else 4


def run(corpus: Path, scratch: Path) -> list[Section]:
    import torch

    if not torch.cuda.is_available():
        return [Section("Dolphin on a GPU", [], ["not measured: there is no CUDA device here"])]
    return measured(Setup())


def measured(setup: Setup) -> list[Section]:
    """Everything, on any device; graphs and the driver's own figures only on CUDA."""
    bench = _Bench(setup)
    try:
        return [part() for part in (bench.main, bench.encoder, bench.steps, bench.trials, bench.compiled)]
    finally:
        bench.close()


class _Kept(Executor):
    """Children's work prepared in advance, so that only the model is measured."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._kept: dict[object, Future[Any]] = {}

    def submit(self, work: Any, /, *given: Any, **named: Any) -> Future[Any]:
        key = (work.__name__, str(given))
        if key not in self._kept:
            self._kept[key] = self._pool.submit(work, *given)
        return self._kept[key]


class _Bench:
    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._ends = time.perf_counter() + setup.seconds
        _cap(setup)
        self._model = random_model(setup.geometry, setup.device)
        self._name, self._chip = chip_of(setup.device, 8192 if setup.is_cuda else 256)
        self._pages = some_pages(setup.block, setup.shorter)
        self._baseline = PageByPage(self._model, setup.geometry)
        self._network, self._eye = ready(self._model)
        cores = len(os.sched_getaffinity(0))
        self._children = children(max(1, min(12, cores - 1)))
        self._pool = _Kept(self._children)
        say(f"gpu: {self._name}, {cores} cores")

    def close(self) -> None:
        self._children.shutdown()

    # ── the whole against the baseline ───────────────────────────────────────────────────────────────────────────

    def main(self) -> Section:
        setup, plan = self._setup, self._plan()
        self._baseline.read(self._pages[:1])
        base = self._baseline.read(self._pages[: setup.baseline])
        say(f"gpu: baseline, {base.pages} pages in {base.seconds:.1f} s")
        _forget_peak(setup)
        decoder = self._decoder(plan)
        read_pages(decoder, setup.geometry, self._pages, self._pool)
        say("gpu: warm")
        with Busy() as busy:
            done = read_pages(decoder, setup.geometry, self._pages * setup.main, self._pool)
        say(f"gpu: ours, {done.pages} pages in {done.seconds:.1f} s")
        fed = read_pages(decoder, setup.geometry, self._pages * setup.trial, self._children)
        peak = _peak(setup)
        del decoder  # two would not fit
        parts = self._read(plan, synchronise=lambda: wait(setup.device))
        return Section(
            f"Dolphin on {self._name}: {done.pages} pages",
            [
                *_against(base, done),
                *self._of_the_best(done),
                *_busy(busy.share, done),
                at_most("peak of device memory", peak, setup.cap_gib, "GiB"),
                Figure("until the first page is read, loaded and warm", done.first, "s"),
                Figure("rows, pictures at once", f"{plan.rows}, {plan.pictures}"),
                *(
                    Figure(f"waiting after each part: {part}", 1000 * took / parts.pages, "ms a page")
                    for part, took in parts.parts.most_common()
                ),
                Figure("ours, children preparing meanwhile", fed.pages / fed.seconds, "pages/s"),
            ],
            [
                f"its best: {self._chip.flop / 1e12:.0f} TFLOP/s fp16, {self._chip.bandwidth / 1e9:.0f} GB/s",
                f"full geometry, random weights, forced lengths; graphs {'on' if setup.is_cuda else 'off'}, "
                f"{STRIDE} steps between two looks, {setup.cap_gib} GiB",
                f"baseline: the first {base.pages} pages, its processor and crops included; ours: pictures prepared "
                "before, but for the last line",
            ],
        )

    def _of_the_best(self, done: Ours) -> list[Figure]:
        needed, padded = (times(done, self._setup.geometry, self._chip, exact=exact) for exact in (True, False))
        return [
            at_least("share of the roofline: work needed", needed.all / done.seconds, 0.5),
            Figure("share of the roofline: work done, padding too", padded.all / done.seconds),
            *(
                Figure(f"roofline: {name}, of wall time", share(took, done.seconds))
                for name, took in needed._asdict().items()
            ),
        ]

    # ── what earns what ──────────────────────────────────────────────────────────────────────────────────────────

    def trials(self) -> Section:
        """Compares each variant with the default on the same pages."""
        usual = self._read(self._plan())
        found = [Figure("as it is by default", usual.pages / usual.seconds, "pages/s")]
        for name, read in self._variants():
            found.append(self._tried(name, usual, read))
        return Section(
            "What each earns on the GPU: pages/s against the default's",
            found,
            [f"{usual.pages} pages each ({self._setup.sample} for one row); graphs are recorded before"],
        )

    def _variants(self) -> Iterator[tuple[str, Callable[[], Ours]]]:
        plan = self._plan
        yield "CUDA graphs off", lambda: self._read(plan(), self._how(graphs=False))
        yield "steps started after the last are heard", lambda: self._read(plan(), self._how(ahead=False))
        yield "attention by matrix products", lambda: self._read(plan(), products=True)
        yield "drafts for texts", lambda: self._read(plan(), self._how(drafts=DraftPolicy()), drafts=True)
        for backend in ("EFFICIENT_ATTENTION", "CUDNN_ATTENTION"):
            yield f"attention: only {backend.lower()}", lambda b=backend: self._read(plan(), attention=b)
        for stride in (1, 8, 16):
            yield f"{stride} steps between two looks", lambda s=stride: self._read(plan(), self._how(stride=s))
        for rows in (96, 32, 16):
            yield f"{rows} rows", lambda r=rows: self._read(plan(rows=r))
        for pictures in (1, 4, 8, 16):
            yield f"{pictures} pictures at once", lambda p=pictures: self._read(plan(pictures=p))
        few = self._pages[: self._setup.sample]
        yield "1 row", lambda: self._read(plan(rows=1), pages=few)
        yield "1 row, CUDA graphs off", lambda: self._read(plan(rows=1), self._how(graphs=False), pages=few)

    def _tried(self, name: str, usual: Ours, read: Callable[[], Ours]) -> Figure:
        """Runs one trial; one that fails is reported and does not affect the others."""
        if self._is_late:
            return Figure(name, "no time left")
        try:
            done = read()
        except Exception as error:
            return _failed(name, error)
        say(f"gpu: {name}, {done.pages / done.seconds:.2f} pages/s")
        return Figure(name, usual.seconds / usual.pages * done.pages / done.seconds, "x")

    def _read(
        self,
        plan: memory.BatchPlan,
        how: Decoding | None = None,
        *,
        attention: str = "",
        products: bool = False,
        synchronise: Callable[[], object] | None = None,
        pages: Sequence[Page] = (),
        drafts: bool = False,
    ) -> Ours:
        pages = pages or self._pages * self._setup.trial
        gc.collect()
        decoder = self._decoder(plan, how, synchronise)
        usual = self._network.attention
        self._network.attention = "products" if products else usual
        try:
            with _attention(attention):
                geometry, warm = self._setup.geometry, pages[: len(pages) // 2]
                said = read_pages(decoder, geometry, warm, self._pool).said  # warms up
                from_said = _drafts(said) if drafts else None
                if drafts:
                    read_pages(decoder, geometry, warm, self._pool, from_said)
                return read_pages(decoder, geometry, pages, self._pool, from_said)
        finally:
            self._network.attention = usual

    def _how(
        self, stride: int = STRIDE, graphs: bool = True, ahead: bool = True, drafts: DraftPolicy | None = None
    ) -> Decoding:
        recorder = self._setup.recorder or (CudaRecorder if self._setup.is_cuda else None)
        recorded = Graphs(recorder()) if graphs and recorder is not None else None
        return Decoding(recorded, stride, ahead, drafts)

    def _decoder(
        self, plan: memory.BatchPlan, how: Decoding | None = None, synchronise: Callable[[], object] | None = None
    ) -> Watched:
        return watched(self._network, self._eye, Setting(plan, how or self._how(), synchronise))

    def _plan(self, rows: int = memory.MOST_ROWS, pictures: int = memory.MOST_PICTURES) -> memory.BatchPlan:
        setup = self._setup
        weights = sum(weight.nbytes for weight in self._model.parameters())
        free = int(setup.cap_gib * GIB) - weights
        return memory.plan(shape_of(setup.geometry, setup.item), free, rows, pictures)

    # ── the two halves alone ─────────────────────────────────────────────────────────────────────────────────────

    def encoder(self) -> Section:
        found = [self._encoding(f"{count} at once", count, self._network.encode) for count in (1, 4, 8, 16)]
        found.append(self._encoding("8 at once, as published", 8, Published(self._model.encoder)))
        flop = encoder_flop(self._setup.geometry)
        return Section("The encoder alone", found, [f"{flop / 1e9:.1f} GFLOP a picture"])

    def compiled(self) -> Section:
        """Last, as it takes a minute or two."""
        import torch

        encoder = self._model.encoder if self._is_late else torch.compile(self._model.encoder, dynamic=False)
        found = self._encoding("8 at once", 8, lambda pictures: encoder(pixel_values=pictures))
        return Section("The published encoder alone, compiled", [found])

    @property
    def _is_late(self) -> bool:
        return time.perf_counter() > self._ends

    def _encoding(self, name: str, count: int, encode: Callable[[Any], Any]) -> Figure:
        import torch

        if self._is_late:
            return Figure(name, "no time left")
        side = self._setup.geometry.side
        pictures = zeros(self._network, count, 3, side, side)
        try:
            with torch.inference_mode():
                each = seconds_of(lambda: encode(pictures), self._setup.device, times=5) / count
        except Exception as error:
            return _failed(name, error)
        say(f"gpu: encoder, {name}: {1 / each:.1f} pictures/s")
        reached = share(encoder_flop(self._setup.geometry) / each, self._chip.flop)
        return Figure(name, f"{1 / each:,.1f} pictures/s, {reached} of the best")

    def steps(self) -> Section:
        """Measures a step over `rows` rows, all with `length` tokens in the cache."""
        import torch

        most = self._network.max_positions
        sizes = [(rows, min(length, most), 0) for rows in (1, 16, 64) for length in (256, 1024, 2048)]
        with torch.inference_mode():
            found = [self._step(*size) for size in (*sizes, (16, 256, 4), (64, 256, 16), (64, 256, 32))]
        return Section("One step of the decoder alone", found, ["share: of what its bytes would take at the best"])

    def _step(self, rows: int, length: int, drafting: int) -> Figure:
        geometry, name = self._setup.geometry, f"{rows} rows, {length} places"
        name += f", {drafting} with drafts" if drafting else ""
        try:
            slots = Slots(self._network, rows, length, self._how().graphs)
            hidden = zeros(self._network, geometry.picture_tokens, geometry.width)
            slots.admit(range(rows), [SlotEntry(hidden, prompt("text", geometry))] * rows)()
            shape = StepShape(rows, length, drafting=drafting)
            each = seconds_of(lambda: slots.step(shape, 8)(), self._setup.device, times=3) / 8
        except Exception as error:
            return _failed(name, error)
        best = step_bytes(geometry, rows, rows * length, self._setup.item) / self._chip.bandwidth
        return Figure(name, f"{1000 * each:.2f} ms, {share(best, each)}")


def zeros(network: Any, *shape: int) -> Any:
    import torch

    return torch.zeros(*shape, device=network.device, dtype=network.dtype)


def _drafts(said: Sequence[Sequence[Sequence[int]]]) -> Drafts:
    """Returns drafts, with some mistakes, of what the model has said to these pages before."""
    return lambda page, place: with_mistakes(said[page % len(said)][1 + place])


@contextmanager
def _attention(backend: str) -> Iterator[None]:
    """Only this one of torch's ways to compute attention; "": as torch chooses."""
    from torch.nn import attention

    chosen = attention.sdpa_kernel(getattr(attention.SDPBackend, backend)) if backend else nullcontext()
    with chosen:
        yield


def _failed(name: str, error: Exception) -> Figure:
    return Figure(name, f"failed: {type(error).__name__}: {str(error)[:60]}")


def _against(base: Baseline, done: Ours) -> list[Figure]:
    return [
        Figure("baseline", base.pages / base.seconds, "pages/s"),
        Figure("ours", done.pages / done.seconds, "pages/s"),
        at_least("ratio", base.seconds / base.pages / (done.seconds / done.pages), 20, "x"),
        Figure("baseline", base.tokens / base.seconds, "tokens/s"),
        Figure("ours", done.tokens / done.seconds, "tokens/s"),
        Figure("baseline: steps", base.steps / base.pages, "a page"),
        Figure("ours: steps", done.steps / done.pages, "a page"),
        Figure("ours: steps were all rows always in use", done.least_steps / done.pages, "a page"),
        Figure("ours: rows in use, of all", share(done.occupancy, 1)),
        Figure("baseline: image processor, of wall time", share(base.preparing, base.seconds)),
    ]


def _busy(sampled: float | None, done: Ours) -> list[Figure]:
    computing = Figure("decoder at work, of wall time", share(done.computing, done.seconds))
    if sampled is None:
        return [computing, Figure("GPU busy", "not known: the driver does not say")]
    return [computing, at_least("GPU busy, of wall time", sampled, 0.9)]


def _cap(setup: Setup) -> None:
    import torch

    if setup.is_cuda:
        total = torch.cuda.get_device_properties(setup.device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, setup.cap_gib * GIB / total))


def _forget_peak(setup: Setup) -> None:
    import torch

    if setup.is_cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _peak(setup: Setup) -> float:
    """GiB that torch held of the device at most, since `_forget_peak`."""
    import torch

    return torch.cuda.max_memory_reserved(setup.device) / GIB if setup.is_cuda else 0.0
