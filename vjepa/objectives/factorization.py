"""Factorization of the latent (FWM): a static appearance half, decorrelated from the dynamics half."""

from __future__ import annotations

from typing import Literal, final

import torch
from torch import Tensor

from vjepa.grid import gather_tokens
from vjepa.latents import Latents
from vjepa.objectives.base import FACTORIZED, ModelFacts, Objective, Term, mean_over_masks, mean_over_pairs
from vjepa.pairs import Pairs
from vjepa.reading import resolve


@final
class StaticAppearance(Objective):
    """Slowness of z_app (FWM, static part).

    L = mean over valid pairs and channels of |z_app(t+1) - z_app(t)| of the context tokens, then over masks.

    Args:
        weight: coefficient; the study uses 0.05.

    Source: the study's factorized world model; golden cases fwm*. With layout ``by_level`` the term reaches only
        the shallow levels: its gradient on z_dyn is exactly zero.
    """

    name = "static"
    layouts = FACTORIZED

    def __init__(self, weight: float = 0.05) -> None:
        super().__init__(weight)

    def forward(self, latents: Latents) -> Term:
        """Zero where no mask has a valid pair."""

        def change(mask: int, pairs: Pairs) -> Tensor:
            app = latents.layout.split(latents.context[mask])[0].float()
            return (gather_tokens(app, pairs.successor) - app).abs().mean(dim=-1)

        return Term(mean_over_pairs(latents, change))


@final
class Orthogonality(Objective):
    """Decorrelation of z_app and z_dyn (FWM, orthogonality part).

    Over the n context tokens of a mask, pooled over the batch: C = z_app_centred^T z_dyn_centred / (n - 1),
    L = mean of the squared entries of C, then the mean over masks.

    Args:
        weight: coefficient; the study uses 0.01.
        precision: ``float32`` (as described) or ``autocast`` (as released: bf16 under bf16 autocast); None for the
            run's reading.

    Source: the study's factorized world model; golden cases fwm*. Statistics are those of one process, as in the
        study. Clips of one time step are skipped, as there.
    """

    name = "orthogonality"
    layouts = FACTORIZED
    across_ranks = "per_rank"

    def __init__(self, weight: float = 0.01, precision: Literal["float32", "autocast"] | None = None) -> None:
        super().__init__(weight)
        self.precision = precision

    def build(self, facts: ModelFacts) -> None:
        """Settle the precision."""
        super().build(facts)
        self.precision = resolve("orthogonality.precision", self.precision, facts.reading)

    def forward(self, latents: Latents) -> Term:
        """Zero where a mask pools fewer than two tokens."""
        means, contributes = [], []
        for tokens in latents.context:
            app, dyn = (part.flatten(0, 1).float() for part in latents.layout.split(tokens))  # (n, .)
            count = len(app)
            app, dyn = app - app.mean(dim=0), dyn - dyn.mean(dim=0)
            if self.precision == "autocast":
                covariance = app.T @ dyn / max(count - 1, 1)
            else:
                with torch.autocast(app.device.type, enabled=False):
                    covariance = app.T @ dyn / max(count - 1, 1)
            means.append(covariance.float().square().mean())
            contributes.append(app.new_full((), 1.0 if count >= 2 and latents.grid.time >= 2 else 0.0))
        return Term(mean_over_masks(means, contributes))
