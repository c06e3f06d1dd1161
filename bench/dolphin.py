"""Compare our decoder with Dolphin's own on this CPU, and estimate a T4 from counted work."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import psutil

from pdfbatch.engines.dolphin import memory
from pdfbatch.engines.dolphin.decode import Decoding
from pdfbatch.engines.dolphin.draft_policy import DraftPolicy
from pdfbatch.engines.dolphin.graphs import Graphs
from pdfbatch.engines.dolphin.model import _CPU_LIMITS

from . import dolphin_encoder, dolphin_steps
from .dolphin_baseline import Baseline, PageByPage
from .dolphin_counted import CHIPS, T4_MEMORY, CountingRecorder, Reached, plan_on, simulated, times
from .dolphin_ours import Ours, Setting, children, cut_page, drawn_page, read_pages, ready, shape_of, watched
from .dolphin_work import FULL, QUARTER, Geometry, Page, random_model, some_pages
from .figures import Figure, Section, share
from .measure import say

LOOP_PAGES, BASELINE_PAGES = 18, 6
FULL_PAGES, FULL_ELEMENTS, FULL_SHORTER = 2, 5, 8
"""An encoder of Dolphin's size takes seconds a picture on a CPU."""
T4_PAGES, T4_STRIDE = 288, 2
DOLLARS_AN_HOUR = 0.19
"""The Spot price of a g4dn.xlarge."""
MIXED = {
    "pages read from their text layer alone": 0.6,
    "pages with two elements for the model": 0.3,
    "whole pages": 0.1,
}
MIXED_TOKENS = (65, 400)
"""Of these two elements: a formula, and a table whose rows and columns nothing determines."""
ASSUMED = {"careful": Reached(0.40, 0.70), "good": Reached(0.50, 0.80)}
"""The assumed efficiency of a T4: its 70 W limit the clock, and small kernels never reach the peak."""


def run(corpus: Path, scratch: Path) -> list[Section]:
    if find_spec("torch") is None or find_spec("transformers") is None:
        return [Section("Dolphin", [], ["not measured: torch and transformers are not installed"])]
    return [
        compared(
            f"Dolphin's decode loop: {LOOP_PAGES} pages, a quarter of every width, CPU",
            QUARTER,
            some_pages(LOOP_PAGES),
            [
                "10 layers of width 256, pictures of 224 px, random weights, fp32; lengths as on a realistic page",
                f"the baseline reads the first {BASELINE_PAGES} of the pages: it takes as long for each of them, "
                "however many there are",
                "both compute in one thread: more only wait for each other with tensors so small",
            ],
            threads=1,
        ),
        compared(
            f"Dolphin at its full size: {FULL_PAGES} pages, CPU",
            FULL,
            some_pages(FULL_PAGES, FULL_SHORTER, FULL_ELEMENTS),
            [
                "10 layers of width 1024, pictures of 896 px, 73,921 words, random weights, fp32",
                f"{FULL_ELEMENTS} elements a page and their lengths divided by {FULL_SHORTER}, so that it takes "
                "minutes: here the encoder decides, and it has the same work on both sides",
            ],
        ),
        dolphin_encoder.compared(),
        preparing(),
        dolphin_steps.counted(),
        estimate(),
    ]


def compared(title: str, geometry: Geometry, pages: Sequence[Page], notes: list[str], threads: int = 0) -> Section:
    """Runs both sides with the same weights and lengths on `threads` threads; 0: one per core."""
    _compute_in(threads or len(os.sched_getaffinity(0)))
    model = random_model(geometry)
    base = PageByPage(model, geometry).read(pages[:BASELINE_PAGES])
    say(f"dolphin: page by page, {base.pages} pages in {base.seconds:.0f} s")
    network, eye = ready(model)
    free = psutil.virtual_memory().available // 4
    setting = Setting(memory.plan(shape_of(geometry, 4), free, **_CPU_LIMITS))
    with children(1) as pool:
        done = read_pages(watched(network, eye, setting), geometry, pages, pool)
    say(f"dolphin: ours, {done.pages} pages in {done.seconds:.0f} s")
    if done.lengths[: base.pages] != base.lengths:
        raise ValueError("the two sides did not say as much")
    return Section(title, figures(base, done, setting), [*notes, *NOTES])


NOTES = [
    "the baseline reads page by page: a layout alone, then tables, formulas, code and text in batches of at most 16",
    "one run of each side; model loaded before, drawing of pages left out on both sides",
]


def figures(base: Baseline, done: Ours, setting: Setting) -> list[Figure]:
    ratio = base.seconds / base.pages / (done.seconds / done.pages)
    return [
        Figure("baseline", 60 * base.pages / base.seconds, "pages/min"),
        Figure("ours", 60 * done.pages / done.seconds, "pages/min"),
        Figure("baseline", base.tokens / base.seconds, "tokens/s"),
        Figure("ours", done.tokens / done.seconds, "tokens/s"),
        Figure("ratio, by pages", ratio, "x"),
        Figure("ratio, by pages a second of CPU time", base.cpu / base.pages / (done.cpu / done.pages), "x"),
        Figure("baseline: steps", base.steps / base.pages, "a page"),
        Figure("ours: steps", done.steps / done.pages, "a page"),
        Figure("ours: steps were all rows always in use", done.least_steps / done.pages, "a page"),
        Figure("ours: rows in use, of all", share(done.occupancy, 1)),
        Figure("ours: rows, pictures at once", f"{setting.plan.rows}, {setting.plan.pictures}"),
        Figure("ours: model computing, of wall time", share(done.computing, done.seconds)),
        *(Figure(f"ours: {part}, of wall time", share(took, done.seconds)) for part, took in done.parts.most_common()),
        Figure("baseline: image processor, of wall time", share(base.preparing, base.seconds)),
    ]


