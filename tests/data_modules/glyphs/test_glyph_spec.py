"""The benchmark's parameters and labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from data_modules.glyphs.spec import DIGITS, MOTIONS, ORDERS, REVERSE_OF, TASKS, GlyphSpec, clip_labels
from vjepa.errors import UserError


def test_tasks_have_the_stated_classes() -> None:
    assert [(task.name, len(task.classes), task.temporal) for task in TASKS] == [
        ("appearance", 10, False),
        ("motion", 8, True),
        ("order", 6, True),
    ]
    assert all(task.temporal == (task.name != "appearance") for task in TASKS)
    assert {ORDERS.index(late) - ORDERS.index(early) for late, early in REVERSE_OF.items() if late in ORDERS} == {1}


def test_each_clip_asks_for_motion_or_order_never_both() -> None:
    labels = [clip_labels(index) for index in range(960)]
    assert all(appearance in range(10) for appearance, _, _ in labels)
    assert all((motion == -1) != (order == -1) for _, motion, order in labels)
    assert sum(motion >= 0 for _, motion, _ in labels) == 480


def test_classes_and_digits_are_balanced_and_crossed() -> None:
    labels = [clip_labels(index) for index in range(960)]
    motions = Counter((digit, motion) for digit, motion, _ in labels if motion >= 0)
    orders = Counter((digit, order) for digit, _, order in labels if order >= 0)
    assert len(motions) == len(DIGITS) * len(MOTIONS) and set(motions.values()) == {6}
    assert len(orders) == len(DIGITS) * len(ORDERS) and set(orders.values()) == {8}


@pytest.mark.parametrize("split_size", [1024, 2048, 4096])
def test_default_splits_are_balanced_to_one_clip(split_size: int) -> None:
    labels = [clip_labels(index) for index in range(split_size)]
    for column, num_classes in ((1, 8), (2, 6)):
        counts = Counter(label[column] for label in labels if label[column] >= 0)
        assert len(counts) == num_classes and max(counts.values()) - min(counts.values()) <= 1


def test_the_folder_name_follows_every_parameter(spec: GlyphSpec) -> None:
    assert replace(spec).folder_name == spec.folder_name
    changes: list[dict[str, Any]] = [
        {"size": 48}, {"num_frames": 16}, {"train_clips": 26}, {"scale_max": 0.7}, {"noise": 0.02},
        {"background": 0.1}, {"seed": 1}, {"crf": 20}, {"fps": 10}, {"version": spec.version + 1},
    ]  # fmt: skip
    names = {replace(spec, **change).folder_name for change in changes}
    assert len(names) == len(changes) and spec.folder_name not in names


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 33}, "size is 33; expected an even number"),
        ({"size": 8}, "size is 8; expected 16 to 256"),
        ({"num_frames": 1}, "num_frames is 1; expected 4 to 64"),
        ({"train_clips": 0}, "train_clips is 0"),
        ({"scale_min": 0.7, "scale_max": 0.6}, r"scale_max is 0.6; expected 0.7 to 1.0"),
        ({"noise": -0.1}, "noise is -0.1"),
        ({"background": 0.9}, "background is 0.9; expected 0.0 to 0.5"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_values_out_of_range_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        GlyphSpec(**change)
