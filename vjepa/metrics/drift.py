"""How far a corruption moves each clip's feature, without labels.

n clips, T time steps, d channels. Every function returns one value a clip, so that intervals can be put on the mean.
Stability is not utility: a constant representation does not move either, so these numbers stand beside accuracy.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vjepa.metrics.moments import CHUNK, check_features, mean_feature, precise, row_chunks, spread


def cosine_distance(ab: Tensor, aa: Tensor, bb: Tensor) -> Tensor:
    """``1 - a'b / (|a| |b|)`` from the three products; 1 where one of the vectors is zero."""
    length = (aa * bb).sqrt()
    return torch.where(length > 0, 1 - ab / length.clamp_min(torch.finfo(ab.dtype).tiny), torch.ones_like(ab))


@torch.no_grad()
def centred_drift(clean: Tensor, corrupted: Tensor, mean: Tensor | None = None, chunk: int = CHUNK) -> Tensor:
    """``1 - cos(z_i - mu, z'_i - mu)``: 0 is unmoved, about 1 is unrelated to the clean feature.

    Without the centring, unrelated features that share a large mean seem not to have moved.

    Args:
        clean: (n, d), n >= 2.
        corrupted: (n, d), the same clips.
        mean: (d,) mu, mean of the clean features by default.
        chunk: clips at a time.

    Returns:
        (n,) in [0, 2]; NaN if the clean features do not vary.
    """
    check_features(clean, corrupted, rows=2)
    mean = mean_feature(clean, chunk) if mean is None else precise(mean)
    return drift_from(clean, corrupted, mean, spread(clean, mean, chunk), chunk)


def drift_from(clean: Tensor, corrupted: Tensor, mean: Tensor, scale: Tensor, chunk: int = CHUNK) -> Tensor:
    """``centred_drift`` where mean (d,) and spread (0-d) of the clean features are known."""
    found = []
    for a, b in row_chunks(clean, corrupted, chunk=chunk):
        a, b = a - mean, b - mean
        found.append(cosine_distance((a * b).sum(1), a.square().sum(1), b.square().sum(1)))
    return torch.where(scale > 0, torch.cat(found), torch.nan)


@torch.no_grad()
def lipschitz_ratio(
    clean: Tensor, corrupted: Tensor, input_change: Tensor, input_spread: float | Tensor, chunk: int = CHUNK
) -> Tensor:
    """``(|z'_i - z_i| / s_z) / (|x'_i - x_i| / s_x)``: below 1 the encoder dampens the corruption. Report the median.

    Args:
        clean, corrupted: (n, d), n >= 2.
        input_change: (n,) Euclidean distance of the corrupted clip to the clean one, in pixels.
        input_spread: s_x > 0, root mean squared distance of clean clips to their mean, in the same unit; s_z is the
            same of the clean features.
        chunk: clips at a time.

    Returns:
        (n,) at least 0; NaN for clips that the corruption leaves as they are and for features that do not vary.
    """
    check_features(clean, corrupted, rows=2)
    if input_change.shape != (len(clean),):
        raise ValueError(f"expected input_change ({len(clean)},), got {tuple(input_change.shape)}")
    moved = torch.cat([(b - a).norm(dim=1) for a, b in row_chunks(clean, corrupted, chunk=chunk)])
    change = precise(input_change.to(moved.device)) / precise(torch.as_tensor(input_spread, device=moved.device))
    scale = spread(clean, chunk=chunk)
    defined = (change > 0) & (scale > 0)
    return torch.where(defined, moved / scale / change, torch.nan)


@torch.no_grad()
def temporal_gradient_drift(clean: Tensor, corrupted: Tensor, chunk: int = CHUNK) -> Tensor:
    """``mean_t [1 - cos(z_{t+1} - z_t, z'_{t+1} - z'_t)]``: does the feature still move in the same direction?

    Only for corruptions that keep the order of frames.

    Args:
        clean, corrupted: (n, T, d), T >= 2, one feature a time step.
        chunk: clips at a time.

    Returns:
        (n,) in [0, 2]. Steps at which the clean feature stands still are left out; NaN where it always does.

    Source: the cosine distance of temporal gradients that Poisson Labs reports for V-JEPA 2.1 (2026). Differs: their
        code is not public, so the mean over steps is this project's choice.
    """
    if clean.ndim != 3 or clean.shape != corrupted.shape or clean.shape[1] < 2:
        shapes = f"{tuple(clean.shape)} and {tuple(corrupted.shape)}"
        raise ValueError(f"expected two equal (n, T, d) with T >= 2, got {shapes}")
    found = []
    for first, second in row_chunks(clean, corrupted, chunk=chunk):
        a, b = first.diff(dim=1), second.diff(dim=1)
        aa = a.square().sum(-1)
        steps = cosine_distance((a * b).sum(-1), aa, b.square().sum(-1))  # (chunk, T - 1)
        found.append(torch.where(aa > 0, steps, torch.nan).nanmean(1))
    return torch.cat(found)
