"""Metrics of probes and representations: accuracy under corruption, decisions, label-free stability, subspaces.

Pure functions, and ``ClassificationMetrics`` for several processes. Where a value exists for each clip it is returned
for each clip, so that intervals can be put on the mean.
"""

from vjepa.metrics.baseline_error import (
    corruption_errors,
    mean_corruption_error,
    relative_mean_corruption_error,
)
from vjepa.metrics.classification import CONSTANT_SHARE, ClassificationMetrics, classification_metrics
from vjepa.metrics.dissociation import DoubleDissociation, ProbedSubspace, recovered_ratio
from vjepa.metrics.drift import centred_drift, lipschitz_ratio, temporal_gradient_drift
from vjepa.metrics.flips import Flips, antonym_flip_rate, flips
from vjepa.metrics.knn import knn_hits, vote
from vjepa.metrics.lidar import lidar
from vjepa.metrics.moments import mean_feature, spread
from vjepa.metrics.neighbours import Neighbours, nearest, neighbour_jaccard, paired_retrieval
from vjepa.metrics.rank import (
    alpha_req,
    dead_ratio,
    feature_std,
    mean_pairwise_cosine,
    participation_ratio,
    rankme,
)
from vjepa.metrics.ratios import (
    CleanAccuracy,
    absolute_robustness,
    corrected_performance,
    corruption_performance,
    group_performance,
    mean_performance,
    order_sensitivity,
    relative_performance,
    relative_robustness,
)
from vjepa.metrics.selectivity import Selectivity, SelectivityTest, selectivity_index
from vjepa.metrics.similarity import linear_cka
from vjepa.metrics.splits import app_channels, leading_channels, pca_basis, random_splits, swap_channels
from vjepa.metrics.stability import Stability, StabilityReference
from vjepa.metrics.subspace_drift import SubspaceDrift
from vjepa.metrics.surprise import predictor_surprise, surprise_rate

__all__ = [
    "CONSTANT_SHARE",
    "ClassificationMetrics",
    "CleanAccuracy",
    "DoubleDissociation",
    "Flips",
    "Neighbours",
    "ProbedSubspace",
    "Selectivity",
    "SelectivityTest",
    "Stability",
    "StabilityReference",
    "SubspaceDrift",
    "absolute_robustness",
    "alpha_req",
    "antonym_flip_rate",
    "app_channels",
    "centred_drift",
    "classification_metrics",
    "corrected_performance",
    "corruption_errors",
    "corruption_performance",
    "dead_ratio",
    "feature_std",
    "flips",
    "group_performance",
    "knn_hits",
    "leading_channels",
    "lidar",
    "linear_cka",
    "lipschitz_ratio",
    "mean_corruption_error",
    "mean_feature",
    "mean_pairwise_cosine",
    "mean_performance",
    "nearest",
    "neighbour_jaccard",
    "order_sensitivity",
    "paired_retrieval",
    "participation_ratio",
    "pca_basis",
    "predictor_surprise",
    "random_splits",
    "rankme",
    "recovered_ratio",
    "relative_mean_corruption_error",
    "relative_performance",
    "relative_robustness",
    "selectivity_index",
    "spread",
    "surprise_rate",
    "swap_channels",
    "temporal_gradient_drift",
    "vote",
]
