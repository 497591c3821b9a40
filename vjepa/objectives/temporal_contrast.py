"""Temporal contrast: a token is nearer to its target now than to its target one time step later."""

from __future__ import annotations

from typing import final

from torch import Tensor
from torch.nn.functional import cosine_similarity

from vjepa.errors import UserError
from vjepa.grid import gather_tokens
from vjepa.latents import Latents
from vjepa.objectives.base import Objective, Term, mean_over_pairs
from vjepa.pairs import Pairs


@final
class TemporalContrast(Objective):
    """Latent temporal contrast (LTC).

    L = mean over valid pairs of max(0, margin - cos(z(t), sg h(t)) + cos(z(t), sg h(t+1))), then over masks, with the
    cosine over all D channels. A still clip, whose targets do not change, costs the margin.

    Args:
        weight: coefficient; the study uses 0.5.
        margin: by which the present target must be nearer, >= 0 and, to be attainable, < 2.

    Source: the study's temporal contrast; golden case ltc.
    """

    name = "temporal_contrast"

    def __init__(self, weight: float = 0.5, margin: float = 0.5) -> None:
        super().__init__(weight)
        if margin < 0:
            raise UserError(f"objectives.temporal_contrast.margin {margin}: expected a difference of cosines >= 0")
        self.margin = margin

    def forward(self, latents: Latents) -> Term:
        """Zero where no mask has a valid pair."""
        targets = latents.targets.detach().float()

        def lacking(mask: int, pairs: Pairs) -> Tensor:
            tokens = latents.context[mask].float()
            now, later = (
                cosine_similarity(tokens, gather_tokens(targets, index), dim=-1)  # (B, K)
                for index in (pairs.now, pairs.next)
            )
            return (self.margin - now + later).clamp(min=0)

        return Term(mean_over_pairs(latents, lacking))
