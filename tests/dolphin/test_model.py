"""Loading: what is in a folder either becomes a Dolphin or a clear word about what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pdfbatch.cli.account import gpu_check
from pdfbatch.engines.dolphin import model
from pdfbatch.engines.dolphin.device import GpuSystem
from pdfbatch.engines.dolphin.model import Dolphin, ImageProcessor, load
from pdfbatch.errors import ExitCode, NotReady

from .networks import END, random_model, torch

WORDS = ["<s>", "<pad>", "</s>", "<unk>", " <Answer/>", " ", "a", "b", "c", "read", "text", "\n"]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def weights() -> object:
    return random_model(words=len(WORDS), max_positions=64)


@pytest.fixture
def folder(weights: object, tmp_path: Path) -> Path:
    weights.save_pretrained(tmp_path)
    write_tokenizer(tmp_path, WORDS)
    write(tmp_path / "preprocessor_config.json", {"image_mean": list(MEAN), "image_std": list(STD)})
    return tmp_path


def write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


def write_tokenizer(folder: Path, words: list[str]) -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens([AddedToken(word, normalized=False) for word in words if "<" in word])
    tokenizer.save(str(folder / "tokenizer.json"))
    specials = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    write(folder / "tokenizer_config.json", {**specials, "tokenizer_class": "PreTrainedTokenizerFast"})


def same_weights(ours: Dolphin, weights: object, off: float = 1e-5) -> bool:
    """Whether pictures are encoded alike, but for `off`."""
    pictures = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        encoded, wanted = ours.network.encode(pictures), weights.encoder(pictures).last_hidden_state
        return torch.allclose(encoded, wanted, rtol=0, atol=off * wanted.abs().max())


def test_a_saved_folder_becomes_a_model_that_knows_its_prompts(folder: Path, weights: object) -> None:
    dolphin = load(folder)
    assert same_weights(dolphin, weights)
    assert dolphin.tokenizer.prompt("read text") == [0, 9, 5, 10, 4]
    assert dolphin.tokenizer.end == END
    assert (dolphin.network.side, dolphin.network.max_positions, dolphin.network.picture_tokens) == (128, 64, 16)


def test_the_encoder_may_run_as_published_to_the_last_bit(folder: Path, weights: object) -> None:
    assert same_weights(load(folder, as_published=True), weights, off=0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="about machines without a GPU")
def test_a_half_precision_checkpoint_is_read_in_single_precision_without_a_gpu(folder: Path, weights: object) -> None:
    random_model(words=len(WORDS), max_positions=64).half().save_pretrained(folder)
    dolphin = load(folder)
    assert dolphin.network.dtype == torch.float32
    assert dolphin.image_processor([np.zeros((1, 1, 3), np.uint8)]).dtype == torch.float32
    assert dolphin.plan.rows >= 1


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def holding(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content)


def changed(name: str, **values: object) -> Callable[[Path], None]:
    return lambda folder: write(folder / name, {**json.loads((folder / name).read_text()), **values})


def cut(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-1000])


def without_answer(folder: Path) -> None:
    write_tokenizer(folder, [word for word in WORDS if "Answer" not in word])


def with_more_words(folder: Path) -> None:
    write_tokenizer(folder, [*WORDS[:4], *"xyz", *WORDS[5:], " <Answer/>"])


def with_too_few_weights(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    kept = {
        name: weight for name, weight in load_file(folder / "model.safetensors").items() if "encoder_attn" not in name
    }
    save_file(kept, folder / "model.safetensors", {"format": "pt"})


def without_an_end_mark(folder: Path) -> None:
    write(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"})


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (without("config.json"), "config.json"),
        (without("model.safetensors"), "cannot be loaded"),
        (without("tokenizer.json"), "tokenizer"),
        (holding("config.json", b"{"), "config.json is damaged"),
        (holding("config.json", b"\xff\xfe\x00"), "config.json is damaged"),
        (holding("config.json", b"[]"), "no config.json"),
        (holding("tokenizer.json", b"{"), "tokenizer"),
        (holding("model.safetensors", b"<html>not found</html>"), "cannot be loaded"),
        (holding("preprocessor_config.json", b"?"), "preprocessor_config.json is damaged"),
        (cut("model.safetensors"), "cannot be loaded"),
        (changed("config.json", model_type="qwen2_5_vl"), "'qwen2_5_vl', not a Dolphin 1.0 or 1.5"),
        (with_too_few_weights, "encoder_attn"),
        (without_answer, "does not know ' <Answer/>'"),
        (without_an_end_mark, "end token"),
        (with_more_words, "do not belong together"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_folder_that_holds_no_whole_dolphin_is_refused_with_a_hint(
    folder: Path, damage: Callable[[Path], None], said: str
) -> None:
    damage(folder)
    with pytest.raises(NotReady) as error:
        load(folder)
    assert said in error.value.message
    assert error.value.hint
    assert error.value.exit_code == ExitCode.NOT_READY


@pytest.mark.parametrize("kept", ["embedding", "both", "head"])
def test_tied_weights_may_be_saved_once_or_twice(folder: Path, weights: object, kept: str) -> None:
    """In a file from elsewhere the words' weights may stand under the embedding's name, the head's, or both."""
    from safetensors.torch import load_file, save_file

    saved = load_file(folder / "model.safetensors")
    embedding, head = "decoder.model.decoder.embed_tokens.weight", "decoder.lm_head.weight"
    words = next(saved.pop(name) for name in (embedding, head) if name in saved)
    saved.pop(head, None)
    names = {"embedding": [embedding], "head": [head], "both": [embedding, head]}[kept]
    save_file(saved | {name: words.clone() for name in names}, folder / "model.safetensors", {"format": "pt"})
    try:
        dolphin = load(folder)
    except NotReady as error:  # transformers 5 finds a head without an embedding wanting; 4.57 does not
        assert kept == "head"
        assert "embed_tokens" in error.message or "lm_head" in error.message
        return
    with (
        torch.inference_mode()
    ):  # the weights themselves: on some processors products differ by where they lie in memory
        assert torch.equal(dolphin.network._head[: dolphin.network.vocab_size], weights.decoder.lm_head.weight)
        assert torch.equal(
            dolphin.network._embed(torch.arange(5)), weights.decoder.model.decoder.embed_tokens(torch.arange(5))
        )


