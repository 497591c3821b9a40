"""Decisions that a corruption changes, right or wrong.

n clips, each decided twice: on the clean and on the corrupted clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Flips:
    """Shares of the clips whose predicted class differs; ``lost + gained + both_wrong = rate``.

    Args:
        rate: ``mean 1[f(x') != f(x)]``.
        lost: right on the clean clip only.
        gained: right on the corrupted clip only.
        both_wrong: changed from one wrong class to another: invisible to accuracy.
        num_clips: n.
    """

    rate: float
    lost: float
    gained: float
    both_wrong: float
    num_clips: int


def flips(clean: Tensor, corrupted: Tensor, labels: Tensor) -> Flips:
    """Compare decisions clip by clip.

    Args:
        clean, corrupted: (n,) predicted classes, n >= 1.
        labels: (n,) true classes.

    Raises:
        ValueError: shapes differ or there is no clip.

    Source: the flip probability of Hendrycks and Dietterich, arXiv 1903.12261, between clean and corrupted clips
        instead of successive frames.
    """
    _check(clean, corrupted, labels)
    changed, before, after = clean != corrupted, clean == labels, corrupted == labels
    kinds = (changed, before & ~after, ~before & after, changed & ~before & ~after)
    rate, lost, gained, both_wrong = (kind.double().mean().item() for kind in kinds)
    return Flips(rate, lost, gained, both_wrong, len(labels))


def antonym_flip_rate(clean: Tensor, backwards: Tensor, antonyms: Sequence[tuple[int, int]]) -> tuple[float, int]:
    """Share of the clips that turn into the opposite action when they are played backwards.

    Args:
        clean: (n,) classes predicted for the clips as they are.
        backwards: (n,) classes predicted for the same clips in reverse.
        antonyms: pairs of classes that are each other in reverse (opening and closing); a class occurs in one pair.

    Returns:
        The share among clips whose clean prediction has an antonym (NaN if there is none), and their number. Here a
        flip is the right answer.

    Raises:
        ValueError: shapes differ, there is no clip, or a class occurs twice.
    """
    _check(clean, backwards)
    classes = [each for pair in antonyms for each in pair]
    if len(set(classes)) != len(classes):
        raise ValueError(f"a class occurs twice in the antonyms {list(antonyms)}")
    size = int(torch.cat([clean, backwards]).max()) + 1
    opposite = clean.new_full((max([size, *(each + 1 for each in classes)]),), -1)
    for one, other in antonyms:
        opposite[one], opposite[other] = other, one
    expected = opposite[clean]
    asked = expected >= 0
    return (backwards == expected)[asked].double().mean().item(), int(asked.sum())


def _check(*decisions: Tensor) -> None:
    if any(each.ndim != 1 or each.shape != decisions[0].shape or not len(each) for each in decisions):
        raise ValueError(
            f"expected equal (n,) classes of 1 clip or more, got {[tuple(each.shape) for each in decisions]}"
        )
