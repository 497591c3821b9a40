"""Metrics of representations: rank and collapse, robustness ratios."""

from vjepa.metrics.rank import dead_ratio, feature_std, participation_ratio, rankme
from vjepa.metrics.ratios import mean_performance, relative_performance

__all__ = [
    "dead_ratio",
    "feature_std",
    "mean_performance",
    "participation_ratio",
    "rankme",
    "relative_performance",
]
