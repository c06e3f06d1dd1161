"""Results in files: the same as what was put in, and nothing left behind."""

from __future__ import annotations

import os
import pickle
import signal
import time
from concurrent.futures import wait
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from pdfbatch.documents.sandbox.children import Children
from pdfbatch.engines.parcel import Parcel, parcelled


class Some(NamedTuple):
    images: list[np.ndarray]
    png: bytes
    note: str


def pictures(count: int, side: int) -> Some:
    chance = np.random.default_rng(count)
    images = [chance.integers(0, 256, (side, side + number, 3)).astype(np.uint8) for number in range(count)]
    return Some(images, bytes(1000), "x")


def killed(file: str) -> None:
    """Dies while its parcel is half written."""
    Path(file).write_bytes(bytes(1 << 20))
    os.kill(os.getpid(), signal.SIGKILL)


def failing() -> None:
    raise ValueError("no")


@pytest.mark.parametrize(("count", "side"), [(0, 1), (1, 1), (12, 100), (3, 896)])
def test_a_result_comes_out_as_it_went_in_and_its_file_is_gone(tmp_path: Path, count: int, side: int) -> None:
    result = parcelled(str(tmp_path / "a"), pictures, count, side).opened()
    assert list(tmp_path.iterdir()) == []
    expected = pictures(count, side)
    assert isinstance(result, Some)
    assert (result.png, result.note, len(result.images)) == (expected.png, expected.note, count)
    for image, same in zip(result.images, expected.images, strict=True):
        assert np.array_equal(image, same)
        assert not image.flags.writeable and not image.flags.owndata


@pytest.mark.parametrize("view", [(slice(None, None, 2),), (slice(3), slice(2, 5)), (slice(None), slice(None), 0)])
def test_parts_of_pictures_are_sent_without_the_rest(tmp_path: Path, view: tuple[slice, ...]) -> None:
    whole = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
    parcel = parcelled(str(tmp_path / "a"), np.asarray, whole[view])
    assert sum(parcel.sizes) < whole[view].nbytes + 300
    assert np.array_equal(parcel.opened(), whole[view])


def test_what_goes_through_the_pipe_is_written_in_one_piece(tmp_path: Path) -> None:
    """Up to PIPE_BUF bytes are: a child is killed before or after, never in the middle."""
    parcel = parcelled(str(tmp_path / "a"), pictures, 40, 100)
    assert len(pickle.dumps(parcel)) < 4096


def test_an_error_is_the_tasks_own_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no"):
        parcelled(str(tmp_path / "a"), failing)
    with pytest.raises(OSError, match="a directory"):
        parcelled(str(tmp_path), pictures, 1, 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_children_killed_while_they_write_never_block_the_others(tmp_path: Path) -> None:
    with Children(2, 2000) as children:
        deaths = [children.submit(60, killed, str(tmp_path / f"dead-{number}")) for number in range(4)]
        sent = [
            children.submit(60, parcelled, str(tmp_path / f"page-{number}"), pictures, 20, 300) for number in range(40)
        ]
        began = time.monotonic()
        done, left = wait([*deaths, *sent], timeout=50)
        assert not left, f"{len(left)} of {len(done) + len(left)} wait after {time.monotonic() - began:.0f} s"
        assert all(death.exception() is not None for death in deaths)
        for number, future in enumerate(sent):
            parcel: Parcel[Some] = future.result()
            assert len(parcel.opened().images) == 20, number
