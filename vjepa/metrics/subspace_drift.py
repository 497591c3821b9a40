"""How far a corruption moves each of many subspaces of one representation, every subspace in its own measure.

n clips, d channels, S subspaces.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from vjepa.metrics.drift import cosine_distance
from vjepa.metrics.moments import CHUNK, RESOLUTION, check_features, cross_gram, mean_feature, precise, row_chunks

Normalisation = Literal["centred", "standardised", "whitened"]
RIDGE = 1e-3
"""Share of the mean variance added to every direction before whitening."""


class SubspaceDrift:
    """Drift of many subspaces of the same features, each normalised by itself.

    ``1 - cos(W (z_i - mu), W (z'_i - mu))`` within each subspace, W by normalisation, so that neither the scale nor
    the mean of one half decides.

    Args:
        clean: (n, d), n >= 2; kept, not copied.
        members: (S, d) bool, channels of each subspace, at least one.
        normalisation: ``centred`` has W = 1. ``standardised`` divides by each channel's standard deviation.
            ``whitened`` is the inverse root of the subspace's covariance with a ridge of 1e-3 of its mean variance; it
            factorises one matrix a subspace and condition, which for wide features and many subspaces is slow.
        chunk: clips at a time.

    Raises:
        ValueError: shapes do not fit, or a subspace is empty.
    """

    def __init__(
        self, clean: Tensor, members: Tensor, normalisation: Normalisation = "centred", chunk: int = CHUNK
    ) -> None:
        check_features(clean, rows=2)
        if members.ndim != 2 or members.shape[1] != clean.shape[1] or not bool(members.any(1).all()):
            found = f"{tuple(members.shape)} for features {tuple(clean.shape)}"
            raise ValueError(f"expected (S, d) with a channel in each of S subspaces, got {found}")
        if normalisation not in ("centred", "standardised", "whitened"):
            raise ValueError(f"normalisation {normalisation!r}: expected centred, standardised or whitened")
        self.clean, self.chunk, self.normalisation = clean, chunk, normalisation
        self.members = members.to(clean.device)
        self.mean = mean_feature(clean, chunk)
        variance = sum((rows - self.mean).square().sum(0) for (rows,) in row_chunks(clean, chunk=chunk)) / len(clean)
        variance = torch.as_tensor(variance)
        weights = precise(self.members)
        self.varies = weights @ variance > RESOLUTION**2 * (weights @ self.mean.square())
        scale = variance.clamp_min(torch.finfo(variance.dtype).tiny).rsqrt()
        # A channel that does not vary says nothing, however the corruption moves it.
        alive = variance > RESOLUTION**2 * self.mean.square()
        self.scale = torch.where(alive, scale, 0) if normalisation == "standardised" else torch.ones_like(scale)
        self.covariance = (
            cross_gram(clean, clean, self.mean, self.mean, chunk) / len(clean) if normalisation == "whitened" else None
        )

    @torch.no_grad()
    def __call__(self, corrupted: Tensor) -> Tensor:
        """Drift of each clip in each subspace, (n, d) to (S, n); NaN for a subspace that does not vary."""
        check_features(self.clean, corrupted)
        parts = []
        for clean_rows, corrupted_rows in row_chunks(self.clean, corrupted, chunk=self.chunk):
            a, b = (clean_rows - self.mean) * self.scale, (corrupted_rows - self.mean) * self.scale
            parts.append(self._whitened(a, b) if self.covariance is not None else self._distance(a, b))
        return torch.where(self.varies[:, None], torch.cat(parts, dim=1), torch.nan)

    def _distance(self, a: Tensor, b: Tensor) -> Tensor:
        """(rows, d) twice to (S, rows): sums over each subspace's channels, all subspaces at once."""
        weights = precise(self.members)
        return cosine_distance(weights @ (a * b).T, weights @ a.square().T, weights @ b.square().T)

    def _whitened(self, a: Tensor, b: Tensor) -> Tensor:
        assert self.covariance is not None
        found = []
        for chosen in self.members:
            covariance = self.covariance[chosen][:, chosen]
            ridge = (RIDGE * covariance.diagonal().mean()).clamp_min(torch.finfo(a.dtype).tiny)
            covariance = covariance + ridge * torch.eye(len(covariance), dtype=a.dtype, device=a.device)
            # A triangular factor gives the same products as the symmetric root.
            factor = torch.linalg.cholesky(covariance)
            x, y = (torch.linalg.solve_triangular(factor, rows[:, chosen].T, upper=False) for rows in (a, b))
            found.append(cosine_distance((x * y).sum(0), x.square().sum(0), y.square().sum(0)))
        return torch.stack(found)
