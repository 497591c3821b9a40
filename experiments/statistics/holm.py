"""Many comparisons at once: the chance of even one false claim among them is kept at the level of one test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LEVEL = 0.05
"""Chance of a false claim in a family, and level of every test made alone."""


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Adjusted p-values of a family; a comparison is significant if its own is below the level.

    The k-th smallest of m is multiplied by m - k + 1; none may be smaller than one before it, or above 1. Equal
    p-values come out equal. Valid however the tests depend on each other, as those that share a baseline do.

    Args:
        p_values: (..., m) in [0, 1].

    Returns:
        The same shape.

    Raises:
        ValueError: a value is outside [0, 1], or NaN.

    Source: Holm, A simple sequentially rejective multiple test procedure, Scand. J. Statistics 6 (1979).
    """
    p = np.asarray(p_values, dtype=np.float64)
    if not bool(((p >= 0) & (p <= 1)).all()):
        raise ValueError(f"expected p-values in [0, 1], got {p_values}")
    order = np.argsort(p, axis=-1, kind="stable")
    steps = np.arange(p.shape[-1], 0, -1)
    adjusted = np.maximum.accumulate(np.take_along_axis(p, order, -1) * steps, axis=-1).clip(max=1)
    found = np.empty_like(adjusted)
    np.put_along_axis(found, order, adjusted, -1)
    return found
