"""Mixtures of whole data sets: weights, labels, images beside videos, and the same clips for any number of workers."""

from __future__ import annotations

import warnings
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import jsonargparse
import numpy as np
import pytest
import torch
import yaml

from data_modules import MixedDataModule, MixturePart, SSv2DataModule, SynthDataModule, UCF101DataModule
from data_modules.base import ClipDataModule
from data_modules.mixing.order import WeightedStepSampler
from tests.data_modules.damaged import read_broken
from tests.data_modules.layouts import write_imagenet100, write_ssv2, write_ucf101
from vjepa.errors import UserError
from vjepa.latents import Clip

STUDY = [MixturePart("ucf101", 0.2), MixturePart("ssv2", 0.6), MixturePart("imagenet100", 0.2)]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three data sets that tests read but never change."""
    root = tmp_path_factory.mktemp("data")
    write_ucf101(root)
    write_ssv2(root)
    write_imagenet100(root)
    return root


def make(root: Path, parts: list[MixturePart] | None = None, **options: Any) -> MixedDataModule:
    defaults = {"batch_size": 4, "num_workers": 0, "num_frames": 4, "size": 16, "val_ratio": 0.2}
    return MixedDataModule(STUDY if parts is None else parts, root=str(root), **defaults | options)


def batches(data: ClipDataModule, count: int) -> list[Clip]:
    return list(islice(data.train_dataloader(), count))


def part_of(data: MixedDataModule, index: int) -> str:
    return data.dataset("train").video_ids[index].split("/")[0]


def test_clips_come_by_weight_each_with_the_labels_of_its_part(root: Path) -> None:
    data = make(root)
    data.prepare_data()
    data.setup("fit")
    assert [(task.name, len(task.classes)) for task in data.tasks] == [("ucf101", 3), ("ssv2", 4), ("imagenet100", 100)]
    train = data.dataset("train")
    sampler = data._train_sampler(train)
    drawn = [part_of(data, index) for number in range(1000) for index in sampler.batch(number)]
    shares = {name: count / len(drawn) for name, count in Counter(drawn).items()}
    assert shares == pytest.approx({"ucf101": 0.2, "ssv2": 0.6, "imagenet100": 0.2}, abs=0.03)
    own = UCF101DataModule(root=str(root), val_ratio=0.2).dataset("train")
    assert train.labels[: len(own), 0].tolist() == own.labels[:, 0].tolist()
    assert train.video_ids[0] == f"ucf101/{own.video_ids[0]}" and (train.labels[: len(own), 1:] == -1).all()
    for number, clip in enumerate(batches(data, 5)):
        assert clip.index.tolist() == sampler.batch(number) and clip.frames.shape == (4, 4, 16, 16, 3)
        assert torch.equal(clip.labels, train.labels[clip.index])
        for index, frames in zip(clip.index.tolist(), clip.frames):
            assert bool((frames == frames[:1]).all()) == (part_of(data, index) == "imagenet100"), "a still video"


def test_a_part_gives_the_clips_that_it_would_give_alone(root: Path) -> None:
    """With one weight only, draws are those of the part's own data set."""
    data = make(root, [MixturePart("ssv2", options={"horizontal_flip": False, "frame_step": 3})])
    alone = SSv2DataModule(
        root=str(root), num_frames=4, size=16, val_ratio=0.2, frame_step=3, horizontal_flip=False
    ).dataset("train")
    sampler = data._train_sampler(data.dataset("train"))
    for number, clip in enumerate(batches(data, 3)):
        expected = alone.fetch_training(sampler.batch(number), sampler.draws(number))
        assert torch.equal(clip.frames, expected.frames) and torch.equal(clip.labels, expected.labels)


def test_validation_and_test_are_those_of_the_parts(root: Path) -> None:
    data = make(root)
    for split, size in (("val", 9 + 8 + 60), ("test", 18 + 8 + 100)):
        assert len(data.dataset(split)) == size
    shown = list(data.val_dataloader())
    assert torch.cat([clip.index for clip in shown]).tolist() == list(range(77))
    assert {clip.frames.shape[1] for clip in shown} == {4}
    first = data.members[1].dataset("val").fetch([0]).frames[0]
    assert torch.equal(data.dataset("val").fetch([9]).frames[0], first)


