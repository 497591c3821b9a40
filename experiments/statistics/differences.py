"""Is the difference between two variants more than luck? Both are trained with the same S seeds and judged on the same
C clips.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from experiments.results import Predictions
from experiments.statistics.bootstrap import bootstrap_interval
from experiments.statistics.power import minimal_difference
from experiments.statistics.types import Difference, Unit
from experiments.statistics.variance import crossed_variance


def paired_difference(
    values_a: np.ndarray | Sequence[Sequence[float]],
    values_b: np.ndarray | Sequence[Sequence[float]],
    confidence: float = 0.95,
    unit: Unit = "points",
) -> Difference:
    """Compare two variants seed by seed and clip by clip.

    The interval is ``mean +- t(S-1) sqrt(crossed_variance(a - b))`` and the p-value belongs to the same t. With one
    seed there is neither: nothing is known of other seeds.

    Args:
        values_a, values_b: (S, C) numbers or bool, the same seeds and clips in the same order.
        confidence: of the intervals, in (0, 1); 1 - confidence is the level of the minimal detectable difference.
        unit: of the values.

    Raises:
        ValueError: the shapes differ or hold fewer than one seed or two clips.
    """
    a, b = np.asarray(values_a, dtype=np.float64), np.asarray(values_b, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 2 or a.shape[0] < 1 or a.shape[1] < 2:
        raise ValueError(f"expected two equal (seeds, clips) arrays with 2 clips or more, got {a.shape} and {b.shape}")
    d = a - b
    num_seeds, num_clips = d.shape
    mean = float(d.mean())
    level = 0.5 + confidence / 2
    clip_half = float(stats.t.ppf(level, num_clips - 1) * d.mean(0).std(ddof=1) / math.sqrt(num_clips))
    low = high = seed_sd = p_value = boot_low = boot_high = mdd = None
    if num_seeds > 1:
        error, df = standard_error(d), num_seeds - 1
        half = float(stats.t.ppf(level, df) * error)
        low, high = mean - half, mean + half
        p_value = t_p_value(mean, error, df)
        boot_low, boot_high = bootstrap_interval(d, confidence)
        mdd = minimal_difference(error, df, 1 - confidence)
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
        p_value=p_value,
        bootstrap_low=boot_low,
        bootstrap_high=boot_high,
        mdd=mdd,
        unit=unit,
    )


def standard_error(d: np.ndarray) -> float:
    """Standard error of the mean of a table (S, C), S and C >= 2."""
    return math.sqrt(float(crossed_variance(d)))


def t_p_value(mean: float, error: float, df: int) -> float:
    """Two-sided p-value of no difference; a difference without any spread has 0, and no difference at all 1."""
    if error == 0:
        return 0.0 if mean else 1.0
    return float(2 * stats.t.sf(abs(mean) / error, df))


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
