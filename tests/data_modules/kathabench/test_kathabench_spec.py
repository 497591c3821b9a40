"""Splits, seeds and quirks of KathaBench."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from data_modules.kathabench.spec import TASKS, KathaBenchSpec, Seeds
from data_modules.kathabench.store import KathaBenchStore
from vjepa.errors import UserError

STUDY_CLIPS = 50_000


def copies(seeds: Seeds) -> int:
    """Test clips of the study's size that equal a training clip: same seed and class."""
    spec = KathaBenchSpec(clips=STUDY_CLIPS, seeds=seeds)
    train, test = (
        [(spec.clip_seed(split, index), spec.label(split, index)) for index in range(spec.num_clips(split))]
        for split in ("train", "test")
    )
    known = set(train)
    return sum(clip in known for clip in test)


def test_splits_have_the_study_s_shares() -> None:
    spec = KathaBenchSpec(clips=STUDY_CLIPS)
    assert [spec.num_clips(split) for split in ("train", "val", "test")] == [35_000, 5_000, 10_000]
    numbers = [spec.number(split, index) for split in ("train", "val", "test") for index in (0, 1)]
    assert numbers == [0, 1, 35_000, 35_001, 40_000, 40_001]
    odd = KathaBenchSpec(clips=43)
    assert sum(odd.num_clips(split) for split in ("train", "val", "test")) == 43


def test_classes_are_balanced() -> None:
    spec = KathaBenchSpec(clips=800)
    for split in ("train", "val", "test"):
        counts = Counter(spec.label(split, index) for index in range(spec.num_clips(split)))
        assert len(counts) == len(TASKS[0].classes) == 8 and max(counts.values()) - min(counts.values()) <= 1


def test_drawn_seeds_put_training_clips_into_the_test_split() -> None:
    # 35,000 * 10,000 / 1,000,000 pairs share a seed and an eighth of them a class: 43.75, standard deviation 6.6.
    assert 20 < copies("drawn") < 70
    assert copies("unique") == 0


def test_equal_seeds_and_classes_are_equal_pixels(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store = KathaBenchStore(KathaBenchSpec(clips=80, seeds="drawn", num_frames=3), tmp_path)
    monkeypatch.setattr(KathaBenchSpec, "clip_seed", lambda *_: 5)
    assert np.array_equal(store.draw("train", 0), store.draw("test", 0))  # numbers 0 and 64
    assert not np.array_equal(store.draw("train", 0), store.draw("train", 1)), "another class"


def test_a_clip_depends_on_seed_and_number_alone(tmp_path: Any) -> None:
    store, more = (KathaBenchStore(KathaBenchSpec(clips=clips, num_frames=2), tmp_path) for clips in (40, 400))
    clip = store.draw("train", 3)
    store.draw("test", 1)
    assert clip.shape == (2, 224, 224, 3)
    assert np.array_equal(clip, store.draw("train", 3)) and np.array_equal(clip, more.draw("train", 3))
    other = KathaBenchStore(KathaBenchSpec(clips=40, num_frames=2, seed=1), tmp_path)
    assert not np.array_equal(clip, other.draw("train", 3))


def test_the_folder_name_follows_every_parameter() -> None:
    spec = KathaBenchSpec()
    changes: list[dict[str, Any]] = [
        {"clips": 400}, {"seeds": "drawn"}, {"solid": "flicker"}, {"seed": 1}, {"num_frames": 8}, {"crf": 20},
        {"fps": 5}, {"version": 2},
    ]  # fmt: skip
    names = {replace(spec, **change).folder_name for change in changes}
    assert len(names) == len(changes) and spec.folder_name not in names


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clips": 10}, "kathabench: clips is 10; expected 40 to"),
        ({"seeds": "uniqe"}, "unknown kathabench seeds 'uniqe' \\(did you mean 'unique'"),
        ({"solid": "on"}, "unknown kathabench solid 'on'.*constant, flicker"),
        ({"seed": -1}, "kathabench: seed is -1"),
        ({"num_frames": 1}, "kathabench: num_frames is 1"),
    ],
)
def test_values_out_of_range_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        KathaBenchSpec(**change)