def test_images_alone_make_batches_of_one_kind(root: Path) -> None:
    data = make(root, image_mode="single")
    data.setup("fit")
    kinds: list[int] = []
    for clip in batches(data, 60):
        parts = {part_of(data, index) == "imagenet100" for index in clip.index.tolist()}
        assert len(parts) == 1 and clip.frames.shape == (4, 1 if parts.pop() else 4, 16, 16, 3)
        kinds.append(clip.frames.shape[1])
    assert 0.05 < np.mean(np.array(kinds) == 1) < 0.4
    sizes = [len(source) for source in data.dataset("train").sources]
    ranks = [WeightedStepSampler(sizes, data.weights, 4, 0, rank, 2, kinds=[0, 0, 1]) for rank in range(2)]
    for number in range(40):
        pair = [{index >= sum(sizes[:2]) for index in sampler.batch(number)} for sampler in ranks]
        assert pair[0] == pair[1] and len(pair[0]) == 1, "the same kind on every rank"
    assert [len(clip) for clip in data.val_dataloader()] == [4] * 19 + [1]


@pytest.mark.parametrize("options", [{}, {"image_mode": "single", "replacement": False}], ids=["repeat", "single"])
def test_two_workers_bring_the_same_clips(root: Path, options: dict[str, Any]) -> None:
    data, other = make(root, **options), make(root, num_workers=2, **options)
    for mine, theirs in zip(batches(data, 6), batches(other, 6), strict=True):
        assert torch.equal(mine.index, theirs.index) and torch.equal(mine.frames, theirs.frames)
        assert torch.equal(mine.labels, theirs.labels)
    assert [clip.index.tolist() for clip in data.val_dataloader()] == [
        clip.index.tolist() for clip in other.val_dataloader()
    ]


def test_without_replacement_every_clip_of_a_part_comes_once(root: Path) -> None:
    data = make(root, replacement=False)
    sampler = data._train_sampler(data.dataset("train"))
    drawn = [index for number in range(100) for index in sampler.batch(number)]
    of_ucf = [index for index in drawn if part_of(data, index) == "ucf101"]
    assert len(of_ucf) > 45 and sorted(of_ucf[:45]) == list(range(45))


def test_seed_and_processes_change_the_order(root: Path) -> None:
    def order(**options: Any) -> list[list[int]]:
        data = make(root, **options)
        sampler = data._train_sampler(data.dataset("train"))
        return [sampler.batch(number) for number in range(4)]

    assert order() == order() != order(seed=1)


