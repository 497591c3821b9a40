"""Diving-48, both versions of its labels, with real MP4 files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from data_modules import Diving48DataModule
from tests.data_modules.layouts import write_diving48
from vjepa.errors import UserError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_diving48(tmp_path)
    return tmp_path


def make(root: Path, **options: Any) -> Diving48DataModule:
    defaults = {"batch_size": 4, "num_workers": 0, "num_frames": 4, "size": 16, "val_ratio": 0.2}
    return Diving48DataModule(root=str(root), **defaults | options)


def test_clips_of_one_source_video_stay_together(root: Path) -> None:
    data = make(root)
    train, val, test = (data.dataset(split) for split in ("train", "val", "test"))
    assert [len(train), len(val), len(test)] == [30, 10, 6]
    sources = [{name.rpartition("_")[0] for name in split.video_ids} for split in (train, val)]
    assert not sources[0] & sources[1] and sources[1] == {"-src_3", "-src_4"}
    assert val.labels[:, 0].tolist() == [(3 + k) % 3 for k in range(5)] + [(4 + k) % 3 for k in range(5)]
    assert data.tasks[0].classes[1] == "Inward 15som NoTwis PIKE" and data.tasks[0].temporal
    shown = [*data.val_dataloader()]
    assert [len(clip) for clip in shown] == [4, 4, 2] and shown[0].frames.shape == (4, 4, 16, 16, 3)


def test_both_versions_of_the_labels(root: Path) -> None:
    first, second = make(root, version="V1"), make(root)
    assert [len(first.annotations.splits["train"]), len(second.annotations.splits["train"])] == [42, 40]
    assert first.published == {"train": 15_943, "test": 2_096} and second.published == {"train": 15_027, "test": 1_970}
    with pytest.raises(UserError, match="unknown diving48 version 'V3'"):
        make(root, version="V3")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (
            {"vid_name": "a_0", "label": 3},
            r"train\.json, record 41: label 3; expected 0 to 2, a class of .*vocab",
        ),
        ({"vid_name": "a_0", "label": "1"}, "label '1'; expected 0 to 2"),
        ({"vid_name": "../a_0", "label": 1}, r"'\.\./a_0' is not a plain file name"),
        ({"label": 1}, "record 41: .* lacks one of vid_name, label"),
    ],
)
def test_mistakes_in_the_labels_are_named(root: Path, record: dict[str, Any], message: str) -> None:
    path = root / "diving48" / "Diving48_V2_train.json"
    path.write_text(json.dumps([*json.loads(path.read_text()), record]))
    with pytest.raises(UserError, match=message):
        make(root).prepare_data()


def test_the_vocabulary_is_needed(root: Path) -> None:
    (root / "diving48" / "Diving48_vocab.json").unlink()
    with pytest.raises(UserError, match=r"diving48: Diving48_vocab\.json not found in .*; see docs/data\.md"):
        make(root).prepare_data()
