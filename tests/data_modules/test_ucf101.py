"""UCF-101 in its official layout: real AVI files, three splits, groups that stay together."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data_modules import UCF101DataModule
from data_modules.decode.frames import decode_video, uniform_indices
from tests.data_modules.layouts import UCF_CLASSES, UCF_CLIPS, UCF_TEST_GROUPS, UCF_TRAIN_GROUPS, write_ucf101
from vjepa.errors import UserError


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that tests read but never change."""
    root = tmp_path_factory.mktemp("data")
    write_ucf101(root)
    return root


@pytest.fixture
def own(root: Path, tmp_path: Path) -> Path:
    """A copy for a test that changes it."""
    shutil.copytree(root, tmp_path / "data")
    return tmp_path / "data"


VALIDATION = {"ApplyEyeMakeup/v_ApplyEyeMakeup_g10", "Archery/v_Archery_g12", "YoYo/v_YoYo_g10"}


def make(root: Path, **options: Any) -> UCF101DataModule:
    defaults = {"batch_size": 4, "num_workers": 0, "num_frames": 4, "size": 16, "val_ratio": 0.2}
    return UCF101DataModule(root=str(root), **defaults | options)


def groups(ids: tuple[str, ...]) -> set[str]:
    return {name.rpartition("_")[0] for name in ids}


def test_the_official_split_is_read_and_groups_stay_together(root: Path) -> None:
    data = make(root)
    data.prepare_data()
    data.setup()
    train, val, test = (data.dataset(split) for split in ("train", "val", "test"))
    assert len(train) + len(val) == len(UCF_CLASSES) * len(UCF_TRAIN_GROUPS) * UCF_CLIPS
    assert len(test) == len(UCF_CLASSES) * len(UCF_TEST_GROUPS) * UCF_CLIPS
    assert not groups(train.video_ids) & groups(val.video_ids)
    assert groups(val.video_ids) == VALIDATION, "a fixed choice, of every class"
    assert val.labels[:, 0].unique().tolist() == [0, 1, 2]
    assert data.tasks[0].name == "action" and data.tasks[0].classes == UCF_CLASSES and not data.tasks[0].temporal
    assert data.published == {"train": 9_537, "test": 3_783}
    for dataset in (train, val, test):
        stated = [UCF_CLASSES.index(name.split("/")[0]) for name in dataset.video_ids]
        assert dataset.labels[:, 0].tolist() == stated


def test_another_split_has_other_files(root: Path) -> None:
    first, second = make(root), make(root, split=2)
    assert groups(second.dataset("test").video_ids) == {f"{name}/v_{name}_g08" for name in UCF_CLASSES}
    assert first.manifest_hash != second.manifest_hash == make(root, split=2, seed=4, size=32).manifest_hash
    assert make(root, split_seed=1).manifest_hash != first.manifest_hash
    with pytest.raises(
        UserError, match=r"trainlist03\.txt not found in .*looked for ucfTrainTestlist/trainlist03\.txt"
    ):
        make(root, split=3).prepare_data()
    with pytest.raises(UserError, match="split is 4"):
        make(root, split=4)


def test_clips_come_from_packed_and_plain_files(root: Path) -> None:
    data = make(root)
    clips = [next(iter(data.train_dataloader())), *data.test_dataloader()]
    assert clips[0].frames.shape == (4, 4, 16, 16, 3) and clips[0].frames.dtype == torch.uint8
    assert sum(len(clip) for clip in clips[1:]) == len(data.dataset("test"))
    packed = root / "ucf101" / "UCF-101" / "Archery" / "v_Archery_g02_c01.avi"
    place = data.dataset("test").video_ids.index("Archery/v_Archery_g02_c01.avi")
    frames = decode_video(packed)
    shown = make(root, size=48).dataset("test").fetch([place]).frames[0].numpy()
    assert np.array_equal(shown, frames[uniform_indices(len(frames), 4)][:, :, 8:56])


def test_files_may_lie_in_the_root_or_have_been_transcoded(own: Path) -> None:
    expected = make(own).dataset("test").video_ids
    for path in (own / "ucf101").iterdir():
        path.rename(own / path.name)
    (own / "ucf101").rmdir()
    assert make(own).dataset("test").video_ids == expected
    for path in (own / "UCF-101").rglob("*.avi"):
        path.rename(path.with_suffix(".mp4"))
    data = make(own)
    assert data.dataset("test").video_ids == expected and data.dataset("test").paths[0].endswith(".mp4")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Archry/v_Archry_g08_c01.avi 2", r"trainlist01\.txt, line 1: unknown class 'Archry' \(did you mean 'Archery'"),
        ("Archery/v_Archery_g08_c01.avi 3", "line 1: Archery is labelled 3, but it is 2"),
        ("../secret/v_Archery_g08_c01.avi 2", "expected Class/v_Class_g01_c01.avi"),
        ("/Archery/v_Archery_g08_c01.avi 2", "expected Class/v_Class_g01_c01.avi"),
        ("../v_Archery_g08_c01.avi 2", "'..' is not a plain file name"),
        ("Archery/movie.avi 2", "'movie.avi' names no group"),
    ],
)
def test_mistakes_in_a_list_are_named(own: Path, line: str, message: str) -> None:
    path = own / "ucf101" / "ucfTrainTestlist" / "trainlist01.txt"
    path.write_text(f"{line}\n{path.read_text()}")
    with pytest.raises(UserError, match=message):
        make(own).prepare_data()


def test_a_file_in_both_lists_is_refused(own: Path) -> None:
    path = own / "ucf101" / "ucfTrainTestlist" / "testlist01.txt"
    path.write_text("Archery/v_Archery_g09_c01.avi\n" + path.read_text())
    with pytest.raises(UserError, match=r"_g09_c01\.avi is listed twice, in the official train and test"):
        make(own).prepare_data()


def test_links_that_lead_out_are_refused_unless_allowed(own: Path, root: Path) -> None:
    folder = own / "ucf101" / "UCF-101" / "YoYo"
    shutil.rmtree(folder)
    folder.symlink_to(root / "ucf101" / "UCF-101" / "YoYo")
    with pytest.raises(UserError, match=r"YoYo/.* is one of 15 train files that links lead out of .*allow_links"):
        make(own).setup("fit")
    data = make(own, allow_links=True)
    data.setup("fit")
    assert len(data.dataset("train").fetch([len(data.dataset("train")) - 1])) == 1


def test_missing_files_stop_evaluation_and_not_training(own: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = make(own)
    missing = [data.dataset(split).paths[0] for split in ("train", "test")]
    for path in missing:
        Path(path).unlink()
    data = make(own)
    assert len(data.dataset("train")) == 45
    assert "1 of 45 train files are not in" in caplog.text
    with pytest.raises(UserError, match=r"1 of 18 test files are not in .*v_ApplyEyeMakeup_g01_c01\.avi"):
        data.dataset("test")
    assert len(make(own, max_broken_ratio=0.1).dataset("test")) == 18
    shutil.rmtree(own / "ucf101" / "UCF-101")
    with pytest.raises(UserError, match=r"ucf101: no video found in .*looked for UCF-101/ApplyEyeMakeup/v_"):
        make(own).prepare_data()
