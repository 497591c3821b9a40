"""Decoded frames on disk: whole or rebuilt, mapped and not copied into worker processes."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from data_modules.clips.datasets import Task
from data_modules.clips.mapped import MappedClips, frames_are_whole, write_frames

SHAPE = (5, 2, 4, 4, 3)


@pytest.fixture
def clips() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8)


@pytest.fixture
def path(tmp_path: Path, clips: np.ndarray) -> Path:
    path = tmp_path / "frames.npy"
    write_frames(path, SHAPE, iter(clips))
    return path


def test_what_is_written_is_a_plain_npy_file(path: Path, clips: np.ndarray) -> None:
    assert frames_are_whole(path, SHAPE)
    assert np.array_equal(np.load(path), clips)


def damage_truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def damage_flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def damage_no_sidecar(path: Path) -> None:
    path.with_suffix(".json").unlink()


def damage_sidecar(path: Path) -> None:
    path.with_suffix(".json").write_text("{")


def damage_missing(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [damage_truncate, damage_flip, damage_no_sidecar, damage_sidecar, damage_missing])
def test_damage_is_noticed(path: Path, damage: object) -> None:
    damage(path)  # type: ignore[operator]
    assert not frames_are_whole(path, SHAPE)


def test_another_shape_does_not_pass(path: Path) -> None:
    assert not frames_are_whole(path, (4, 2, 4, 4, 3))


def test_fetch_reads_frames_and_labels_together(path: Path, clips: np.ndarray) -> None:
    labels = torch.tensor([[0], [1], [-1], [3], [4]])
    data = MappedClips(path, "val", (Task("t", tuple("abcde"), True),), tuple("vwxyz"), labels)
    clip = data.fetch([4, 0, 2])
    assert np.array_equal(clip.frames.numpy(), clips[[4, 0, 2]])
    assert clip.index.tolist() == [4, 0, 2] and clip.labels.tolist() == [[4], [0], [-1]]
    clip.frames.zero_()
    assert np.array_equal(data.fetch(torch.tensor([4])).frames[0].numpy(), clips[4])
    frames, index, label = data[3]
    assert np.array_equal(frames.numpy(), clips[3]) and index == 3 and label.tolist() == [3]


def test_a_pickled_data_set_carries_no_frames(tmp_path: Path) -> None:
    shape = (50, 8, 16, 16, 3)
    big = tmp_path / "big.npy"
    write_frames(big, shape, np.zeros(shape, dtype=np.uint8))
    data = MappedClips(big, "val", (), tuple(map(str, range(50))), torch.zeros(50, 1, dtype=torch.int64))
    content = pickle.dumps(data)
    assert len(content) < 10_000
    assert pickle.loads(content).fetch([49]).frames.shape == (1, *shape[1:])
