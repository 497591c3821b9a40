"""Intervals over clips: the same resampled clips for every encoder and condition, so that differences are paired.

R resamples of n clips. These say what other clips might show; what another training run might show they cannot say.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NUM_RESAMPLES = 1000
CONFIDENCE = 0.95
_PART = 100
"""Resamples at a time: their weights are held as floats."""


class ClipResampling:
    """Bootstrap over clips.

    Args:
        num_clips: n.
        num_resamples: R.
        seed: of the resamples; equal n and seed give equal resamples.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13 (percentile interval).
    """

    def __init__(self, num_clips: int, num_resamples: int = NUM_RESAMPLES, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.counts = np.empty((num_resamples, num_clips), np.uint8)
        for number in range(num_resamples):
            drawn = rng.integers(num_clips, size=num_clips)
            self.counts[number] = np.bincount(drawn, minlength=num_clips)

    def means(self, values: Sequence[NDArray[np.bool_]]) -> NDArray[np.float64]:
        """Mean over the clips of every resample.

        Args:
            values: K times (n,).

        Returns:
            (R, K).
        """
        columns = np.stack(values, axis=1).astype(np.float32)
        parts = [
            self.counts[start : start + _PART].astype(np.float32) @ columns
            for start in range(0, len(self.counts), _PART)
        ]
        return np.concatenate(parts).astype(np.float64) / columns.shape[0]


def interval(resampled: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Percentile interval of (R, ...) resampled numbers: low and high, each (...)."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, (tail, 1 - tail), axis=0)
    return low, high
