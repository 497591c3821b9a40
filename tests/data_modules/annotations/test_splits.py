"""Validation shares by class that divide no group."""

from __future__ import annotations

import numpy as np
import pytest

from data_modules.annotations.splits import split_groups


def ucf_like(num_classes: int = 20) -> tuple[list[int], list[str]]:
    """Classes of 18 groups of 4 to 7 clips, as in UCF-101."""
    rng = np.random.default_rng(0)
    pairs = [
        (label, f"{label}/g{group:02d}")
        for label in range(num_classes)
        for group in range(18)
        for _ in range(rng.integers(4, 8))
    ]
    return [label for label, _ in pairs], [group for _, group in pairs]


@pytest.mark.parametrize("ratio", [0.05, 0.2, 0.5])
def test_no_group_is_divided_and_every_class_has_about_its_share(ratio: float) -> None:
    labels, groups = ucf_like()
    chosen = split_groups(labels, groups, ratio, seed=0)
    names = np.array(groups)
    assert not set(names[chosen]) & set(names[~chosen])
    shares = np.array([chosen[np.array(labels) == label].mean() for label in range(20)])
    assert np.abs(shares - ratio).max() < 4 / 75, "off by less than a group"
    assert chosen.mean() == pytest.approx(ratio, abs=0.02)


def test_the_choice_is_fixed_by_its_seed() -> None:
    labels, groups = ucf_like()
    chosen = [split_groups(labels, groups, 0.1, seed) for seed in (0, 0, 1)]
    assert (chosen[0] == chosen[1]).all() and (chosen[0] != chosen[2]).any()
    taken = sorted({group for group, is_taken in zip(groups, chosen[0]) if is_taken})
    assert taken[:6] == ["0/g12", "0/g16", "1/g14", "1/g17", "10/g07", "10/g09"], "results rest on this choice"


def test_a_group_may_hold_several_classes() -> None:
    rng = np.random.default_rng(1)
    groups = [f"video{number}" for number in rng.integers(0, 40, 2000)]
    labels = rng.integers(0, 12, 2000).tolist()
    chosen = split_groups(labels, groups, 0.1, seed=0)
    names = np.array(groups)
    assert not set(names[chosen]) & set(names[~chosen])
    assert 0.07 < chosen.mean() < 0.13
    assert set(np.array(labels)[chosen]) == set(range(12))


def test_a_small_class_gives_a_group_but_never_its_last() -> None:
    labels = [0] * 60 + [1] * 6 + [2] * 3
    groups = [f"a{k // 3}" for k in range(60)] + ["b0"] * 2 + ["b1"] * 4 + ["c0"] * 3
    chosen = split_groups(labels, groups, 0.05, seed=0)
    assert chosen[60:66].tolist() == [True] * 2 + [False] * 4, "the smaller of its two groups"
    assert not chosen[66:].any()


def test_one_group_cannot_be_shared() -> None:
    assert not split_groups([0, 1, 0], ["a", "a", "a"], 0.5, seed=0).any()
