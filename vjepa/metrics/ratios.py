"""Accuracy under corruption, summed up.

A is an accuracy in [0, 1]; c runs over corruptions, s over the severities of each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping


def mean_performance(accuracies: Mapping[tuple[str, int], float]) -> float:
    """``mPC = mean_c mean_s A[c, s]``: every corruption counts the same, whatever its number of severities.

    Args:
        accuracies: by (corruption, severity), at least one.

    Source: Yi et al., arXiv 2110.06513.
    """
    if not accuracies:
        raise ValueError("mPC needs at least one condition")
    by_corruption: dict[str, list[float]] = {}
    for (corruption, _), accuracy in accuracies.items():
        by_corruption.setdefault(corruption, []).append(accuracy)
    means = [math.fsum(values) / len(values) for values in by_corruption.values()]
    return math.fsum(means) / len(means)


def relative_performance(mean: float, clean: float) -> float:
    """``rPC = mPC / A_clean``, NaN when the clean accuracy is zero.

    Source: Yi et al., arXiv 2110.06513.
    """
    return mean / clean if clean > 0 else math.nan
