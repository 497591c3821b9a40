"""Directions that tell clips apart more than corruptions move them.

n clips, v views of each, d channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vjepa.metrics.moments import CHUNK, check_features, mean_feature, precise, row_chunks

LIDAR_DELTA = 1e-4
LIDAR_EPS = 1e-8


@torch.no_grad()
def lidar(views: Sequence[Tensor], delta: float = LIDAR_DELTA, eps: float = LIDAR_EPS, chunk: int = CHUNK) -> Tensor:
    """Effective rank of ``S = Sw^(-1/2) Sb Sw^(-1/2)``: ``exp(-sum_k p_k log p_k)``, ``p_k = lambda_k / sum + eps``.

    Sb is the covariance of the clips' means over views, Sw that of views around their clip's mean, plus ``delta`` I.
    With corruptions as views it is the robust part of the rank.

    Args:
        views: v >= 2 features (n, d), n >= 2, of the same clips: the clean ones and one per corruption.
        delta: > 0; it has the unit of a squared feature, so only features of one scale are comparable.
        eps: keeps the logarithm finite.
        chunk: clips at a time.

    Returns:
        0-d, between 1 and min(n - 1, d) up to ``eps``; 0 when all clips have the same mean.

    Raises:
        ValueError: shapes differ, or there are fewer than two views or clips.

    Source: Thilak et al., arXiv 2312.04000, equations 1 to 4. Differs: corruptions as views, and eigenvalues by a
        Cholesky factor of Sw, which has the same ones as its symmetric root.
    """
    check_features(*views, rows=2)
    if len(views) < 2 or len({each.shape for each in views}) != 1:
        raise ValueError(f"expected 2 views or more of one shape, got {[tuple(each.shape) for each in views]}")
    n, d = views[0].shape
    centre = torch.stack([mean_feature(each, chunk) for each in views]).mean(0)
    between = centre.new_zeros(d, d)
    within = between.clone()
    for parts in row_chunks(*views, chunk=max(1, chunk // len(views))):
        stacked = torch.stack(parts) - centre  # (v, chunk, d)
        means = stacked.mean(0)
        between.addmm_(means.T, means)
        around = (stacked - means).flatten(0, 1)
        within.addmm_(around.T, around)
    within = within / (n * len(views)) + delta * torch.eye(d, dtype=within.dtype, device=within.device)
    factor = torch.linalg.cholesky(within)
    half = torch.linalg.solve_triangular(factor, between / n, upper=False)
    eigenvalues = torch.linalg.eigvalsh(torch.linalg.solve_triangular(factor, half.T, upper=False)).clamp_min(0)
    total = eigenvalues.sum()
    shares = eigenvalues / total.clamp_min(torch.finfo(total.dtype).tiny) + eps
    rank = torch.special.entr(shares).sum().exp()
    return torch.where(total > torch.finfo(total.dtype).eps, rank, precise(torch.zeros_like(rank)))
