"""Carves a validation split out of training files, whole groups at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def split_groups(labels: Sequence[int], groups: Sequence[str], ratio: float, seed: int) -> NDArray[np.bool_]:
    """Choose a validation share by class that divides no group: clips cut from one source video look alike.

    Groups come in random order, and one is taken where that brings the classes nearer to their shares. A class of
    several groups that got none gives its smallest; no class loses all its training clips.

    Args:
        labels: n classes, >= 0.
        groups: n names; equal names stay together.
        ratio: share of each class, in (0, 1).
        seed: of the choice, >= 0.

    Returns:
        (n,) bool, true for validation. All false where no group can be spared.
    """
    _, group_of = np.unique(np.asarray(groups), return_inverse=True)
    _, class_of = np.unique(np.asarray(labels), return_inverse=True)
    counts = np.zeros((group_of.max() + 1, class_of.max() + 1), dtype=np.int64)
    np.add.at(counts, (group_of, class_of), 1)
    total = counts.sum(axis=0)
    chosen, taken = np.zeros(len(counts), dtype=bool), np.zeros_like(total)
    order = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed]))).permutation(len(counts))
    for group in order:
        with_group = taken + counts[group]
        is_nearer = np.abs(ratio * total - with_group).sum() < np.abs(ratio * total - taken).sum()
        if is_nearer and (with_group < total).all():
            chosen[group], taken = True, with_group
    for name in np.flatnonzero(taken == 0):
        spare = [group for group in order if counts[group, name] and (taken + counts[group] < total).all()]
        if spare and not taken[name]:
            smallest = min(spare, key=lambda group: int(counts[group].sum()))
            chosen[smallest], taken = True, taken + counts[smallest]
    return chosen[group_of]
