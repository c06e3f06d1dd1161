"""Our forward pass of the encoder computes what transformers' does, with fewer kernels and less memory."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pdfbatch.engines.dolphin.encoder import Published, WindowEncoder, encode_with
from pdfbatch.engines.dolphin.network import Network

from .networks import random_model, small_model, torch

transformers = pytest.importorskip("transformers", reason="needs torch and transformers, see the extra [dolphin]")

ROUNDING = 1e-5
"""Of the largest number, in single precision."""
SMALL = {"patch_size": 4, "window_size": 3, "embed_dim": 8, "depths": [2, 3], "num_heads": [1, 2]}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def encoder_of(size: tuple[int, int], seed: int = 0, **how: Any) -> Any:
    """An encoder none of whose weights is 0 or 1."""
    torch.manual_seed(seed)
    config = transformers.DonutSwinConfig(image_size=list(size), initializer_range=0.1, **{**SMALL, **how})
    encoder = transformers.DonutSwinModel(config).eval()
    for name, weight in encoder.named_parameters():
        if weight.dim() == 1 or "relative_position_bias" in name:
            weight.data += torch.randn_like(weight) / 3
    return encoder


def pictures_of(size: tuple[int, int], count: int = 2) -> Any:
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(1))


def assert_same(encoder: Any, size: tuple[int, int], count: int = 2, rounding: float = ROUNDING) -> None:
    pictures = pictures_of(size, count).to(next(encoder.parameters()).dtype)
    encode = encode_with(encoder, *size)
    assert isinstance(encode, WindowEncoder)
    with torch.inference_mode():
        wanted, found = encoder(pixel_values=pictures).last_hidden_state, encode(pictures)
    assert found.shape == wanted.shape and found.dtype == wanted.dtype
    assert (found - wanted).abs().max() <= rounding * wanted.abs().max()


DOLPHIN = {"window_size": 7, "depths": [2, 2, 6, 2], "num_heads": [1, 2, 4, 8]}


@pytest.mark.parametrize(
    ("size", "how"),
    [
        pytest.param((224, 224), DOLPHIN, id="as Dolphin's, a quarter as wide and high"),
        pytest.param((448, 224), DOLPHIN, id="rectangular"),
        pytest.param((200, 216), DOLPHIN, id="padded to whole windows in every stage"),
        pytest.param((204, 260), DOLPHIN, id="odd grids at patch merging"),
        pytest.param((301, 227), DOLPHIN, id="sizes that are no multiple of a patch"),
        pytest.param((224, 448), {**DOLPHIN, "depths": [1, 1, 1, 1]}, id="never shifted"),
        pytest.param((224, 240), {**DOLPHIN, "depths": [3, 1, 2, 1]}, id="odd numbers of blocks"),
        pytest.param((24, 40), {}, id="the last stage is one window wide"),
        pytest.param((12, 12), {"depths": [2], "num_heads": [2]}, id="one stage that is one window"),
        pytest.param((60, 45), {"patch_size": 5}, id="patches of another size"),
        pytest.param((48, 48), {"window_size": 1}, id="windows of one token"),
        pytest.param((52, 44), {"window_size": 4}, id="windows of an even size, nothing to align"),
        pytest.param((52, 44), {"qkv_bias": False}, id="queries, keys and values without a bias"),
        pytest.param((52, 44), {"hidden_act": "relu"}, id="another activation"),
        pytest.param((52, 44), {"hidden_act": "gelu_new"}, id="another activation of transformers' own"),
        pytest.param((52, 44), {"layer_norm_eps": 0.1}, id="another epsilon"),
        pytest.param((52, 44), {"mlp_ratio": 1.5}, id="another width of the feed-forward layers"),
        pytest.param((52, 44), {"drop_path_rate": 0.9, "hidden_dropout_prob": 0.9}, id="dropout, when trained"),
    ],
)
@pytest.mark.parametrize("count", [1, 3])
def test_it_computes_what_transformers_does(size: tuple[int, int], how: dict[str, Any], count: int) -> None:
    """Run with transformers 4.57.6 and 5.24.0."""
    assert_same(encoder_of(size, **how), size, count)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    patch=st.integers(1, 5),
    window=st.integers(1, 5),
    depths=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    biased=st.booleans(),
    count=st.integers(1, 3),
)
def test_it_computes_what_transformers_does_whatever_the_geometry(
    size: tuple[int, int], patch: int, window: int, depths: list[int], biased: bool, count: int
) -> None:
    last = [-(-side // (patch * 2 ** (len(depths) - 1))) for side in size]
    assume(min(last) >= window)
    heads = [2**stage for stage in range(len(depths))]
    how = {"patch_size": patch, "window_size": window, "depths": depths, "num_heads": heads, "qkv_bias": biased}
    assert_same(encoder_of(size, **how), size, count)


@pytest.mark.parametrize("size", [(224, 224), (301, 227)])
def test_in_half_precision_it_has_the_same_shape_and_nearly_the_same_numbers(size: tuple[int, int]) -> None:
    assert_same(encoder_of(size, **DOLPHIN).half(), size, rounding=0.01)


def test_batches_of_any_size_may_follow_one_another() -> None:
    size = (44, 52)
    encoder = encoder_of(size)
    encode, pictures = encode_with(encoder, *size), pictures_of(size, 5)
    with torch.inference_mode():
        wanted = encoder(pixel_values=pictures).last_hidden_state
        for count in (5, 1, 2, 2, 5, 3):
            assert torch.allclose(encode(pictures[:count]), wanted[:count], atol=1e-5)
    assert torch.allclose(encode(pictures[:3]), wanted[:3], atol=1e-5), "outside of inference mode"


# ── what it cannot compute ───────────────────────────────────────────────────────────────────────────────────────────


def test_another_architecture_runs_as_published_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    config = transformers.SwinConfig(image_size=48, **SMALL)
    encoder = transformers.SwinModel(config).eval()
    with caplog.at_level(logging.WARNING):
        encode = encode_with(encoder, 48, 48)
    assert isinstance(encode, Published)
    assert "it is a SwinModel, not a DonutSwinModel" in caplog.text
    with torch.inference_mode():
        assert torch.equal(encode(pictures_of((48, 48))), encoder(pictures_of((48, 48))).last_hidden_state)


@pytest.mark.parametrize(
    ("size", "how", "reason"),
    [
        ((48, 48), {"use_absolute_embeddings": True}, "it has absolute position embeddings"),
        ((48, 16), {}, "a stage of 6 x 2 tokens is smaller than a window"),
    ],
)
def test_what_transformers_cannot_run_either_fails_as_published(
    size: tuple[int, int], how: dict[str, Any], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    encoder = encoder_of(size, **how)
    encode = encode_with(encoder, *size)
    assert isinstance(encode, Published)
    assert reason in caplog.text
    with pytest.raises(RuntimeError, match="must match"), torch.inference_mode():
        encode(pictures_of(size))


# ── weights ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def storages(tensors: Iterable[Any]) -> dict[int, int]:
    """Bytes by address."""
    return {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in tensors}


def tensors_of(root: object) -> list[Any]:
    """All tensors that an object holds, directly or not."""
    found, seen, left = [], set(), [root]
    while left:
        one = left.pop()
        if id(one) in seen or isinstance(one, type | type(gc)):
            continue
        seen.add(id(one))
        if isinstance(one, torch.Tensor):
            found.append(one)
        else:
            left += gc.get_referents(one)
    return found


def test_weights_are_not_held_twice() -> None:
    size = (224, 224)
    encoder = encoder_of(size, **DOLPHIN)
    before = sum(storages(encoder.parameters()).values())
    encode = encode_with(encoder, *size)
    weights = storages(encoder.parameters())
    assert sum(weights.values()) == before
    added = [one for one in tensors_of(encode) if one.untyped_storage().data_ptr() not in weights]
    assert {one.dim() for one in added if one.is_floating_point()} == {4}, "only biases, 1 x H x n x n"


def test_a_changed_weight_changes_both_forward_passes() -> None:
    size = (44, 52)
    encoder, pictures = encoder_of(size), pictures_of(size)
    encode = encode_with(encoder, *size)
    with torch.inference_mode():
        before = encode(pictures)
        for name, weight in encoder.named_parameters():
            if "query" in name or "value" in name:
                weight *= 0.5
        after = encode(pictures)
        assert not torch.allclose(before, after, atol=1e-2)
        assert torch.allclose(after, encoder(pixel_values=pictures).last_hidden_state, atol=1e-5)


# ── in the network ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("width", [64, 128])
@pytest.mark.parametrize("side", [128, 100])
def test_the_network_encodes_as_the_model_does(side: int, width: int) -> None:
    """With a decoder as wide as the encoder, and with one of another width, for which the model projects."""
    model = random_model(side=side) if width == 128 else projecting(small_model(300, 256, side), width)
    own, published = Network(model), Network(model, published_encoder=True)
    pictures = pictures_of((side, side))
    with torch.inference_mode():
        wanted = model.encoder(pixel_values=pictures).last_hidden_state
        if width != 128:
            wanted = model.enc_to_dec_proj(wanted)
        assert torch.equal(published.encode(pictures), wanted)
        assert torch.allclose(own.encode(pictures), wanted, atol=ROUNDING * wanted.abs().max())
    assert wanted.shape[1:] == (own.picture_tokens, own.width)


def projecting(model: Any, width: int) -> Any:
    config = model.config
    config.decoder.d_model = width
    return transformers.VisionEncoderDecoderModel(config).eval()


# ── work ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_at_full_size_it_has_a_third_of_the_kernels_and_half_of_the_memory() -> None:
    """753 kernels, 6.3 GB read and written and 219 MB held a picture become 269 kernels, 3.7 GB and 116 MB."""
    from bench.dolphin_counted import CHIPS, encoder_flop
    from bench.dolphin_encoder import counted
    from bench.dolphin_work import FULL

    published, ours = (counted(FULL, published, CHIPS["T4"]) for published in (True, False))
    assert 2.5 * ours.kernels < published.kernels
    assert 1.6 * ours.bytes < published.bytes
    assert 1.8 * ours.peak < published.peak
    assert ours.flop == pytest.approx(encoder_flop(FULL))


def test_the_benchmark_compares_both() -> None:
    from bench.dolphin_encoder import compared
    from bench.dolphin_work import Geometry

    section = compared(Geometry(224, 16, (1, 2, 2, 1), (1, 2, 4, 8), 128, 2, 4, 96, 300, 256))
    assert {"ratio", "ours, counted: kernels"} <= {figure.name for figure in section.figures}
