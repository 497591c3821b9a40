"""Velocity gate: tokens stay still where their targets hardly move."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from vjepa.errors import UserError
from vjepa.grid import Grid, gather_tokens
from vjepa.latents import Latents
from vjepa.objectives.base import Objective, Term, mean_over_pairs
from vjepa.pairs import Pairs


@final
class VelocityGate(Objective):
    """Velocity-gated smoothness: slowness of the context tokens, only where the targets are slow.

    With the target's speed s(b, t, place) = ||h(t+1) - h(t)||_2 over channels, a place is open if s is at most the
    given quantile (linear interpolation) of s over the H*W places of its clip and time step.
    L = mean over valid pairs and channels of open * |z(t+1) - z(t)|, then over masks. Closed pairs count as zeros in
    the mean, and the gate has no gradient.

    Args:
        weight: coefficient; the study uses 1.0.
        percentile: share of the places that is open at every time step, in [0, 1]; the slowest one always is.

    Source: the study's velocity gate; golden case velgate. Differs: zero on a clip of one time step, where the
        released code warns.
    """

    name = "velocity_gate"

    def __init__(self, weight: float = 1.0, percentile: float = 0.5) -> None:
        super().__init__(weight)
        if not 0 <= percentile <= 1:
            raise UserError(f"objectives.velocity_gate.percentile {percentile}: expected a share of places in [0, 1]")
        self.percentile = percentile

    def forward(self, latents: Latents) -> Term:
        """Zero where no mask has a valid pair."""
        opened = slow_places(latents.targets, latents.grid, self.percentile)  # (B, N)

        def gated_change(mask: int, pairs: Pairs) -> Tensor:
            tokens = latents.context[mask].float()
            change = (gather_tokens(tokens, pairs.successor) - tokens).abs().mean(dim=-1)  # (B, K)
            return opened.gather(1, pairs.now) * change

        return Term(mean_over_pairs(latents, gated_change))


@torch.no_grad()
def slow_places(targets: Tensor, grid: Grid, percentile: float) -> Tensor:
    """Which tokens change least over the next time step.

    Args:
        targets: (B, N, D).
        grid: token grid.
        percentile: share of the H*W places that is slow at each time step.

    Returns:
        (B, N) bool; all of the last time step, from which no pair starts.
    """
    steps = targets.float().unflatten(1, (grid.time, grid.frame_tokens))  # (B, T, H*W, D)
    speed = torch.linalg.vector_norm(steps.diff(dim=1, append=steps[:, -1:]), dim=-1)  # (B, T, H*W)
    return (speed <= speed.quantile(percentile, dim=-1, keepdim=True)).flatten(1)
