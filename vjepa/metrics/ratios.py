"""Accuracy under corruption, summed up.

A is a top-1 accuracy in [0, 1]; c runs over corruptions, s over the severities of each; m is the share of the most
frequent class among the labels. Order probes may change the label, so they never enter a mean over corruptions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

Accuracies = Mapping[tuple[str, int], float]
"""Accuracy by (corruption, severity)."""

ORDER = "order"
"""Group of the probes whose answer may rightly change."""

MIN_STANDARD_ERRORS = 3.0
"""An accuracy nearer to the majority-class rate than this is no basis for a ratio."""


@dataclass(frozen=True)
class CleanAccuracy:
    """What a probe reaches on clean clips, and what it would reach by naming one class.

    Args:
        value: accuracy in [0, 1].
        majority_rate: m in [0, 1].
        num_clips: n >= 1 clips behind ``value``.
    """

    value: float
    majority_rate: float
    num_clips: int

    def __post_init__(self) -> None:
        for name, share in (("accuracy", self.value), ("majority rate", self.majority_rate)):
            if not 0 <= share <= 1:
                raise ValueError(f"the clean {name} must lie in [0, 1], got {share}")
        if self.num_clips < 1:
            raise ValueError(f"a clean accuracy needs at least 1 clip, got {self.num_clips}")

    @property
    def standard_error(self) -> float:
        """``sqrt(A (1 - A) / n)``."""
        return math.sqrt(self.value * (1 - self.value) / self.num_clips)

    @property
    def margin(self) -> float:
        """``A - m``, or NaN when it is zero, negative or below 3 standard errors."""
        margin = self.value - self.majority_rate
        return margin if margin > 0 and margin >= MIN_STANDARD_ERRORS * self.standard_error else math.nan


def corruption_performance(accuracies: Accuracies) -> dict[str, float]:
    """``PC_c = mean_s A[c, s]``, by corruption.

    Args:
        accuracies: by (corruption, severity), at least one.

    Source: Yi et al., arXiv 2110.06513. Differs: any number of severities, there always five.
    """
    if not accuracies:
        raise ValueError("mPC needs at least one condition")
    by_corruption: dict[str, list[float]] = {}
    for (corruption, _), accuracy in accuracies.items():
        by_corruption.setdefault(corruption, []).append(accuracy)
    return {name: math.fsum(values) / len(values) for name, values in by_corruption.items()}


def mean_performance(accuracies: Accuracies) -> float:
    """``mPC = mean_c PC_c``: every corruption counts the same, whatever its number of severities.

    Args:
        accuracies: by (corruption, severity), at least one, none of an order probe.

    Source: Yi et al., arXiv 2110.06513.
    """
    performance = corruption_performance(accuracies)
    return math.fsum(performance.values()) / len(performance)


def group_performance(accuracies: Accuracies, groups: Mapping[str, str]) -> dict[str, float]:
    """mPC within each group of corruptions and over all of them, without the order probes.

    Args:
        accuracies: by (corruption, severity).
        groups: group of each corruption; those of ``order`` are left out everywhere.

    Returns:
        By group in alphabetical order, then ``all``: the mean over corruptions, not over groups. Empty when there
        are only order probes.

    Raises:
        ValueError: a corruption has no group.
    """
    unknown = sorted({name for name, _ in accuracies} - groups.keys())
    if unknown:
        raise ValueError(f"corruptions without a group: {', '.join(unknown)}")
    kept = {key: value for key, value in accuracies.items() if groups[key[0]] != ORDER}
    found = {
        group: mean_performance({key: value for key, value in kept.items() if groups[key[0]] == group})
        for group in sorted({groups[name] for name, _ in kept})
    }
    return {**found, "all": mean_performance(kept)} if kept else {}


def relative_performance(mean: float, clean: float) -> float:
    """``rPC = mPC / A_clean``, NaN when the clean accuracy is zero.

    Source: Yi et al., arXiv 2110.06513.
    """
    return mean / clean if clean > 0 else math.nan


def corrected_performance(mean: float, clean: CleanAccuracy) -> float:
    """``rPC* = (mPC - m) / (A_clean - m)``: 1 is unharmed, 0 is no better than naming one class.

    Args:
        mean: mPC, of all corruptions or of a group.
        clean: the accuracy that was there to lose.

    Returns:
        NaN where the clean accuracy is within 3 standard errors of m: the ratio would be sampling noise.
    """
    return (mean - clean.majority_rate) / clean.margin


def absolute_robustness(corrupted: float, clean: float) -> float:
    """``gamma_a = 1 - (A_clean - A)`` of one condition; never below ``1 - A_clean``, so near 1 for a weak probe.

    Source: Schiappa et al., arXiv 2207.01398.
    """
    return 1 - (clean - corrupted)


def relative_robustness(corrupted: float, clean: float) -> float:
    """``gamma_r = 1 - (A_clean - A) / A_clean`` of one condition, NaN when the clean accuracy is zero.

    It equals ``A / A_clean``, so its mean over conditions is rPC.

    Source: Schiappa et al., arXiv 2207.01398.
    """
    return 1 - (clean - corrupted) / clean if clean > 0 else math.nan


def order_sensitivity(shuffled: float, clean: CleanAccuracy) -> float:
    """``OS = (A_clean - A_shuffled) / (A_clean - m)``: 0 ignores the order of frames, 1 depends on it entirely.

    Args:
        shuffled: accuracy with all frames of a clip in random order.
        clean: accuracy in the right order.

    Returns:
        NaN where the clean accuracy is within 3 standard errors of m. Insensitivity is a defect on data whose
        classes differ by direction, which is why this never enters mPC.
    """
    return (clean.value - shuffled) / clean.margin
