"""The two base terms: prediction of the target tokens, and of the context tokens."""

from __future__ import annotations

from typing import Literal, final

import torch
from torch import Tensor

from vjepa.errors import UserError
from vjepa.grid import Grid, gather_tokens
from vjepa.latents import Latents
from vjepa.objectives.base import ModelFacts, Objective, Term
from vjepa.reading import resolve
from vjepa.schedules import ramp


@final
class TargetPrediction(Objective):
    """Masked latent prediction, the loss of V-JEPA.

    L = 1/M sum_m mean_{b,k,c} |z_pred_m - h[target_m]|^p / p; masks weigh the same whatever their size.

    Args:
        weight: coefficient; the study uses 1. A weight of 1 + c is the control for hard-region weighting with c.

    Source: V-JEPA; golden cases base*.
    """

    name = "prediction"
    reads = frozenset({"predicted"})

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__(weight)

    def forward(self, latents: Latents) -> Term:
        """Mean over masks of the mean error."""
        errors = [latents.error(z, latents.target_tokens(m)).mean() for m, z in enumerate(latents.predicted)]
        return Term(torch.stack(errors).mean())


@final
class ContextPrediction(Objective):
    """Prediction of the context tokens themselves, near the hidden region first (V-JEPA 2.1).

    L = 1/M sum_m mean_{b,k,c} |z_ctx_m - h[context_m]|^p / p * d^(-1/2), where d(b, k) is the Euclidean distance in
    tokens from context token k to the nearest target token of its mask. Zero-weighted entries count in the mean.

    Args:
        weight: coefficient at the end of the ramp; the study uses 0.5.
        ramp: ``fractions`` of the run (as described), fixed ``steps`` (as released: the term is off for the first
            15,000 steps however short the run), or None for the run's reading.
        ramp_fractions: shares of the run at which the ramp starts and ends; (0, 0) switches it off.
        ramp_steps: the same in optimizer steps.
        distance_weighted: whether d^(-1/2) is applied.

    Source: the study's context loss; golden cases base_ctx_*, mask_distance. Differs: vectorised, and exact for
        batches of one, where the released code loses an axis.
    """

    name = "context"
    reads = frozenset({"predicted_context"})

    def __init__(
        self,
        weight: float = 0.5,
        ramp: Literal["fractions", "steps"] | None = None,
        ramp_fractions: tuple[float, float] = (0.5, 1.0),
        ramp_steps: tuple[int, int] = (15_000, 30_000),
        distance_weighted: bool = True,
    ) -> None:
        super().__init__(weight)
        for name, (first, last) in (("ramp_fractions", ramp_fractions), ("ramp_steps", ramp_steps)):
            if not 0 <= first <= last:
                raise UserError(f"objectives.context.{name} {(first, last)}: expected 0 <= first <= last")
        self.ramp = ramp
        self.ramp_fractions = ramp_fractions
        self.ramp_steps = ramp_steps
        self.distance_weighted = distance_weighted

    def build(self, facts: ModelFacts) -> None:
        """Settle how the ramp is measured."""
        super().build(facts)
        self.ramp = resolve("context.ramp", self.ramp, facts.reading)

    def factor(self, step: int, total_steps: int) -> float:
        """0 before the ramp, 1 after it."""
        if self.ramp == "steps":
            first, last = self.ramp_steps
            return ramp(step, first=first, last=last)
        start, end = self.ramp_fractions
        return ramp(step, first=start * total_steps, last=end * total_steps)

    def forward(self, latents: Latents) -> Term:
        """Mean over masks of the distance-weighted error."""
        losses = []
        for mask, predicted in enumerate(latents.predicted_context):
            indices = latents.masks.context[mask]
            error = latents.error(predicted, gather_tokens(latents.targets, indices)).mean(dim=-1)  # (B, K)
            if self.distance_weighted:
                error = error / mask_distance(indices, latents.masks.target[mask], latents.grid)
            losses.append(error.mean())
        return Term(torch.stack(losses).mean())


def mask_distance(context: Tensor, target: Tensor, grid: Grid) -> Tensor:
    """Square root of the Euclidean distance from each context token to the nearest target token.

    An exact Euclidean distance transform: the squared distance is a minimum over time, rows and columns in turn.

    Args:
        context: (B, K) token indices.
        target: (B, K') token indices, K' >= 1.
        grid: token grid; distances are in token units along each axis.

    Returns:
        (B, K) float32, >= 1 where context and target are disjoint.
    """
    squared = context.new_full((len(context), grid.num_tokens), torch.inf, dtype=torch.float32)
    squared.scatter_(1, target, 0.0)
    squared = squared.view(-1, grid.time, grid.height, grid.width)
    for axis in (1, 2, 3):
        position = torch.arange(squared.shape[axis], device=context.device, dtype=torch.float32)
        steps = (position[:, None] - position).square()  # (S, S)
        lines = squared.movedim(axis, -1)
        squared = (lines.unsqueeze(-2) + steps).amin(dim=-1).movedim(-1, axis)
    return squared.flatten(1).gather(1, context).sqrt().sqrt()
