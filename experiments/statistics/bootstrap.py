"""Seeds and clips drawn anew: a second interval that assumes no distribution. B resamples, S seeds, C clips."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

NUM_RESAMPLES = 2000
_PART = 250
"""Resamples drawn at a time."""


def bootstrap_interval(
    d: np.ndarray, confidence: float = 0.95, num_resamples: int = NUM_RESAMPLES
) -> tuple[float, float]:
    """Percentile interval of the mean of a table.

    Each resample draws S seeds, then C clips, both with replacement; its clips are the same for all of its seeds,
    because the seeds of the table share their clips. Equal S, C and B give equal draws, so that all comparisons of a
    table are resampled alike.

    Args:
        d: (S, C).
        confidence: of the interval, in (0, 1).
        num_resamples: B.

    Returns:
        low, high. Three seeds have only ten different resamples: read it beside the primary interval, not for it.

    Source: hierarchical bootstrap; for crossed factors, Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1
        (2007).
    """
    means = resampled_means(d, num_resamples)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return float(low), float(high)


def resampled_means(d: np.ndarray, num_resamples: int = NUM_RESAMPLES) -> np.ndarray:
    """Mean of every resample of a table (S, C), (B,) float64."""
    num_seeds, num_clips = d.shape
    seeds, clips = _draws(num_seeds, num_clips, num_resamples)
    centre = d.mean()
    table = (d - centre).astype(np.float32)  # centred, so that float32 costs no digits
    sums = np.einsum("bs,bs->b", clips @ table.T, seeds, dtype=np.float64)
    return np.asarray(centre + sums / d.size)


@lru_cache(maxsize=2)
def _draws(num_seeds: int, num_clips: int, num_resamples: int) -> tuple[np.ndarray, np.ndarray]:
    """How often each seed (B, S) and each clip (B, C) is drawn."""
    rng = np.random.default_rng([num_seeds, num_clips, num_resamples])
    return _counts(rng, num_seeds, num_resamples), _counts(rng, num_clips, num_resamples)


def _counts(rng: np.random.Generator, n: int, num_resamples: int) -> np.ndarray:
    counts = np.empty((num_resamples, n), np.float32)
    for start in range(0, num_resamples, _PART):
        part = counts[start : start + _PART]
        drawn = rng.integers(n, size=part.shape) + n * np.arange(len(part))[:, None]
        part[:] = np.bincount(drawn.ravel(), minlength=part.size).reshape(part.shape)
    return counts
