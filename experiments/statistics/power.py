"""How large a difference must be to be found: the power of a t test, and the smallest difference that has enough."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import optimize, special, stats

from experiments.statistics.holm import LEVEL

POWER = 0.8
_NODES = (np.arange(2000) + 0.5) / 2000


def power(delta: float, se: float, df: int, alpha: float = LEVEL) -> float:
    """Chance that a two-sided t test finds a true difference.

    This is the noncentral t distribution, ``P(|T| > t(1 - alpha/2, df))`` with noncentrality delta / se, integrated
    over the quantiles of the estimated error: scipy's own is NaN in the far tails that Holm's first step asks for.

    Args:
        delta: true difference.
        se: standard error of the mean difference, > 0.
        df: degrees of freedom of its estimate, seeds - 1.
        alpha: level of the test; that of Holm's first step of m comparisons is 0.05 / m.

    Returns:
        In [alpha, 1], to about 1e-5. Where seeds make most of the error, as many differences are found; where clips do,
        more, because its estimate is surer than S - 1 degrees of freedom say (docs/statistics.md).
    """
    return _power(abs(delta) / se, df, alpha)


def minimal_difference(se: float, df: int, alpha: float = LEVEL, wanted: float = POWER) -> float:
    """Smallest true difference that is found with the wanted power, given the standard error.

    Args:
        se, df, alpha: as in ``power``.
        wanted: power, in (alpha, 1).
    """
    return se * _noncentrality(df, alpha, wanted)


@lru_cache(maxsize=1024)
def _noncentrality(df: int, alpha: float, wanted: float) -> float:
    # With one degree of freedom the error may be estimated almost freely: look as far as the critical value reaches.
    most = 10.0 + 10.0 * float(stats.t.ppf(1 - alpha / 2, df))
    return float(optimize.brentq(lambda x: _power(x, df, alpha) - wanted, 0.0, most))


def _power(noncentrality: float, df: int, alpha: float) -> float:
    threshold = float(stats.t.ppf(1 - alpha / 2, df)) * _error_ratios(df)
    return float((special.ndtr(noncentrality - threshold) + special.ndtr(-noncentrality - threshold)).mean())


@lru_cache(maxsize=64)
def _error_ratios(df: int) -> np.ndarray:
    """Estimated over true standard error, at evenly spaced quantiles."""
    return np.asarray(np.sqrt(stats.chi2.ppf(_NODES, df) / df))
