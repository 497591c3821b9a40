"""``eval_clips`` and ``eval_crops`` of data modules: several views of test videos, and nothing else changes."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch

from data_modules import MixedDataModule, MixturePart, SSv2DataModule, UCF101DataModule, VideoListDataModule
from data_modules.annotations.lists import ListSource
from data_modules.clips.views import ONE_VIEW, EvaluationViews
from data_modules.named import make_data
from experiments.overlays import BASE, CONFIGS
from experiments.runs import config_hash
from experiments.training.resolve import resolve_settings
from tests.data_modules.encoded import moving_frames, write_video
from tests.data_modules.layouts import write_ssv2, write_ucf101
from vjepa.errors import UserError

OPTIONS: dict[str, Any] = {"batch_size": 4, "num_workers": 0, "num_frames": 4, "size": 16, "val_ratio": 0.2}
VIEWS = {"eval_clips": 2, "eval_crops": 3}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("data")
    write_ucf101(root)
    write_ssv2(root)
    return str(root)


def test_only_test_videos_have_several_views(root: str) -> None:
    plain, several = UCF101DataModule(root=root, **OPTIONS), UCF101DataModule(root=root, **OPTIONS, **VIEWS)
    assert several.manifest_hash == plain.manifest_hash
    for split in ("train", "val"):
        assert several.dataset(split).views == ONE_VIEW  # type: ignore[arg-type]
    assert several.dataset("test").views == EvaluationViews(2, 3) and plain.dataset("test").views == ONE_VIEW
    assert several.dataset("test").read_views(0).shape == (6, 4, 16, 16, 3)
    for one, other in zip(plain.test_dataloader(), several.test_dataloader(), strict=True):
        assert torch.equal(one.frames, other.frames) and torch.equal(one.index, other.index), "loaders give the first"


def test_a_mixture_gives_its_views_to_all_parts(root: str) -> None:
    parts = [MixturePart("ucf101"), MixturePart("ssv2"), MixturePart("glyphs", options={"test_clips": 6})]
    small = [part if part.data != "glyphs" else glyphs(root) for part in parts]
    data = MixedDataModule(small, root=root, **OPTIONS, **VIEWS)
    test = data.dataset("test")
    assert test.views == EvaluationViews(2, 3) and data.dataset("val").views == ONE_VIEW
    places = [0, len(data.members[0].dataset("test")), len(test) - 1]
    for place in places:
        views = test.read_views(place)
        assert views.shape == (6, 4, 16, 16, 3) and torch.equal(views[0], test.read(torch.tensor([place]))[0])
    own = [MixturePart("ucf101", options={"eval_clips": 4}), MixturePart("ssv2")]
    with pytest.raises(UserError, match="give eval_clips and eval_crops to the mixture"):
        MixedDataModule(own, root=root, **OPTIONS, **VIEWS).dataset("test")


def glyphs(root: str) -> MixturePart:
    few = {"root": f"{root}/cache", "train_clips": 6, "val_clips": 6, "test_clips": 6}
    return MixturePart("glyphs", options=few)


def test_lists_and_other_benchmarks_take_them(root: str, tmp_path: Path) -> None:
    assert SSv2DataModule(root=root, **OPTIONS, **VIEWS).dataset("test").views.num_views == 6
    for number in range(6):
        write_video(tmp_path / f"{number}.mp4", moving_frames(12, 32, 48, seed=number))
    (tmp_path / "train.csv").write_text("".join(f"{number}.mp4 {number % 2}\n" for number in range(4)))
    (tmp_path / "test.csv").write_text("4.mp4 0\n5.mp4 1\n")
    lists = VideoListDataModule(
        [ListSource("train.csv")], test=[ListSource("test.csv")], root=str(tmp_path), **OPTIONS, eval_crops=3
    )
    assert lists.dataset("test").views == EvaluationViews(1, 3)


def test_wrong_numbers_and_data_without_views() -> None:
    with pytest.raises(UserError, match="eval_clips is 0"):
        UCF101DataModule(eval_clips=0)
    with pytest.raises(UserError, match="eval_crops is 4; expected an odd number"):
        UCF101DataModule(eval_crops=4)
    with pytest.raises(UserError, match="glyphs has no option 'eval_clips'"):
        make_data("glyphs", {"eval_clips": 2})


def test_the_default_leaves_the_identity_of_runs_alone() -> None:
    configs = (BASE, CONFIGS / "regime" / "ucf101.yaml")
    settings = resolve_settings([word for path in configs for word in ("--config", str(path))])
    options = settings["data"]["init_args"]
    assert options["eval_clips"] is None and options["eval_crops"] is None
    before = deepcopy(settings)
    for name in VIEWS:
        del before["data"]["init_args"][name]
    assert config_hash(before) == config_hash(settings)
