"""KathaBench as a data module: real files, splits, and a reading that sets the quirks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from data_modules import KathaBenchDataModule
from data_modules.decode.frames import decode_video
from vjepa.errors import UserError


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("cache"))
    KathaBenchDataModule(root=folder, clips=40).prepare_data()
    return folder


def module(root: str, **options: Any) -> KathaBenchDataModule:
    return KathaBenchDataModule(**{"batch_size": 4, "root": root, "clips": 40, **options})


def coarse(frames: np.ndarray) -> np.ndarray:
    """Means of 8 x 8 pixels: the codec keeps them, also where it loses most of the noise."""
    return frames.reshape(-1, 28, 8, 28, 8, 3).mean(axis=(2, 4))


def test_files_are_videos_of_the_drawn_clips(root: str) -> None:
    store = module(root).store
    with av.open(str(store.path("train", 0))) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264" and stream.codec_context.pix_fmt == "yuv420p"
        assert (stream.width, stream.height, stream.frames, stream.average_rate) == (224, 224, 16, 10)
    for split in store.splits:
        decoded, drawn = (coarse(clip) for clip in (decode_video(store.path(split, 0), 16), store.draw(split, 0)))
        assert np.abs(decoded - drawn).mean() < 5 < drawn.std()


def test_splits_hold_whole_clips_of_every_class(root: str) -> None:
    data = module(root)
    assert [len(data.dataset(split)) for split in ("train", "val", "test")] == [28, 4, 8]
    clip = data.dataset("test").fetch(range(8))
    assert clip.frames.shape == (8, 16, 224, 224, 3) and sorted(clip.labels.flatten().tolist()) == list(range(8))
    for index in range(8):
        assert np.array_equal(clip.frames[index].numpy(), decode_video(data.store.path("test", index)))
    assert [(task.name, len(task.classes), task.temporal) for task in data.tasks] == [("motion", 8, True)]


def test_training_sees_labelled_crops(root: str) -> None:
    options = {"size": 64, "num_frames": 8, "frame_step": 2}
    data = module(root, **options)
    clip = next(iter(data.train_dataloader()))
    assert clip.frames.shape == (4, 8, 64, 64, 3) and clip.frames.dtype == torch.uint8
    assert torch.equal(clip.labels, data.dataset("train").labels[clip.index])
    assert torch.equal(clip.frames, next(iter(module(root, **options).train_dataloader())).frames)
    centred = data.dataset("train").fetch(clip.index)
    assert centred.frames.shape == clip.frames.shape and not torch.equal(centred.frames, clip.frames)


def test_the_reading_sets_the_quirks_and_an_option_overrides_it() -> None:
    described, released = KathaBenchDataModule().store.spec, KathaBenchDataModule(reading="as_released").store.spec
    assert (described.seeds, described.solid) == ("unique", "constant")
    assert (released.seeds, released.solid) == ("drawn", "flicker")
    mixed = KathaBenchDataModule(reading="as_released", solid="constant").store.spec
    assert (mixed.seeds, mixed.solid) == ("drawn", "constant")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clips": 8}, "kathabench: clips is 8; expected 40"),
        ({"size": 256}, "kathabench: size is 256; expected 16 to 224"),
        ({"num_frames": 17}, "kathabench: num_frames is 17; expected 1 to 16"),
        ({"frame_step": 0}, "frame_step is 0"),
        ({"solid": "flickr"}, "unknown kathabench solid 'flickr' \\(did you mean 'flicker'"),
        ({"reading": "released"}, "unknown reading 'released'"),
    ],
)
def test_bad_options_are_named(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        module(str(tmp_path), **options)
