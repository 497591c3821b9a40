"""All label-free comparisons of one subspace, clean against every condition of a profile."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

from experiments.evaluation.analyses.base import Found, Report
from experiments.evaluation.analyses.mean_features import FeatureReader
from experiments.evaluation.analyses.neighbour_vote import NeighbourVote
from experiments.evaluation.analyses.rows import Options, RowMaker, averages, label_free_rows
from experiments.evaluation.conditions import CLEAN, Condition
from experiments.evaluation.subjects import Subject
from experiments.results import ClipValues, Row
from vjepa.corruptions import Profile
from vjepa.metrics import (
    StabilityReference,
    alpha_req,
    dead_ratio,
    feature_std,
    lidar,
    mean_pairwise_cosine,
    participation_ratio,
    rankme,
)

AVERAGED = ("centred_drift", "paired_retrieval", "neighbour_jaccard", "cka")
"""Metrics that are averaged over a profile; a mean of ranks would say nothing."""
LIDAR_CLIPS = 2048
"""Most clips whose features under all conditions are held at once."""


def subspace_stability(
    subject: Subject,
    found: Found,
    subspace: str,
    read: FeatureReader,
    profile: Profile,
    conditions: Sequence[Condition],
    k: int,
    options: Options | None,
) -> Report:
    """Rows of one subspace, and each clip's drift.

    Args:
        subject: whose features they are.
        found: what was collected, n clips with mean features under every condition.
        subspace: its name in rows.
        read: gives its features under a condition.
        profile: gives its name and hash to rows.
        conditions: those of the profile to compare, all label-preserving ones among them.
        k: neighbours.
        options: of the evaluation.

    Returns:
        Nothing, with a warning, for fewer than k + 2 clips.
    """
    n = len(found.index)
    if n < max(4, k + 2):
        warnings.warn(
            f"{found.data_name} {found.dataset.split}: {n} clips are too few to compare {k} neighbours of each; "
            f"no stability is reported: evaluate {max(4, k + 2)} clips or more",
            stacklevel=2,
        )
        return Report()
    rows = label_free_rows(subject, found, subspace, {"neighbours": k}, options)
    clean = read(CLEAN)
    reference = StabilityReference(clean, k)
    neighbours = NeighbourVote(found, rows, clean, k)
    made = rows.rows(_spectrum(clean))
    clips = []
    values: dict[str, dict[Condition, float]] = {metric: {} for metric in AVERAGED}
    for condition in conditions:
        corrupted = read(condition)
        stability = reference.compare(corrupted)
        summary = stability.summary()
        made += rows.rows(summary, condition, profile.hash)
        for metric in AVERAGED:
            values[metric][condition] = summary[metric]
        clips.append(clip_values(subject, found, subspace, "centred_drift", condition, stability.drift))
        neighbours.add(corrupted, condition, profile)
    for metric, by_condition in values.items():
        made += rows.summary(averages(metric, by_condition, profile), profile)
    made += neighbours.rows(profile)
    made += _lidar(read, rows, profile)
    return Report(tuple(made), clips=tuple(clips))


def clip_values(
    subject: Subject, found: Found, subspace: str, metric: str, condition: Condition, values: Tensor
) -> ClipValues:
    """One number for each of the n clips, (n,)."""
    return ClipValues(
        stamp=subject.stamp,
        benchmark=found.data_name,
        subspace=subspace,
        metric=metric,
        corruption=condition[0],
        severity=condition[1],
        index=found.index.numpy(),
        video_ids=found.video_ids,
        values=values.float().cpu().numpy(),
    )


def _spectrum(clean: Tensor) -> dict[str, float]:
    """How much of its width the subspace uses on clean clips."""
    found = {
        "rankme": rankme(clean),
        "participation_ratio": participation_ratio(clean),
        "feature_std": feature_std(clean),
        "dead_ratio": dead_ratio(clean),
        "mean_pairwise_cosine": mean_pairwise_cosine(clean),
    }
    if clean.shape[1] > 1:
        found["alpha_req"] = alpha_req(clean)
    return {name: value.item() for name, value in found.items()}


def _lidar(read: FeatureReader, rows: RowMaker, profile: Profile) -> list[Row]:
    """LiDAR with the clean clips and every label-preserving condition as views, on evenly spaced clips if many."""
    conditions = profile.label_preserving
    if not conditions:
        return []
    n = min(rows.n, LIDAR_CLIPS)
    chosen = torch.arange(n) * rows.n // n
    views = [features[chosen.to(features.device)] for features in map(read, (CLEAN, *conditions))]
    return [rows.row(f"lidar_{profile.name}", lidar(views).item(), (profile.name, 0), profile.hash, n=n)]