def test_generated_clips_can_be_mixed_in(root: Path, tmp_path: Path) -> None:
    few = {"pretrain_clips": 6, "train_clips": 8, "val_clips": 8, "test_clips": 8, "root": str(tmp_path)}
    data = make(root, [MixturePart("ucf101", 0.5), MixturePart("synth", 0.5, few)], size=32, reading="as_released")
    data.prepare_data()
    with pytest.warns(UserWarning, match=r"synth: .* 6 of 8 classes tell left from right"):
        data.setup("fit")
    synth = data.members[1]
    assert isinstance(synth, SynthDataModule) and synth.size == 32 and synth.sampling.fps_rule == "integer_step"
    assert [task.name for task in data.tasks] == ["ucf101", "synth"]
    assert {clip.frames.shape for clip in batches(data, 4)} == {(4, 4, 32, 32, 3)}
    assert {clip.frames.shape[1:] for clip in data.val_dataloader()} == {(4, 32, 32, 3)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(root, [MixturePart("synth", 1.0, few | {"flip": False})], size=32).setup("fit")


def test_lists_can_be_mixed_in(root: Path) -> None:
    lines = [f"ssv2/20bn-something-something-v2/{k}.webm {k % 2}\n" for k in range(12)]
    (root / "mine.csv").write_text("".join(lines))
    options = {"lists": [{"path": "mine.csv"}], "name": "mine"}
    data = make(root, [MixturePart("ucf101", 1.0), MixturePart("videos", 1.0, options)])
    assert [task.name for task in data.tasks] == ["ucf101", "mine"]
    assert len(data.dataset("train").sources[1]) == 10
    image = next((root / "imagenet100").rglob("*.JPEG")).relative_to(root)
    (root / "mine.csv").write_text("".join([*lines, f"{image} 0\n"]))
    data = make(root, [MixturePart("ucf101"), MixturePart("videos", options=options)], image_mode="single")
    with pytest.raises(UserError, match="mine: holds images and videos; with image_mode single make a part of each"):
        data.train_dataloader()


def test_broken_files_of_every_part_are_listed_and_replaced_within_it(tmp_path: Path) -> None:
    write_ucf101(tmp_path)
    write_ssv2(tmp_path)
    data = make(tmp_path, [MixturePart("ucf101", 1.0), MixturePart("ssv2", 1.0)], max_broken_ratio=1.0)
    data.broken_path = tmp_path / "broken.csv"
    bad = [source.paths[2] for source in data.dataset("train").sources]  # type: ignore[attr-defined]
    for path in bad:
        Path(path).write_bytes(b"no video")
    train = data.dataset("train")
    first_of_ssv2 = len(train.sources[0])
    clip = train.fetch_training([2, first_of_ssv2 + 2], [0, 1])
    assert clip.index[0] != 2 and clip.index[0] < first_of_ssv2 <= clip.index[1] != first_of_ssv2 + 2
    assert len(train.fetch([1, 2, 3])) == 2, "evaluation replaces nothing"
    data.train_dataloader()
    named = {train.video_ids[place] for place in (2, first_of_ssv2 + 2)}
    assert set(read_broken(tmp_path / "broken.csv")) == set(train.broken.found) == named
    assert {name.split("/")[0] for name in named} == {"ucf101", "ssv2"}


CONFIG = """
class_path: data_modules.MixedDataModule
init_args:
  parts:
    - {data: ucf101, weight: 0.2, options: {split: 2}}
    - {data: data_modules.SSv2DataModule, weight: 0.8}
  size: 32
  fps: 4
"""


def test_it_is_made_from_yaml_without_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATA_ROOT", raising=False)
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(ClipDataModule, "data")
    data = parser.instantiate(parser.parse_object({"data": yaml.safe_load(CONFIG)})).data
    assert isinstance(data, MixedDataModule) and data.weights == (0.2, 0.8)
    ucf101, ssv2 = data.members
    assert isinstance(ucf101, UCF101DataModule) and isinstance(ssv2, SSv2DataModule)
    assert ucf101.split == 2 and (ucf101.size, ssv2.size) == (32, 32) and ssv2.sampling.fps == 4
    with pytest.raises(UserError, match="DATA_ROOT is not set"):
        data.prepare_data()


@pytest.mark.parametrize(
    ("parts", "options", "message"),
    [
        ([], {}, "parts is empty"),
        ([MixturePart("ucf102")], {}, r"unknown data 'ucf102' \(did you mean 'ucf101'\?\)"),
        ([MixturePart("ucf101", options={"splitt": 2})], {}, r"ucf101 has no option 'splitt' \(did you mean 'split'"),
        ([MixturePart("ucf101", options={"split": 5})], {}, "options of ucf101: .*split"),
        ([MixturePart("ucf101", options={"val_ratio": 2.0})], {}, "ucf101: val_ratio is 2.0"),
        ([MixturePart("ucf101", -1.0)], {}, "weight of ucf101 is -1.0"),
        ([MixturePart("ucf101", 0.0)], {}, "weights of all parts are 0"),
        ([MixturePart("ucf101"), MixturePart("ucf101")], {}, "two parts are named 'ucf101'"),
        ([MixturePart("nowhere.Data")], {}, r"data 'nowhere\.Data' cannot be imported"),
        ([MixturePart("data_modules.Task")], {}, r"data 'data_modules\.Task' is no data module"),
        ([MixturePart("data_modules.MixedDataModule")], {}, "a mixture cannot be part of a mixture"),
        ([MixturePart("ucf101")], {"image_mode": "alone"}, "unknown mixed image_mode 'alone'"),
        ([MixturePart("ucf101")], {"fps": 4.0, "frame_step": 2}, "set exactly one"),
    ],
)
def test_mistakes_are_found_before_any_data(parts: list[MixturePart], options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        MixedDataModule(parts, **options)


def test_parts_need_one_shape(root: Path) -> None:
    data = make(root, [MixturePart("ucf101", 1.0), MixturePart("ssv2", 1.0, {"num_frames": 8})])
    with pytest.raises(UserError, match=r"ssv2: a clip has the shape \(8, 16, 16, 3\); the mixture needs \(4, 16"):
        batches(data, 4)