# ── the eye ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def published(picture: np.ndarray, side: int) -> np.ndarray:
    """Black around, scaled in double precision, normalised in single: as transformers' slow processor does it."""
    height, width = picture.shape[:2]
    top, left = (side - height) // 2, (side - width) // 2
    square = np.zeros((side, side, 3), np.uint8)
    square[top : top + height, left : left + width] = picture
    scaled = (square.astype(np.float64) * (1 / 255)).astype(np.float32)
    return ((scaled - np.array(MEAN, np.float32)) / np.array(STD, np.float32)).transpose(2, 0, 1)


@pytest.mark.parametrize("size", [(8, 8), (1, 1), (8, 3), (3, 8), (7, 6), (8, 1)])
def test_the_image_processor_equals_the_published_one_bit_for_bit(size: tuple[int, int]) -> None:
    class Sight:
        device, dtype, side = torch.device("cpu"), torch.float32, 8

    eye = ImageProcessor(Sight(), MEAN, STD)  # type: ignore[arg-type]
    chance = np.random.default_rng(0)
    pictures = [chance.integers(0, 256, (*size, 3)).astype(np.uint8) for _ in range(9)]
    seen = eye(pictures).numpy()
    assert seen.dtype == np.float32
    assert np.array_equal(seen, np.stack([published(picture, 8) for picture in pictures]))


def test_the_image_processor_handles_all_colours_in_half_precision_too() -> None:
    class Sight:
        device, dtype, side = torch.device("cpu"), torch.float16, 16

    picture = np.arange(256).repeat(3).reshape(16, 16, 3).astype(np.uint8)
    seen = ImageProcessor(Sight(), MEAN, STD)([picture]).numpy()  # type: ignore[arg-type]
    assert np.array_equal(seen[0], published(picture, 16).astype(np.float16))


def test_the_models_own_normalisation_is_taken_from_either_file(folder: Path) -> None:
    (folder / "preprocessor_config.json").unlink()
    black = np.zeros((128, 128, 3), np.uint8)
    assert load(folder).image_processor([black])[0, 0, 0, 0].item() == pytest.approx(-MEAN[0] / STD[0])
    write(folder / "processor_config.json", {"image_processor": {"image_mean": [0.5] * 3, "image_std": [0.25] * 3}})
    assert load(folder).image_processor([black])[0, 0, 0, 0].item() == -2.0


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ([6, 5, 7], "a b"),
        ([6, 7, END], "ab"),
        ([0, 6, 1, 1, END], "a"),
        ([5, 6, 11, 7, 5, 11], "a\nb"),
        ([6, 3, 7], "a<unk>b"),
        ([], ""),
        ([END], ""),
    ],
)
def test_text_is_decoded_without_special_tokens_and_outer_white_space(
    folder: Path, tokens: list[int], text: str
) -> None:
    assert load(folder).tokenizer.text(tokens) == text


def test_memory_is_what_can_be_allocated_and_not_only_what_is_idle() -> None:
    free = model._free_bytes(torch.device("cpu"), None)
    assert free > 0


# ── the device ───────────────────────────────────────────────────────────────────────────────────────────────────────

GPU_HERE = GpuSystem(is_loaded=True, driver="550.54.15", is_reachable=True)


@pytest.mark.skipif(torch.cuda.is_available(), reason="about machines whose torch cannot use their GPU")
def test_a_gpu_that_torch_cannot_use_is_refused_and_the_cpu_taken_only_if_asked_for(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(NotReady, match=r"550\.54\.15") as error:
        load(folder, system=GPU_HERE)
    assert torch.__version__ in error.value.message
    assert gpu_check(GPU_HERE).state == "warning"
    with caplog.at_level("INFO", logger="pdfbatch"):
        assert not load(folder, system=GPU_HERE._replace(wants_cpu=True)).is_cuda
    assert "computes on the CPU" in caplog.text
