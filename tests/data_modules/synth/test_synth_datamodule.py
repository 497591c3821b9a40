"""The synthetic set as a data module: what pretraining and probes get, from real files."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from data_modules import SynthDataModule
from data_modules.decode.frames import decode_video
from data_modules.synth.draw import VELOCITIES, make_clip
from vjepa.errors import UserError

SMALL = {"pretrain_clips": 4, "train_clips": 16, "val_clips": 2, "test_clips": 2}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("cache"))
    SynthDataModule(root=folder, **SMALL).prepare_data()
    return folder


def module(root: str, **options: Any) -> SynthDataModule:
    return SynthDataModule(**{"batch_size": 4, "root": root, **SMALL, **options})


def test_files_are_the_study_s_videos(root: str) -> None:
    data = module(root)
    path = data.store.path("train", 1)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264" and stream.codec_context.pix_fmt == "yuv420p"
        assert (stream.width, stream.height, stream.frames, stream.average_rate) == (160, 160, 32, 8)
    drawn = make_clip(43, VELOCITIES["NE"]).astype(float)
    error = np.mean((decode_video(path, 32) - drawn) ** 2)
    assert 10 * np.log10(255**2 / error) > 28, "PSNR; most of the loss is the noise"


def test_pretraining_sees_unlabelled_crops_that_differ_by_draw(root: str) -> None:
    data = module(root)
    data.setup("fit")
    first, second = islice(data.train_dataloader(), 2)
    assert first.frames.shape == (4, 8, 128, 128, 3) and first.frames.dtype == torch.uint8
    assert first.labels.tolist() == [[-1]] * 4 and sorted(first.index.tolist()) == [0, 1, 2, 3]
    again = next(iter(module(root).train_dataloader()))
    assert torch.equal(again.frames, first.frames)
    aligned = [second.frames[second.index.tolist().index(number)] for number in first.index.tolist()]
    assert not any(torch.equal(a, b) for a, b in zip(first.frames, aligned, strict=True))
    assert not torch.equal(next(iter(module(root, seed=1).train_dataloader())).frames, first.frames)


@pytest.mark.parametrize(("reading", "steps"), [("as_described", {2}), ("as_released", {2, 3})])
def test_pretraining_frames_lie_a_quarter_second_apart(root: str, reading: Any, steps: set[int]) -> None:
    sampling = module(root, reading=reading).sampling
    rng = np.random.default_rng(0)
    indices = np.stack([sampling.clip_indices(32, 8.0, rng) for _ in range(50)])
    assert set(np.diff(indices, axis=1).ravel().tolist()) == steps
    assert indices[:, 0].min() == 0 and indices[:, 0].max() > 10 and indices.max() <= 31


def centres(frames: NDArray[np.uint8]) -> NDArray[np.float64]:
    bright = (frames.astype(int).min(axis=-1) > 112)[..., None]
    where = np.stack(np.meshgrid(np.arange(160), np.arange(160)), axis=-1)
    centre: NDArray[np.float64] = (bright * where).sum(axis=(1, 2)) / bright.sum(axis=(1, 2))
    return centre


def test_probes_see_the_first_frames_and_the_direction_in_them(root: str) -> None:
    data = module(root)
    clips = data.dataset("train").fetch(range(16))
    assert clips.frames.shape == (16, 8, 160, 160, 3)
    assert clips.labels.flatten().tolist() == [*range(8), *range(8)]
    agree = []
    for index, (frames, label) in enumerate(zip(clips.frames.numpy(), clips.labels.flatten().tolist(), strict=True)):
        assert np.array_equal(frames, decode_video(data.store.path("train", index))[:8])
        moved = centres(frames[[0, 7]])
        agree.append(np.abs(moved[1] - moved[0] - 7 * np.array(list(VELOCITIES.values())[label])).max() < 2)
    assert sum(agree) >= 8, "the rest meets the border"
    assert [len(data.dataset(split)) for split in ("train", "val", "test")] == [16, 2, 2]


def test_released_sizes_are_the_study_s() -> None:
    spec = SynthDataModule(reading="as_released").store.spec
    assert (spec.pretrain_clips, spec.train_clips, spec.test_clips) == (24, 160, 40)
    described = SynthDataModule().store.spec
    assert (described.pretrain_clips, described.train_clips, described.test_clips) == (1024, 160, 400)
    assert SynthDataModule(reading="as_released", test_clips=80).store.spec.test_clips == 80
    assert SynthDataModule(reading="as_released").sampling.fps_rule == "integer_step"
    assert SynthDataModule(reading="as_released", fps_rule="nearest").sampling.fps_rule == "nearest"
    assert SynthDataModule().augmentation.horizontal_flip
    assert not SynthDataModule(flip=False).augmentation.horizontal_flip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_frames": 33}, "synth: num_frames is 33; expected 1 to 32"),
        ({"size": 8}, "synth: size is 8; expected 16 to"),
        ({"fps": 16}, "synth: fps is 16; expected more than 0 and at most 8"),
        ({"test_clips": 0}, "synth: test_clips is 0"),
        ({"reading": "as_relesed"}, "unknown reading 'as_relesed' \\(did you mean 'as_released'"),
        ({"batch_size": 0}, "synth: batch_size is 0"),
    ],
)
def test_bad_options_are_named(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        module(str(tmp_path), **options)
