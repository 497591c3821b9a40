"""Something-Something V2 in both published layouts, with real WebM files."""

from __future__ import annotations

import json
import shutil
import warnings
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from data_modules import SSv2DataModule
from tests.data_modules.layouts import TEMPLATES, write_ssv2
from vjepa.errors import UserError

FLIPS = "half of the training clips are mirrored, and 2 of 4 classes tell left from right"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that tests read but never change."""
    root = tmp_path_factory.mktemp("data")
    write_ssv2(root)
    return root


@pytest.fixture
def own(root: Path, tmp_path: Path) -> Path:
    """A copy for a test that changes it."""
    shutil.copytree(root, tmp_path / "data")
    return tmp_path / "data"


def make(root: Path, **options: Any) -> SSv2DataModule:
    defaults = {"batch_size": 4, "num_workers": 0, "num_frames": 4, "size": 16, "val_ratio": 0.2}
    return SSv2DataModule(root=str(root), **defaults | options)


def test_bracketed_templates_name_classes_and_validation_is_test(root: Path) -> None:
    data = make(root)
    train, val, test = (data.dataset(split) for split in ("train", "val", "test"))
    assert [len(train), len(val), len(test)] == [32, 8, 8]
    assert data.tasks[0].classes == TEMPLATES and data.tasks[0].temporal
    for dataset in (train, val, test):
        assert dataset.labels[:, 0].tolist() == [int(name) % 4 for name in dataset.video_ids]
    assert test.video_ids == tuple(map(str, range(40, 48)))
    assert val.labels[:, 0].bincount().tolist() == [2, 2, 2, 2], "stratified"
    assert val.video_ids == ("10", "11", "13", "19", "26", "28", "29", "36"), "a fixed choice"
    assert data.published == {"train": 168_913, "validation": 24_777, "test": 27_157}


def test_both_layouts_are_the_same_data(root: Path, tmp_path: Path) -> None:
    home = write_ssv2(tmp_path, layout="20bn")
    data = make(tmp_path)
    assert data.manifest_hash == make(root).manifest_hash
    (home / "videos").mkdir()
    (home / "20bn-something-something-v2").rename(home / "videos" / "20bn-something-something-v2")
    assert make(tmp_path).dataset("test").paths[0].endswith("videos/20bn-something-something-v2/40.webm")
    for path in (home / "videos" / "20bn-something-something-v2").iterdir():
        path.rename(home / path.name)
    assert make(tmp_path).manifest_hash == data.manifest_hash, "videos beside the labels"


def test_the_official_test_split_has_labels_only_with_the_answers(root: Path, tmp_path: Path) -> None:
    withheld = make(root, test_split="test").dataset("test")
    assert withheld.labels[:, 0].tolist() == [-1] * 4 and withheld.video_ids == ("48", "49", "50", "51")
    write_ssv2(tmp_path, answers=True)
    assert make(tmp_path, test_split="test").dataset("test").labels[:, 0].tolist() == [3, 2, 1, 0]
    assert make(tmp_path).dataset("test").video_ids[0] == "40", "validation unless it is asked for"
    (tmp_path / "ssv2" / "labels" / "test.json").unlink()
    assert len(make(tmp_path).dataset("test")) == 8
    with pytest.raises(UserError, match=r"ssv2: test\.json not found in"):
        make(tmp_path, test_split="test").prepare_data()
    with pytest.raises(UserError, match="unknown ssv2 test_split 'valid'"):
        make(root, test_split="valid")


def test_loaders_give_the_same_clips_with_two_workers(root: Path) -> None:
    data, other = make(root), make(root, num_workers=2)
    for mine, theirs in zip(islice(data.train_dataloader(), 5), islice(other.train_dataloader(), 5), strict=True):
        assert torch.equal(mine.index, theirs.index) and torch.equal(mine.frames, theirs.frames)
        assert torch.equal(mine.labels, theirs.labels) and mine.frames.shape == (4, 4, 16, 16, 3)
    for mine, theirs in zip(data.test_dataloader(), other.test_dataloader(), strict=True):
        assert torch.equal(mine.index, theirs.index) and torch.equal(mine.frames, theirs.frames)


def test_flips_are_warned_of_where_labels_have_a_side(root: Path) -> None:
    with pytest.warns(UserWarning, match=FLIPS):
        make(root).setup("fit")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(root).setup("test")
        still = make(root, horizontal_flip=False)
        still.setup("fit")
    assert not still.augmentation.horizontal_flip


def test_what_is_not_there_is_named_with_what_was_looked_for(own: Path) -> None:
    (own / "ssv2" / "labels" / "labels.json").unlink()
    looked = r"looked for labels/labels\.json and something-something-v2-labels\.json and .*\); see docs/data\.md"
    with pytest.raises(UserError, match=rf"ssv2: labels\.json not found in .*/ssv2 \({looked}"):
        make(own).prepare_data()


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"id": "7", "template": "Pushing [something]"}, r"train\.json, record 2: unknown class 'Pushing something'"),
        ({"id": "7"}, r"train\.json, record 2: .* lacks one of id, template"),
        ("7", r"train\.json, record 2: 7 lacks one of id, template"),
        ({"id": "../7", "template": TEMPLATES[0]}, r"record 2: '\.\./7' is not a plain file name"),
        ({"id": "/etc/7", "template": TEMPLATES[0]}, r"record 2: '/etc/7' is not a plain file name"),
        ({"id": 7, "template": TEMPLATES[0]}, r"record 2: 7 is not a plain file name"),
        ({"id": "0", "template": TEMPLATES[0]}, "0 is listed twice, in the official train and train"),
        ({"id": "41", "template": TEMPLATES[1]}, "41 is listed twice, in the official train and validation"),
    ],
)
def test_mistakes_in_the_labels_are_named(own: Path, record: Any, message: str) -> None:
    path = own / "ssv2" / "labels" / "train.json"
    records = json.loads(path.read_text())
    path.write_text(json.dumps([records[0], record, *records[1:]]))
    with pytest.raises(UserError, match=message):
        make(own).prepare_data()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 2", r"labels\.json is not valid JSON"),
        ("[]", r"labels\.json holds a list: expected a dict"),
        ("{}", r"labels\.json names no class"),
        ('{"a": "0", "b": "2"}', r"class 'b' has label '2'; expected 1"),
        ('{"a": "0", "b": "0"}', r"class 'b' has label '0'; expected 1"),
    ],
)
def test_mistakes_in_the_classes_are_named(own: Path, content: str, message: str) -> None:
    (own / "ssv2" / "labels" / "labels.json").write_text(content)
    with pytest.raises(UserError, match=message):
        make(own).prepare_data()
