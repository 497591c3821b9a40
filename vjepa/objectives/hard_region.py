"""Hard-region weighting: a second prediction term in which poorly predicted tokens weigh more."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from vjepa.errors import UserError
from vjepa.latents import Latents
from vjepa.objectives.base import Objective, Term, mean_over_masks


@final
class HardRegionWeighting(Objective):
    """Hard-region weighting (HW), added to the prediction term and not in its place.

    With e(b, k) the detached mean error of target token k, w(b, :) = K' * softmax(e(b, :) / temperature) over the
    K' target tokens of its sample (mean weight 1), L = 1/M sum_m mean_{b,k,c} w * |z_pred - h|^p / p.

    Args:
        weight: coefficient; the study uses 0.3 alone and 1.0 in HW-LD and FWM-HW-LD.
        temperature: of the softmax, > 0. At 1 the weights are nearly uniform, because e is a mean over D channels;
            ``ess`` in the logs is their effective sample size over K' (1 = uniform).

    Source: the study's hard-region objective; golden cases hw, hw_t0p1.
    """

    name = "hard_region"
    reads = frozenset({"predicted"})

    def __init__(self, weight: float = 0.3, temperature: float = 1.0) -> None:
        super().__init__(weight)
        if temperature <= 0:
            raise UserError(f"objectives.hard_region.temperature {temperature}: expected a number > 0")
        self.temperature = temperature

    def forward(self, latents: Latents) -> Term:
        """Masks with fewer than two target tokens are skipped."""
        means, contributes, uniformity = [], [], []
        for mask, predicted in enumerate(latents.predicted):
            error = latents.error(predicted, latents.target_tokens(mask)).mean(dim=-1)  # (B, K')
            weights = hard_weights(error.detach(), self.temperature)
            means.append((weights * error).mean())
            contributes.append(error.new_full((), 1.0 if error.shape[1] >= 2 else 0.0))
            uniformity.append(1.0 / weights.square().mean())
        return Term(mean_over_masks(means, contributes), {"ess": torch.stack(uniformity).mean()})


def hard_weights(error: Tensor, temperature: float) -> Tensor:
    """Softmax weights of mean 1 along the last axis of (..., K)."""
    return error.shape[-1] * torch.softmax(error / max(temperature, 1e-6), dim=-1)
