"""What is planned never exceeds what there is, and never is nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdfbatch.engines.dolphin.memory import (
    ENCODER_COPIES,
    FIRST_LENGTH,
    MOST_PICTURES,
    MOST_ROWS,
    BatchPlan,
    Shape,
    plan,
    shape_of,
)
from pdfbatch.engines.dolphin.network import Network

GIB = 2**30
bytes_ = st.integers(1, 10**9)
shapes = st.builds(Shape, bytes_, bytes_, bytes_)
free_bytes = st.integers(-GIB, 10**13)
plans = st.builds(plan, shapes, free_bytes)

DOLPHIN = {"layers": 10, "width": 1024, "picture_tokens": 784, "side": 896, "embed_dim": 128}
"""The geometry of Dolphin 1.0 and 1.5."""


@given(shapes, free_bytes, st.integers(1, 4096))
def test_rows_and_pictures_fit_together_unless_one_of_each_is_too_much(shape: Shape, free: int, length: int) -> None:
    made = plan(shape, free)
    assert 1 <= made.rows_at(length) <= made.rows <= MOST_ROWS
    assert 1 <= made.pictures <= MOST_PICTURES
    rows = made.rows_at(length) * (shape.picture_row + length * shape.row_token)
    pictures = made.pictures * shape.encoding
    assert rows <= max(free - pictures, 0) or made.rows_at(length) == 1
    assert pictures <= free / 4 or made.pictures == 1


@given(plans, st.integers(1, 4096), st.integers(0, 12))
def test_halving_leaves_something_and_never_more(made: BatchPlan, length: int, times: int) -> None:
    now = made
    for _ in range(times):
        less = now.halved()
        assert 1 <= less.rows_at(length) <= now.rows_at(length)
        assert 1 <= less.rows <= max(1, now.rows // 2)
        assert 1 <= less.pictures <= max(1, now.pictures // 2)
        assert less.rows == 1 or less.budget <= now.budget // 2
        now = less


@given(plans, st.integers(0, 50))
def test_seven_doublings_restore_a_plan_however_often_it_was_halved(made: BatchPlan, times: int) -> None:
    now = made
    for _ in range(times):
        now = now.halved()
    for _ in range(7):
        more = now.doubled(made)
        assert now.rows <= more.rows <= made.rows
        assert now.pictures <= more.pictures <= made.pictures
        assert now.budget <= more.budget <= made.budget
        now = more
    assert now == made or made.budget == 0 or now.budget >= made.budget - 2**7


@given(plans)
def test_a_whole_plan_is_not_made_larger(made: BatchPlan) -> None:
    assert made.doubled(made) == made


def test_the_real_geometry_takes_what_is_known_of_it() -> None:
    """In half precision 32.1 MB a row for its picture and 40 KiB a token; in single precision twice that."""
    half, single = shape_of(**DOLPHIN, item_bytes=2), shape_of(**DOLPHIN, item_bytes=4)
    assert half.picture_row == 784 * 1024 * 2 * 10 * 2 == 32_112_640
    assert half.row_token == 40 * 1024
    assert single == Shape(*(2 * part for part in half))


@pytest.mark.parametrize(
    ("free", "rows", "rows_at_4096", "pictures"),
    [(13.8, 64, 51, 15), (139, 64, 64, 16), (6, 64, 22, 6), (0.5, 6, 1, 1), (0, 1, 1, 1), (-1, 1, 1, 1)],
)
def test_a_t4_reads_64_rows_and_smaller_devices_fewer(free: float, rows: int, rows_at_4096: int, pictures: int) -> None:
    """`free` in GiB; a T4 under a cap of 14.5 GiB has 13.8 left beside the weights."""
    made = plan(shape_of(**DOLPHIN, item_bytes=2), int(free * GIB))
    assert (made.rows, made.rows_at(4096), made.pictures) == (rows, rows_at_4096, pictures)
    assert made.rows_at(FIRST_LENGTH) == rows


def test_the_memory_of_pictures_is_what_the_encoder_needs_at_its_peak() -> None:
    """Counted on the meta device, at Dolphin's size; the deeper stages are smaller, so one block of each kind does."""
    torch = pytest.importorskip("torch", reason="needs torch and transformers, see the extra [dolphin]")
    transformers = pytest.importorskip("transformers")
    from tests.dolphin.allocations import Allocations

    swin = transformers.DonutSwinConfig(
        image_size=[896, 896], embed_dim=128, depths=[2, 2, 2, 2], num_heads=[4, 8, 16, 32], window_size=7
    )
    bart = transformers.MBartConfig(
        vocab_size=8, d_model=1024, decoder_layers=1, encoder_layers=1, is_decoder=True, add_cross_attention=True
    )
    config = transformers.VisionEncoderDecoderConfig.from_encoder_decoder_configs(swin, bart)
    with torch.device("meta"):
        network = Network(transformers.VisionEncoderDecoderModel(config).half().eval())
    copy = 224 * 224 * 128 * 2
    for pictures in (1, 15):
        seen = torch.zeros(pictures, 3, 896, 896, dtype=torch.float16, device="meta")
        with torch.inference_mode(), Allocations() as counted:
            network.encode(seen)
        assert 0.5 * ENCODER_COPIES < counted.peak / copy / pictures <= ENCODER_COPIES
