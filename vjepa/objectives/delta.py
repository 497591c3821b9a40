"""Delta prediction: tokens change over time as their targets do."""

from __future__ import annotations

from typing import final

from torch import Tensor

from vjepa.grid import gather_tokens
from vjepa.latents import Latents
from vjepa.objectives.base import Objective, Term, mean_over_pairs
from vjepa.pairs import Pairs


@final
class DeltaPrediction(Objective):
    """Delta-JEPA: the change of a context token over a time step matches that of its target.

    L = mean over valid pairs and channels of |(z(t+1) - z(t)) - sg(h(t+1) - h(t))|, then over masks. It has no head,
    and is zero where context tokens (B, K, D) equal their targets up to a constant of each place.

    Args:
        weight: coefficient; the study uses 0.5.

    Source: the study's delta objective; golden cases delta, combo_losses.
    """

    name = "delta"

    def __init__(self, weight: float = 0.5) -> None:
        super().__init__(weight)

    def forward(self, latents: Latents) -> Term:
        """Zero where no mask has a valid pair."""
        targets = latents.targets.detach().float()

        def missed(mask: int, pairs: Pairs) -> Tensor:
            tokens = latents.context[mask].float()
            change = gather_tokens(tokens, pairs.successor) - tokens  # (B, K, D)
            expected = gather_tokens(targets, pairs.next) - gather_tokens(targets, pairs.now)
            return (change - expected).abs().mean(dim=-1)

        return Term(mean_over_pairs(latents, missed))
