"""Splits, seeds and labels of the synthetic set."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from data_modules.synth.spec import SPLITS, TASKS, SynthSpec
from vjepa.errors import UserError

RELEASED = SynthSpec(pretrain_clips=24, train_clips=160, test_clips=40)


def test_training_and_test_clips_have_the_study_s_numbers() -> None:
    assert [RELEASED.seed("train", index) for index in (0, 1, 159)] == [42, 43, 201]
    assert [RELEASED.seed("test", index) for index in (0, 39)] == [202, 241]
    assert [RELEASED.label("train", index) for index in range(9)] == [0, 1, 2, 3, 4, 5, 6, 7, 0]
    assert [RELEASED.label("test", index) for index in (0, 39)] == [0, 199 % 8]
    assert [RELEASED.seed("pretrain", index) for index in range(24)] == list(range(24))
    assert TASKS[0].classes == ("N", "NE", "E", "SE", "S", "SW", "W", "NW") and TASKS[0].temporal


def test_more_test_clips_keep_the_first_ones() -> None:
    spec = SynthSpec()
    for index in range(40):
        assert spec.seed("test", index) == RELEASED.seed("test", index)
        assert spec.label("test", index) == RELEASED.label("test", index)


def test_no_two_clips_share_a_seed() -> None:
    spec = SynthSpec(pretrain_clips=3000, train_clips=500, val_clips=300, test_clips=1000)
    seeds = [spec.seed(split, index) for split in SPLITS for index in range(spec.num_clips(split))]
    assert len(set(seeds)) == len(seeds) == 4800


def test_pretraining_clips_have_no_label() -> None:
    assert {SynthSpec().label("pretrain", index) for index in range(50)} == {-1}


def test_the_folder_name_follows_every_parameter() -> None:
    spec = SynthSpec()
    changes: list[dict[str, Any]] = [
        {"pretrain_clips": 24}, {"train_clips": 80}, {"val_clips": 80}, {"test_clips": 40}, {"border": "bounce"},
        {"num_frames": 16}, {"crf": 20}, {"fps": 4}, {"version": 2},
    ]  # fmt: skip
    names = {replace(spec, **change).folder_name for change in changes}
    assert len(names) == len(changes) and spec.folder_name not in names and spec.folder_name.startswith("synth-")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test_clips": 0}, "synth: test_clips is 0; expected 1 to"),
        ({"pretrain_clips": 0}, "synth: pretrain_clips is 0"),
        ({"border": "bonce"}, "unknown synth border 'bonce' \\(did you mean 'bounce'"),
        ({"num_frames": 4}, "synth: num_frames is 4; expected 8 to 128"),
    ],
)
def test_values_out_of_range_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        SynthSpec(**change)
