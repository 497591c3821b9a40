"""Spectral prediction: tokens oscillate over time as their targets do, fast changes weighing most."""

from __future__ import annotations

from typing import Literal, final, get_args

import torch
from torch import Tensor

from vjepa.errors import unknown_name
from vjepa.grid import gather_tokens
from vjepa.latents import Latents
from vjepa.objectives.base import Objective, Term, masked_mean, mean_over_masks

MIN_STEPS = 4
"""Time steps below which a spectrum says nothing, and the term is zero."""

SpectralError = Literal["l1", "mse"]


@final
class SpectralPrediction(Objective):
    """Agreement of the temporal spectra of context tokens and targets, frequency by frequency.

    At the places (row, column) of a sample that are context at all T time steps, with Z and H the unnormalised rfft
    over time of z and sg h, and f_j = linspace(0.1, 1, T//2 + 1):
    L = mean over places, frequencies and channels of |f_j (Z_j - H_j)|, the magnitude of a complex number, then over
    the masks that have such a place. The scale grows with T.

    Args:
        weight: coefficient; the study uses 1.0.
        error: ``l1`` magnitude, or its square ``mse``, which the study's comment names but nothing computes.

    Source: the study's spectral objective; golden case spectral. ``complete`` in the logs is the share of context
        tokens at such places: masks of one size a batch cut the last time steps, and with them most places.
    """

    name = "spectral"

    def __init__(self, weight: float = 1.0, error: SpectralError = "l1") -> None:
        super().__init__(weight)
        if error not in get_args(SpectralError):
            raise unknown_name("objectives.spectral.error", error, get_args(SpectralError))
        self.error: SpectralError = error

    def forward(self, latents: Latents) -> Term:
        """Zero where T < 4, or where no place is context at every time step."""
        targets, grid = latents.targets.detach().float(), latents.grid
        means, contributes, complete_shares = [], [], []
        for tokens, indices in zip(latents.context, latents.masks.context, strict=True):
            missed = tokens.float() - gather_tokens(targets, indices)  # (B, K, D)
            # On the grid, zero where nothing is context; shapes do not depend on how many places are complete.
            lines = torch.zeros_like(targets).scatter(1, indices.unsqueeze(-1).expand_as(missed), missed)
            seen = torch.zeros_like(targets[..., 0], dtype=torch.bool).scatter(1, indices, True)
            complete = seen.view(-1, grid.time, grid.frame_tokens).all(dim=1)  # (B, H*W)
            if grid.time < MIN_STEPS:
                complete = torch.zeros_like(complete)
            mean, contribution = masked_mean(self._distance(lines.unflatten(1, (grid.time, -1))), complete)
            means.append(mean)
            contributes.append(contribution)
            complete_shares.append(complete.sum() * grid.time / indices.numel())
        return Term(mean_over_masks(means, contributes), {"complete": torch.stack(complete_shares).mean()})

    def _distance(self, lines: Tensor) -> Tensor:
        """Mean over frequencies and channels of the weighted magnitude: (B, T, H*W, D) -> (B, H*W)."""
        spectrum = torch.fft.rfft(lines, dim=1)  # of the difference, which is the difference of the spectra
        weights = torch.linspace(0.1, 1.0, spectrum.shape[1], device=lines.device)
        magnitude = weights[:, None, None] * spectrum.abs()
        return (magnitude if self.error == "l1" else magnitude.square()).mean(dim=(1, 3))
