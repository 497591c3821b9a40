"""Latent dynamics: a head predicts, from a token, how its target will change over the next time step."""

from __future__ import annotations

from typing import Literal, final

import torch
from torch import Tensor

from vjepa.errors import UserError
from vjepa.grid import gather_tokens
from vjepa.latents import Latents
from vjepa.objectives.base import FACTORIZED, ModelFacts, Objective, Term, head, mean_over_pairs
from vjepa.pairs import Pairs
from vjepa.reading import resolve

HardWeighting = Literal["none", "detached_weights", "no_gradient"]


@final
class LatentDynamics(Objective):
    """Latent dynamics (LD).

    L = mean over valid pairs and channels of |g(z(t)) - sg(h(t+1) - h(t))|, then over masks, with
    g = Linear-GELU-Linear from z (or z_dyn alone, if the layout is factorized) to all D channels. Beside hard-region
    weighting (HW-LD, FWM-HW-LD) each pair weighs w = n * softmax(e / temperature) over all n valid pairs of the
    batch, e being its detached mean error.

    Args:
        weight: coefficient; the study uses 1.0.
        hidden: hidden width of g.
        inputs: ``whole`` z or ``dynamics`` (z_dyn); None: dynamics exactly if the layout is factorized.
        hard_weighting: ``none``; ``detached_weights`` (as described: the error is differentiable);
            ``no_gradient`` (as released: the value is added, g never trains and nothing reaches the encoder).
            None: ``none`` without the hard-region term, else by the run's reading.
        temperature: of the pair weights; None takes that of the hard-region term (1 without it).

    Source: the study's latent dynamics objective; golden cases ld, fwm_ld, hw_ld, fwm_hw_ld.
    """

    name = "latent_dynamics"

    def __init__(
        self,
        weight: float = 1.0,
        hidden: int = 256,
        inputs: Literal["whole", "dynamics"] | None = None,
        hard_weighting: HardWeighting | None = None,
        temperature: float | None = None,
    ) -> None:
        super().__init__(weight)
        if hidden < 1:
            raise UserError(f"objectives.latent_dynamics.hidden {hidden}: expected at least 1")
        if temperature is not None and temperature <= 0:
            raise UserError(f"objectives.latent_dynamics.temperature {temperature}: expected a number > 0, or null")
        self.hidden = hidden
        self.inputs = inputs
        self.hard_weighting = hard_weighting
        self.temperature = temperature
        if inputs == "dynamics":
            self.layouts = FACTORIZED

    def build(self, facts: ModelFacts) -> None:
        """Make the head; it is frozen where its gradient could only ever be none."""
        super().build(facts)
        if self.inputs is None:
            self.inputs = "dynamics" if facts.layout.is_factorized else "whole"
        if self.hard_weighting is None:
            has_hard_region = facts.hard_region_temperature is not None
            key = "latent_dynamics.hard_weighting"
            self.hard_weighting = resolve(key, None, facts.reading) if has_hard_region else "none"  # type: ignore
        if self.temperature is None:
            self.temperature = facts.hard_region_temperature or 1.0
        if self.hard_weighting != "none":
            self.across_ranks = "per_rank"
        in_width = facts.layout.dyn_width if self.inputs == "dynamics" else facts.latent_width
        self.dynamics_head = head(in_width, self.hidden, facts.latent_width)
        self.dynamics_head.requires_grad_(self.hard_weighting != "no_gradient")

    def forward(self, latents: Latents) -> Term:
        """Zero that still touches the head where no mask has a valid pair."""
        targets = latents.targets.detach().float()

        def error(mask: int, pairs: Pairs) -> Tensor:
            tokens = latents.context[mask]
            if self.inputs == "dynamics":
                tokens = latents.layout.split(tokens)[1]
            change = gather_tokens(targets, pairs.next) - gather_tokens(targets, pairs.now)
            missed = (self.dynamics_head(tokens).float() - change).abs().mean(dim=-1)
            if self.hard_weighting == "none":
                return missed
            return missed * _batch_weights(missed.detach(), pairs.valid, self.temperature or 1.0)

        with torch.set_grad_enabled(torch.is_grad_enabled() and self.hard_weighting != "no_gradient"):
            return Term(mean_over_pairs(latents, error))


def _batch_weights(error: Tensor, valid: Tensor, temperature: float) -> Tensor:
    """n * softmax over all valid pairs of the batch; finite also where there is none."""
    logits = (error / max(temperature, 1e-6)).masked_fill(~valid, -1e30)
    weights = torch.softmax(logits.flatten(), dim=0).view_as(error)
    return weights * valid.sum()
