"""What the benchmark of Dolphin says of work, and that both of its sides do it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from bench import dolphin_gpu  # noqa: E402
from bench.dolphin import dollars_a_million  # noqa: E402
from bench.dolphin_baseline import PageByPage  # noqa: E402
from bench.dolphin_chip import chip_of  # noqa: E402
from bench.dolphin_counted import (  # noqa: E402
    CHIPS,
    T4_MEMORY,
    Chip,
    CountingRecorder,
    attention_flop,
    encoder_flop,
    keys_flop,
    padded,
    plan_on,
    simulated,
    step_bytes,
    times,
    token_weights,
    weights_flop,
)
from bench.dolphin_ours import Look, Ours, Setting, read_pages, ready, shape_of, watched  # noqa: E402
from bench.dolphin_work import FULL, Geometry, Page, random_model, some_pages, words_of  # noqa: E402
from pdfbatch.engines.dolphin.decode import Decoding  # noqa: E402
from pdfbatch.engines.dolphin.draft_policy import DraftPolicy  # noqa: E402
from pdfbatch.engines.dolphin.graphs import Graphs  # noqa: E402
from pdfbatch.engines.dolphin.network import Network  # noqa: E402
from pdfbatch.engines.dolphin.step_shape import StepShape  # noqa: E402

from .networks import Replaying  # noqa: E402

TINY = Geometry(224, 16, (1, 1, 2, 1), (1, 2, 4, 8), 128, 2, 4, 96, 300, 256)
SHORTER = 20


@pytest.fixture(scope="module")
def model() -> Any:
    return random_model(TINY)


@pytest.fixture(scope="module")
def pages() -> list[Page]:
    return some_pages(3, SHORTER)


@pytest.fixture
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def lengths(pages: list[Page]) -> list[list[int]]:
    return [[one.tokens for one in (page.layout, *page.elements)] for page in pages]


def test_the_pages_are_those_that_their_description_says() -> None:
    pages = some_pages(288)
    elements = [element for page in pages for element in page.elements]
    tokens = [element.tokens for element in elements]
    assert len(elements) == 12 * len(pages)
    assert 115 <= sum(tokens) / len(tokens) <= 125
    assert min(tokens) >= 40 and max(tokens) <= 1200
    assert sum(element.kind == "table" for element in elements) == len(pages) / 3
    assert all(0 <= low < high <= 1 for e in elements for low, high in zip(e.box[:2], e.box[2:], strict=True))
    assert pages == some_pages(288)


def test_shorter_pages_have_the_same_boxes_and_lengths_divided() -> None:
    whole, part = some_pages(6), some_pages(6, shorter=8, elements=5)
    for page, small in zip(whole, part, strict=True):
        assert small.elements == [one._replace(tokens=one.tokens // 8) for one in page.elements[:5]]
        assert small.layout.tokens == 25 * 5 // 8


@pytest.mark.slow
def test_the_baseline_makes_a_batch_go_on_until_its_longest_row_has_ended(model: Any, pages: list[Page]) -> None:
    done = PageByPage(model, TINY).read(pages)
    batches = [[page.layout.tokens] for page in pages]
    for page in pages:
        kinds = {element.kind for element in page.elements}
        batches += [[element.tokens for element in page.elements if element.kind == kind] for kind in kinds]
    assert done.steps == sum(max(batch) + 1 for batch in batches)
    assert done.lengths == lengths(pages)
    assert done.tokens == words_of(pages)
    assert done.pictures == 13 * len(pages)


def test_our_decoder_does_the_same_work_and_counts_it(model: Any, pages: list[Page], threads: Executor) -> None:
    network, eye = ready(model)
    setting = Setting(plan_on(T4_MEMORY)._replace(rows=8, pictures=4, shape=shape_of(TINY, 4)))
    done = read_pages(watched(network, eye, setting), TINY, pages, threads)
    assert done.lengths == lengths(pages)
    assert done.tokens == words_of(pages)
    assert done.pictures == sum(done.encoded) == sum(done.fills) == 13 * len(pages)
    assert done.steps == sum(look.count for look in done.looks) >= done.least_steps
    # Each row says one word when it is filled, and its end mark's place takes a step.
    assert sum(look.live * look.count for look in done.looks) == done.tokens
    assert 0 < done.occupancy <= 1
    assert set(done.parts) == {"encoder", "filling", "steps"}
    assert sum(done.parts.values()) <= done.computing <= done.seconds


def test_a_simulated_run_does_the_same_work_as_a_real_one() -> None:
    pages = some_pages(20, SHORTER)
    done = simulated(pages, Setting(plan_on(T4_MEMORY), Decoding(stride=4)))
    assert done.lengths == lengths(pages)
    assert done.pictures == sum(done.encoded) == 13 * len(pages)
    assert done.steps >= done.least_steps


def test_the_encoders_operations_are_those_that_torch_counts(model: Any) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    network = Network(model, published_encoder=True)  # torch does not count a CPU's fused attention
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        hidden = network.encode(torch.zeros(1, 3, TINY.side, TINY.side))
    assert counter.get_total_flops() == encoder_flop(TINY)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        for layer in range(TINY.layers):
            network.cross_kv(layer, hidden)
    assert counter.get_total_flops() == keys_flop(TINY)
    assert encoder_flop(FULL) == pytest.approx(413.6e9, rel=1e-3)


def test_a_token_meets_all_weights_of_the_decoder_but_those_of_the_pictures_keys(model: Any) -> None:
    layers = model.decoder.model.decoder.layers
    matrices = sum(weight.numel() for weight in layers.parameters() if weight.dim() == 2)
    of_keys = 2 * TINY.layers * TINY.width**2
    assert token_weights(TINY) == matrices - of_keys + model.decoder.get_output_embeddings().weight.numel()


def test_a_row_costs_its_picture_and_its_places_and_all_rows_together_the_weights() -> None:
    alone, more = step_bytes(FULL, 1, 0), step_bytes(FULL, 2, 0)
    assert more - alone == shape_of(FULL, 2).picture_row
    assert step_bytes(FULL, 2, 10) - more == 10 * shape_of(FULL, 2).row_token
    assert alone - shape_of(FULL, 2).picture_row == 2 * token_weights(FULL)
    assert weights_flop(FULL, 64) == 64 * weights_flop(FULL, 1)


def test_graphs_compute_rows_and_places_up_to_the_next_size() -> None:
    look = Look(StepShape(9, 274), count=4, live=5, places=600, room=(64, 1024))
    assert padded(look) == (16, 16 * 384)
    assert padded(look._replace(shape=StepShape(9, 254))) == (16, 16 * 256)
    assert padded(look._replace(shape=StepShape(60, 274), room=(61, 1024))) == (61, 61 * 384)
    assert padded(look._replace(shape=StepShape(9, 704, 3, 94))) == (16, 8 * 768 + 8 * 256)


@pytest.mark.slow
def test_few_graphs_are_recorded_for_many_pages() -> None:
    recorder = CountingRecorder()
    simulated(some_pages(48), Setting(plan_on(T4_MEMORY), Decoding(Graphs(recorder), 2, ahead=True)))
    assert 0 < recorder.recorded <= 30


def test_drafts_save_steps_and_change_nothing() -> None:
    pages = some_pages(6, 2)
    how = Decoding(stride=2, ahead=True, drafts=DraftPolicy(lambda rows, drafting: 1 + drafting / 100))
    few_rows = plan_on(T4_MEMORY)._replace(rows=8)
    plain, drafted = (simulated(pages, Setting(few_rows, how), drafted=drafted) for drafted in (False, True))
    assert drafted.said == plain.said
    assert drafted.steps < 0.8 * plain.steps


def test_time_is_bound_by_operations_or_by_bytes() -> None:
    look = Look(StepShape(8, 11), count=1, live=8, places=80, room=(8, 256))
    done = Ours(1, 1, 1, 1, 8, 2, 1, 1, {}, [look], [], [2], [])  # type: ignore[arg-type]
    slow_memory, slow_sums = Chip(1e30, 1e9), Chip(1e9, 1e30)
    assert times(done, TINY, slow_memory).steps == pytest.approx(step_bytes(TINY, 8, 88) / 1e9)
    assert times(done, TINY, slow_sums).steps == pytest.approx(
        (weights_flop(TINY, 8) + attention_flop(TINY, 8, 88)) / 1e9
    )
    assert times(done, TINY, slow_sums).encoder == pytest.approx(2 * encoder_flop(TINY) / 1e9)
    assert times(done, TINY, slow_memory, exact=False).steps == pytest.approx(step_bytes(TINY, 8, 8 * 256) / 1e9)


def test_a_page_a_second_at_nineteen_cents_an_hour_is_53_dollars_a_million() -> None:
    assert dollars_a_million(1.0, 0.19) == pytest.approx(52.78, abs=0.01)


def test_a_device_that_is_not_known_is_tried() -> None:
    name, chip = chip_of("cpu", side=64)
    assert name.startswith("CPU") and chip.flop > 0 and chip.bandwidth > 0
    assert all(best.flop > best.bandwidth for best in CHIPS.values())


@pytest.mark.slow
def test_the_gpus_benchmark_runs_on_any_device() -> None:
    """On the CPU, with a recorder that replays by running: what it does on a GPU, but for the GPU."""
    few = {"block": 1, "main": 2, "trial": 1, "baseline": 1, "sample": 1, "seconds": 0}
    setup = dolphin_gpu.Setup(device="cpu", geometry=TINY, shorter=SHORTER, cap_gib=1, recorder=Replaying, **few)
    whole, *others = dolphin_gpu.measured(setup)
    assert {"ratio", "peak of device memory"} <= {figure.name for figure in whole.figures}
    assert len(others) == 4


def test_without_a_cuda_device_the_gpus_benchmark_says_so(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    [section] = dolphin_gpu.run(tmp_path, tmp_path)
    assert section.notes == ["not measured: there is no CUDA device here"]
