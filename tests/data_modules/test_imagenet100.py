"""ImageNet-100 as folders, and as 100 classes of ImageNet-1k: colour, grey and CMYK, JPEG and PNG."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data_modules import ImageNet100DataModule
from data_modules.clips.augment import CentreView
from data_modules.decode.images import read_image
from tests.data_modules.layouts import write_imagenet100
from vjepa.errors import UserError


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that tests read but never change."""
    root = tmp_path_factory.mktemp("data")
    write_imagenet100(root)
    write_imagenet100(root, 110, "imagenet", per_class=2)
    return root


def make(root: Path, **options: Any) -> ImageNet100DataModule:
    defaults = {"batch_size": 4, "num_workers": 0, "num_frames": 4, "size": 16, "val_ratio": 0.2}
    return ImageNet100DataModule(root=str(root), **defaults | options)


def test_classes_are_folders_in_the_order_of_their_names(root: Path) -> None:
    data = make(root)
    train, val, test = (data.dataset(split) for split in ("train", "val", "test"))
    assert [len(train), len(val), len(test)] == [240, 60, 100]
    assert test.labels[:, 0].tolist() == list(range(100)) and data.tasks[0].classes[7] == "n00000007"
    assert set(train.video_ids).isdisjoint(val.video_ids) and train.labels[:, 0].bincount().min() >= 1
    assert data.published == {"train": 126_689, "val": 5_000} and not data.tasks[0].temporal


def test_an_image_is_a_clip_of_one_frame_whatever_its_kind(root: Path) -> None:
    data = make(root)
    test = data.dataset("test")
    assert {Path(path).suffix for path in test.paths} == {".JPEG", ".PNG"}
    clip = test.fetch(list(range(10)))
    assert clip.frames.shape == (10, 1, 16, 16, 3)
    grey = clip.frames[1].int()
    assert (grey == grey[..., :1]).all() and not (clip.frames[3].int() == clip.frames[3, ..., :1].int()).all()
    for number in (0, 1, 2, 3):
        image = read_image(test.paths[number])
        view = CentreView(*image.shape[:2], 16)
        assert np.array_equal(clip.frames[number, 0].numpy(), view(image))
    assert next(iter(data.train_dataloader())).frames.shape == (4, 1, 16, 16, 3)
    assert sum(len(clip) for clip in data.test_dataloader()) == 100


def test_a_list_chooses_100_classes_of_imagenet_1k(root: Path) -> None:
    wanted = [f"n{number:08d}" for number in range(109, 9, -1)]
    (root / "chosen.txt").write_text("".join(f"{name} tench, Tinca tinca\n" for name in wanted))
    data = make(root, classes="chosen.txt")
    assert data.tasks[0].classes == tuple(sorted(wanted)), "whatever the order of the list"
    assert len(data.dataset("train")) + len(data.dataset("val")) == 200 and len(data.dataset("test")) == 100
    assert all("/imagenet/" in path for path in data.dataset("train").paths)
    assert torch.equal(data.dataset("test").labels[:, 0], torch.arange(100))


def test_one_set_in_several_folders(root: Path, tmp_path: Path) -> None:
    home = tmp_path / "imagenet100"
    shutil.copytree(root / "imagenet100" / "val", home / "val.X")
    for number in range(100):
        folder = root / "imagenet100" / "train" / f"n{number:08d}"
        shutil.copytree(folder, home / f"train.X{1 + number // 25}" / folder.name)
    data = make(tmp_path)
    assert len(data.dataset("train")) == 240 and data.dataset("test").labels[:, 0].tolist() == list(range(100))


def test_other_files_and_hidden_ones_are_left_out(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "imagenet100", tmp_path / "imagenet100")
    folder = tmp_path / "imagenet100" / "val" / "n00000004"
    for name in ("notes.txt", "._n00000004_0.JPEG", ".DS_Store"):
        (folder / name).write_text("no image")
    (tmp_path / "imagenet100" / "val" / ".cache").mkdir()
    assert len(make(tmp_path).dataset("test")) == 100
    (folder / "n00000004_0.JPEG").unlink()
    with pytest.raises(UserError, match="val/n00000004 holds no JPEG or PNG file"):
        make(tmp_path).prepare_data()
    shutil.rmtree(folder)
    with pytest.raises(UserError, match=r"no class folder n00000004 in .*/val \(did you mean"):
        make(tmp_path).prepare_data()


def test_links_to_imagenet_1k_need_permission(root: Path, tmp_path: Path) -> None:
    for split in ("train", "val"):
        (tmp_path / "imagenet100" / split).mkdir(parents=True)
        for number in range(100):
            name = f"n{number:08d}"
            (tmp_path / "imagenet100" / split / name).symlink_to(root / "imagenet" / split / name)
    with pytest.raises(UserError, match=r"100 test files that links lead out of .*set allow_links"):
        make(tmp_path).dataset("test")
    assert len(make(tmp_path, allow_links=True).dataset("test")) == 100


def test_anything_but_100_classes_is_refused(root: Path, tmp_path: Path) -> None:
    (root / "few.txt").write_text("n00000001\nn00000002\n")
    with pytest.raises(UserError, match=r"few\.txt has 2 classes; expected 100"):
        make(root, classes="few.txt").prepare_data()
    (root / "twice.txt").write_text("n00000001\nn00000001\n")
    with pytest.raises(UserError, match=r"twice\.txt, line 2: n00000001 is listed twice"):
        make(root, classes="twice.txt").prepare_data()
    (root / "out.txt").write_text("../secret\n")
    with pytest.raises(UserError, match=r"out\.txt, line 1: '\.\./secret' is not a plain file name"):
        make(root, classes="out.txt").prepare_data()
    with pytest.raises(UserError, match=r"none\.txt: cannot be read \(No such file"):
        make(root, classes="none.txt").prepare_data()
    (tmp_path / "imagenet100").mkdir()
    (tmp_path / "imagenet100" / "train").symlink_to(root / "imagenet" / "train")
    with pytest.raises(UserError, match="no folder val in"):
        make(tmp_path).prepare_data()
    (tmp_path / "imagenet100" / "val").symlink_to(root / "imagenet" / "val")
    with pytest.raises(UserError, match="train has 110 classes; expected 100: set classes to a file"):
        make(tmp_path).prepare_data()