def preparing() -> Section:
    """Measures the children's work for a page at the model's real size, without drawing it."""
    elements = [one for page in some_pages(3) for one in page.elements]
    drawn_page(FULL.side)
    began = time.process_time()
    drawn_page(FULL.side)
    layout = time.process_time() - began
    cut_page(elements, FULL.side)
    each = (time.process_time() - began - layout) / 3
    return Section(
        "Pictures prepared for Dolphin in the children",
        [
            Figure("the page for its layout", 1000 * layout, "ms of a core"),
            Figure("a page's 12 elements", 1000 * each, "ms of a core"),
        ],
        ["drawing and encoding figures are not in it"],
    )


def estimate() -> Section:
    """Estimates Dolphin on a T4 from the decoder's actual schedule, counted operations and bytes, and the assumed
    efficiency."""
    _compute_in(1)
    plan, pages = plan_on(T4_MEMORY), some_pages(T4_PAGES)
    cost = dolphin_steps.draft_cost()
    found = []
    for drafted in (False, True):
        recorder = CountingRecorder()
        how = Decoding(Graphs(recorder), T4_STRIDE, ahead=True, drafts=DraftPolicy(cost) if drafted else None)
        done = simulated(pages, Setting(plan, how), drafted=drafted)
        say(f"dolphin: {T4_PAGES} pages simulated")
        name = "drafts" if drafted else "no drafts"
        found += _estimated(name, done)
        found += [
            Figure(f"{name}: steps", done.steps / done.pages, "a page"),
            Figure(f"{name}: rows in use, of all", share(done.occupancy, 1)),
            Figure(f"{name}: graphs recorded", recorder.recorded),
            Figure(f"{name}: the loop's own Python, on this CPU", 1000 * done.cpu / done.pages, "ms a page"),
        ]
        found.append(_mixed(name, done))
    found.append(Figure("rows, pictures at once", f"{plan.rows}, {plan.pictures}"))
    chip = CHIPS["T4"]
    return Section(
        "Estimate for a T4 (not measured)",
        found,
        [
            f"{chip.flop / 1e12:.0f} TFLOP/s fp16 and {chip.bandwidth / 1e9:.0f} GB/s, of which are reached "
            + " or ".join(f"{100 * r.flop:.0f} % and {100 * r.bandwidth:.0f} % ({n})" for n, r in ASSUMED.items()),
            f"{T4_PAGES} realistic pages through the decoder's own order of work, {T4_MEMORY} GiB of memory; "
            "each part is bound by operations or by bytes, the encoder kernel by kernel",
            "steps are CUDA graphs, so launches cost nothing; children keep up; loading and drawing left out",
            f"a g4dn.xlarge at ${DOLLARS_AN_HOUR} an hour, always at work",
            "mixed set: "
            + ", ".join(f"{100 * share_of:.0f} % {what}" for what, share_of in MIXED.items())
            + f"; the two elements have {MIXED_TOKENS[0]} and {MIXED_TOKENS[1]} tokens; text layers take CPU besides",
        ],
    )


def _estimated(name: str, done: Ours) -> list[Figure]:
    found = []
    for how, reached in ASSUMED.items():
        encoder = done.pictures * dolphin_encoder.counted(FULL, False, CHIPS["T4"], reached).seconds
        took = times(done, FULL, CHIPS["T4"], reached, exact=False)._replace(encoder=encoder)
        parts = ", ".join(f"{part} {1000 * took._asdict()[part] / done.pages:.0f} ms" for part in took._fields)
        speed = done.pages / took.all
        found += [
            Figure(f"{name}, {how}: a page", parts),
            Figure(f"{name}, {how}: speed", speed, "pages/s"),
            Figure(f"{name}, {how}: cost", dollars_a_million(speed), "$ a million pages"),
        ]
    return found


def _mixed(name: str, done: Ours) -> Figure:
    """Estimates `auto` on a mixed set from what a picture and a token take on whole pages."""
    reached = ASSUMED["careful"]
    took = times(done, FULL, CHIPS["T4"], reached, exact=False)
    encoder = dolphin_encoder.counted(FULL, False, CHIPS["T4"], reached).seconds
    token = (took.filling + took.steps) / done.tokens
    whole = (done.pictures * encoder + took.filling + took.steps) / done.pages
    few = sum(encoder + tokens * token for tokens in MIXED_TOKENS)
    seconds = MIXED["whole pages"] * whole + MIXED["pages with two elements for the model"] * few
    speed = f"{1 / seconds:.1f} pages/s, ${dollars_a_million(1 / seconds):.1f} a million pages"
    return Figure(f"{name}, careful: auto on a mixed set, GPU alone", speed)


def _compute_in(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)


def dollars_a_million(pages_a_second: float, dollars_an_hour: float = DOLLARS_AN_HOUR) -> float:
    return 1e6 / pages_a_second / 3600 * dollars_an_hour
