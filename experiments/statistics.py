"""Is the difference between two variants more than luck? Intervals over seeds and clips together.

S paired seeds, C clips: both variants are trained with the same seeds and judged on the same clips.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from experiments.results import Predictions


@dataclass(frozen=True)
class Difference:
    """Accuracy of a minus accuracy of b, in [-1, 1].

    Args:
        mean: over all seeds and clips.
        low, high: interval for new seeds and new clips; None with one seed.
        num_seeds, num_clips: S and C.
        per_seed: S differences.
        seed_sd: standard deviation of ``per_seed``; None with one seed.
        clip_low, clip_high: interval for new clips with these very seeds; information, never evidence that
            one variant trains better than another.
        confidence: of both intervals.
    """

    mean: float
    low: float | None
    high: float | None
    num_seeds: int
    num_clips: int
    per_seed: tuple[float, ...]
    seed_sd: float | None
    clip_low: float
    clip_high: float
    confidence: float = 0.95

    @property
    def significant(self) -> bool:
        """Whether there is an interval and it excludes zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    @property
    def interval(self) -> str:
        """The interval in percentage points, or why there is none."""
        if self.low is None or self.high is None:
            return f"n={self.num_seeds} seed: no interval"
        return f"[{100 * self.low:+.1f}, {100 * self.high:+.1f}]"

    def describe(self, a: str, b: str) -> str:
        """Say in one sentence what the numbers support.

        Args:
            a, b: names of the variants.
        """
        points = f"{100 * abs(self.mean):.1f} points"
        seeds = "1 seed" if self.num_seeds == 1 else f"{self.num_seeds} seeds"
        sample = f"n = {seeds} x {self.num_clips} clips"
        if self.low is None:
            clips = f"[{100 * self.clip_low:+.1f}, {100 * self.clip_high:+.1f}]"
            return (
                f"{a} - {b}: {100 * self.mean:+.1f} points, {sample}; {self.interval} "
                f"(new clips with this seed alone: {clips})"
            )
        if not self.significant:
            return f"{a} - {b}: {100 * self.mean:+.1f} points {self.interval}, {sample}: not significant"
        winner, loser = (a, b) if self.mean > 0 else (b, a)
        low, high = sorted((abs(self.low), abs(self.high)))  # type: ignore[arg-type]
        return f"{winner} beats {loser} by {points} [{100 * low:.1f}, {100 * high:.1f}], {sample}"


def paired_difference(
    correct_a: np.ndarray | Sequence[Sequence[bool]],
    correct_b: np.ndarray | Sequence[Sequence[bool]],
    confidence: float = 0.95,
) -> Difference:
    """Compare two variants seed by seed and clip by clip.

    ``d[s, c] = a - b`` is taken as mean + seed effect + clip effect + residual (two-way random effects, one
    value a cell), so ``Var(mean) = (MS_seed + MS_clip - MS_residual) / (S*C)``, never taken below the larger
    of MS_seed and MS_clip over S*C; the interval uses the t quantile with S-1 degrees of freedom.

    Args:
        correct_a, correct_b: (S, C) bool or numbers, the same seeds and clips in the same order.
        confidence: of the intervals, in (0, 1).

    Raises:
        ValueError: the shapes differ or hold fewer than one seed or two clips.

    Source: crossed random effects; Searle, Casella and McCulloch, Variance Components (1992), chapter 4.
    """
    a, b = np.asarray(correct_a, dtype=np.float64), np.asarray(correct_b, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 2 or a.shape[0] < 1 or a.shape[1] < 2:
        raise ValueError(f"expected two equal (seeds, clips) arrays with 2 clips or more, got {a.shape} and {b.shape}")
    d = a - b
    num_seeds, num_clips = d.shape
    mean = float(d.mean())
    level = 0.5 + confidence / 2
    clip_half = float(stats.t.ppf(level, num_clips - 1) * d.mean(0).std(ddof=1) / math.sqrt(num_clips))
    low = high = seed_sd = None
    if num_seeds > 1:
        half = float(stats.t.ppf(level, num_seeds - 1) * math.sqrt(crossed_variance(d)))
        low, high = mean - half, mean + half
        seed_sd = float(d.mean(1).std(ddof=1))
    return Difference(
        mean=mean,
        low=low,
        high=high,
        num_seeds=num_seeds,
        num_clips=num_clips,
        per_seed=tuple(d.mean(1).tolist()),
        seed_sd=seed_sd,
        clip_low=mean - clip_half,
        clip_high=mean + clip_half,
        confidence=confidence,
    )


def crossed_variance(d: np.ndarray) -> float:
    """Variance of the mean of a (S, C) table, S and C >= 2, as ``paired_difference`` defines it."""
    num_seeds, num_clips = d.shape
    by_seed, by_clip = d.mean(1, keepdims=True), d.mean(0, keepdims=True)
    residual = d - by_seed - by_clip + d.mean()
    ms_seed = num_clips * float(by_seed.var(ddof=1))
    ms_clip = num_seeds * float(by_clip.var(ddof=1))
    ms_residual = float(np.square(residual).sum()) / ((num_seeds - 1) * (num_clips - 1))
    return float(max(ms_seed + ms_clip - ms_residual, ms_seed, ms_clip) / (num_seeds * num_clips))


def compare(blocks_a: Sequence[Predictions], blocks_b: Sequence[Predictions]) -> Difference:
    """Compare two variants from their per-clip predictions.

    Args:
        blocks_a, blocks_b: one block a seed, of the same benchmark and condition.

    Returns:
        The difference over the seeds that both have.

    Raises:
        ValueError: a seed occurs twice, no seed is shared, or the clips differ.
    """
    by_seed = [_by_seed(blocks) for blocks in (blocks_a, blocks_b)]
    seeds = sorted(by_seed[0].keys() & by_seed[1].keys())
    if not seeds:
        raise ValueError(f"no shared seed: {sorted(by_seed[0])} and {sorted(by_seed[1])}")
    ids = by_seed[0][seeds[0]].video_ids
    for side in by_seed:
        for seed in seeds:
            if side[seed].video_ids != ids:
                raise ValueError(f"seed {seed} of {side[seed].stamp.variant} was judged on other clips")
    a, b = (np.stack([side[seed].correct for seed in seeds]) for side in by_seed)
    return paired_difference(a, b)


def _by_seed(blocks: Sequence[Predictions]) -> dict[int, Predictions]:
    found = {block.stamp.seed: block for block in blocks}
    if len(found) != len(blocks):
        raise ValueError(f"a seed occurs twice: {[block.stamp.seed for block in blocks]}")
    return found
