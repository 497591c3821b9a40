"""How much the mean of a table of seeds and clips would change with other seeds and other clips.

S seeds, C clips; leading dimensions hold tables of their own.
"""

from __future__ import annotations

import numpy as np


def crossed_variance(d: np.ndarray) -> np.ndarray:
    """Variance of the mean of a table whose seeds and clips are both samples.

    ``d[s, c]`` is taken as mean + seed effect + clip effect + residual (two-way random effects, one value a cell), so
    ``Var(mean) = (MS_seed + MS_clip - MS_residual) / (S*C)``. It is never taken below the larger of MS_seed and
    MS_clip over S*C: a component of variance is not negative.

    Args:
        d: (..., S, C), S and C >= 2.

    Returns:
        (...) float64.

    Source: Searle, Casella and McCulloch, Variance Components (1992), chapter 4. Differs: the floor.
    """
    num_seeds, num_clips = d.shape[-2:]
    by_seed, by_clip = d.mean(-1), d.mean(-2)
    mean = by_seed.mean(-1)
    ms_seed = num_clips * by_seed.var(-1, ddof=1)
    ms_clip = num_seeds * by_clip.var(-1, ddof=1)
    residual = d - by_seed[..., None] - by_clip[..., None, :] + mean[..., None, None]
    ms_residual = np.square(residual).sum((-2, -1)) / ((num_seeds - 1) * (num_clips - 1))
    largest = np.maximum(np.maximum(ms_seed + ms_clip - ms_residual, ms_seed), ms_clip)
    return np.asarray(largest / (num_seeds * num_clips), dtype=np.float64)
